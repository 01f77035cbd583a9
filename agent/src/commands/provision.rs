//! `container-tracker provision`: one registration with DPS, for factory lines.
//!
//! Exit code 0: assigned. 1: something here is not as it should be. 3: DPS refuses this device, or issues no certificate to it. 4: DPS says "later".
//! 5: DPS could not be reached.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracker_protocol::dps::Outcome;
use tracker_protocol::{printable, printable_json};

use super::check::context::Context;
use super::config_argument::ConfigArgument;
use super::issuance::{Issuance, Issued};
use super::known_dates::known_dates;
use crate::config::{Config, Profile};
use crate::event::Events;
use crate::identity::Identity;
use crate::instruments::gps::Gps;
use crate::instruments::instrument::Start;
use crate::link::dialer::Dialer;
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::link::{LinkError, LinkErrorKind};
use crate::platform::clock::Clock;
use crate::platform::heartbeat::{Heartbeat, Vitals};
use crate::platform::stdout::line;
use crate::tracker;
use crate::uplink::assignment::{Assignment, AssignmentFile, Terms};
#[cfg(feature = "tpm")]
use crate::uplink::by_tpm::ByTpm;
use crate::uplink::credentials::Credentials;
use crate::uplink::patience::Patience;
use crate::uplink::profile;
use crate::uplink::provisioner::{self, Asking};

/// A receiver that has a fix tells the time within seconds; one that is switched on with the device, within a minute.
const LISTEN: Duration = Duration::from_mins(1);
const LOOK: Duration = Duration::from_millis(100);

/// Of `provision`.
#[derive(Debug, clap::Args)]
pub struct ProvisionArgs {
    #[command(flatten)]
    config: ConfigArgument,
    /// Print one JSON object, for scripts.
    #[arg(long)]
    json: bool,
    /// Do not store the assignment: the agent will ask DPS again.
    #[arg(long)]
    dry_run: bool,
}

/// Registers once; the exit code tells how that went.
pub fn run(args: &ProvisionArgs) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    let context = Context::new(&args.config.path);
    let clock = context.clock.clone();
    let credentials = Credentials::load(&config, clock.clone())?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().context("no async runtime")?;
    let stored = AssignmentFile::new(&config.state.directory);
    let _lock = if args.dry_run {
        None
    } else {
        std::fs::create_dir_all(&config.state.directory).with_context(|| {
            format!("can't make the state directory {} (state.directory)", config.state.directory.display())
        })?;
        let id = credentials.identity.registration_id.to_string();
        Some(tracker::lock(&config.state.directory, &Events::log(id))?)
    };
    // A running agent has the port, and its word on the time is asked for.
    let heard = if context.agent_runs() { None } else { runtime.block_on(listen_for_time(&config, &clock)) };
    clock.certificate_time().with_context(|| without_time(heard.as_deref()))?;
    credentials.check_validity(&*clock)?;
    let Credentials { identity, tls, .. } = credentials;
    let id = identity.registration_id.clone();
    let issuance = Issuance::begin(&config, &id, args.dry_run, clock.certificate_time())?;
    let outcome = runtime.block_on(ask(&config, &identity, tls, &*clock, issuance.csr()))?;
    runtime.shutdown_background();
    let asks = config.connection.profile == Profile::Assigned;
    let known = stored.read().ok().flatten().and_then(|before| Some((before.hub, before.profile?)));
    let outcome = outcome.map(|outcome| profile::judge(outcome, asks, known.as_ref()));
    let issued = match &outcome {
        Ok(outcome) => issuance.end(outcome, clock.certificate_time())?,
        Err(_) => Issued::Off,
    };
    let is_whole = !matches!(issued, Issued::Nothing);
    if let (Ok(Outcome::Assigned(assigned)), true) = (&outcome, is_whole && !args.dry_run) {
        let terms = Terms::new(&config.dps, &identity.thumbprint);
        let assignment = Assignment::new(assigned, terms);
        stored.write(Some(&assignment)).with_context(|| {
            format!("the assignment can't be stored in {}", config.state.directory.display())
        })?;
    }
    let answer = answer(&outcome, &issued, &identity, &config, args.dry_run);
    line(&answer.shown(args.json));
    Ok(ExitCode::from(answer.code))
}

/// Asks DPS, in the way that the proof of the identity has.
async fn ask(
    config: &Config,
    identity: &Identity,
    tls: Tls,
    clock: &dyn Clock,
    csr: Option<String>,
) -> anyhow::Result<Result<Outcome, LinkError>> {
    let (timing, heart, dialer) = (Timing::default(), &Heartbeat::default(), &mut Dialer::default());
    #[cfg(feature = "tpm")]
    if let Some(tpm) = identity.tpm().cloned() {
        let by_tpm = ByTpm { config, identity, tpm, tls, timing: &timing, clock, heart };
        return Ok(by_tpm.register(dialer).await);
    }
    let answer_within = timing.dps_answer_within;
    let options = provisioner::link_options(config, identity, tls, clock.certificate_time(), timing);
    let options = &options.map_err(anyhow::Error::msg)?;
    let asking = Asking { options, answer_within, heart, csr };
    Ok(asking.register(&identity.registration_id, dialer, &mut Patience::default(), |_| {}).await)
}

/// `gps` is why the receiver has not told it.
fn without_time(gps: Option<&str>) -> String {
    let gps = gps.map_or_else(String::new, |why| format!("; gps: {why}"));
    format!(
        "the time is not known, and without it no certificate can be checked{gps}; let NTP set the clock (timedatectl), or \
         if the clock is right, say so with clock.trust_system = true"
    )
}

/// Listens to the receiver as the agent does, until the time is known. What ails the receiver if it does not tell.
async fn listen_for_time(config: &Config, clock: &Arc<dyn Clock>) -> Option<String> {
    if clock.certificate_time().is_some() {
        return None;
    }
    let mut gps = Gps::configured(&config.sensors.gps, &known_dates(config))?;
    let (vitals, mut tasks) = (Vitals::default(), JoinSet::new());
    if let Err(error) = gps.start(&mut Start { clock: clock.clone(), vitals: &vitals, tasks: &mut tasks }) {
        return Some(error.to_string());
    }
    let known = async {
        while clock.certificate_time().is_none() {
            // A line that is read with the readings alone is read now.
            gps.look();
            sleep(LOOK).await;
        }
    };
    let _ = timeout(LISTEN, known).await;
    gps.health().current().cause
}

/// What is printed, and how the program ends.
struct Answer {
    code: u8,
    text: String,
    details: Value,
}

impl Answer {
    fn shown(&self, json: bool) -> String {
        if json { printable_json(&self.details) } else { printable(&self.text) }
    }
}

fn answer(
    outcome: &Result<Outcome, LinkError>,
    issued: &Issued,
    identity: &Identity,
    config: &Config,
    dry_run: bool,
) -> Answer {
    let (code, name, text) = match outcome {
        Ok(Outcome::Assigned(assigned)) if matches!(issued, Issued::Nothing) => {
            (3, "notIssued", provisioner::nothing_issued(&assigned.hub))
        }
        Ok(Outcome::Assigned(assigned)) => {
            let stored = if dry_run { "not stored" } else { "stored" };
            let profile = match &assigned.connection_profile {
                Some(word) => format!(", which is {word}"),
                None => String::new(),
            };
            let mut text =
                format!("{} is assigned to {}{profile} ({stored})", assigned.device_id, assigned.hub);
            if let Issued::Told(more, _) = issued {
                text += more;
            }
            (0, "assigned", text)
        }
        Ok(Outcome::Refused(refusal)) => (3, "refused", format!("DPS refuses this device: {refusal}")),
        Ok(Outcome::TryLater { why, .. }) => (4, "later", format!("no hub from DPS: {why}; try again later")),
        Err(error) => {
            let why = provisioner::explain(error, &config.dps.id_scope);
            let (code, name) = match error.kind {
                LinkErrorKind::Identity => (3, "refused"),
                _ => (5, "unreachable"),
            };
            (code, name, format!("no hub from DPS: {why}"))
        }
    };
    let assigned = match outcome {
        Ok(Outcome::Assigned(assigned)) => Some(assigned),
        _ => None,
    };
    let mut details = json!({
        "outcome": name,
        "registrationId": identity.registration_id.as_str(),
        "thumbprint": identity.thumbprint,
        "hub": assigned.map(|assigned| &assigned.hub),
        "deviceId": assigned.map(|assigned| &assigned.device_id),
        "connectionProfile": assigned.and_then(|assigned| assigned.connection_profile.as_ref()),
        "stored": code == 0 && !dry_run,
        "text": text,
    });
    if let (Issued::Told(_, issued), Some(members)) = (issued, details.as_object_mut()) {
        members.insert("issued".into(), issued.clone());
    }
    Answer { code, text, details }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_asked_for_the_time_in_vain_is_told() {
        let told = without_time(Some("the receiver says that it is 2015-10-27"));
        assert!(told.contains("checked; gps: the receiver says that it is 2015-10-27; let NTP"), "{told}");
        assert!(!without_time(None).contains("gps"), "no receiver, no sky");
    }

    #[test]
    fn what_dps_says_is_shown_in_one_line_and_not_obeyed() {
        let nasty = "a\n<3>all is well \u{1b}[2J\u{9b}\0\u{202e}";
        let answer = Answer { code: 3, text: nasty.into(), details: json!({ "text": nasty }) };
        let line = answer.shown(false);
        assert!(!line.contains(char::is_control) && !line.contains('\u{202e}'), "{line:?}");
        let shown = answer.shown(true);
        assert!(!shown.contains(char::is_control) && !shown.contains('\u{202e}'), "{shown:?}");
        let shown: Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["text"], nasty);
    }
}
