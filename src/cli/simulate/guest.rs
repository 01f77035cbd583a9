//! A fleet at an emulator that runs already: enrolled there by its service API, as an operator would, and played.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use tracker_emulator::pki::{DeviceCredentials, Validity};
use tracker_sensors::simulated::SimulatedClock;

use super::arguments::SimulateArgs;
use super::container::{Container, asked, onlooker};
use super::hint;
use super::ledger::Ledger;
use super::logbook::{Logbook, last_seen};
use super::set_up::SetUp;
use super::shared::Fleet;
use crate::cli::cloud::EmulatorFile;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Clients;
use crate::config::Config;
use crate::lab::local_cloud::{self, SERVER_CA_FILE};
use crate::lab::screen::Screen;
use crate::lab::{INITIAL_TWIN_TAGS, device_config};
use crate::platform::clock::system_time;
use crate::supervision::Supervision;

/// What the trackers have to end in.
const END_WITHIN: Duration = Duration::from_secs(3);
/// Of a name that somebody else has.
const TAKEN: &str = "and is not a simulated device: give the fleet other names with --prefix";
/// The path of enrollments at DPS.
const ENROLLMENTS: &str = "enrollments";

/// The emulator, and where the files of its guests are.
struct Inn {
    dps: Client,
    id_scope: String,
    port: u16,
    files: PathBuf,
    initial_twin: Value,
}

/// Plays the fleet at the emulator whose directory this is, until `stopped`. Its files are in `files`, and outlive the program
/// where they are kept.
pub(in crate::cli) async fn play(
    args: Arc<SimulateArgs>,
    emulator: &Path,
    (files, is_kept): (&Path, bool),
    screen: Screen,
    stopped: watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let (at, kept_in, interval) = (emulator.to_owned(), files.to_owned(), args.interval());
    let inn =
        Arc::new(spawn_blocking(move || Inn::find(&at, kept_in, interval)).await.context("no thread")??);
    let many = if args.devices == 1 { "1 device".to_owned() } else { format!("{} devices", args.devices) };
    let text = format!("{many} at the emulator in {}, which shows their readings.", emulator.display());
    screen.note("guests", &text, json!({"emulator": emulator}));
    hint::tell(screen, &args.device(0), emulator);
    let mut devices = (0..args.devices).map(|index| files.join(args.device(index)));
    if let Some(interval) = args.interval
        && devices.any(|directory| local_cloud::has_credentials(&directory))
    {
        let text = format!(
            "--interval {interval} is for new devices: those that were here before keep the telemetryInterval of their twins, \
             which `cloud twin update` changes."
        );
        screen.note("interval", &text, json!({"interval": interval}));
    }
    let ledger = Arc::new(Ledger::default());
    let logbook = Logbook::kept(is_kept);
    let states = (0..args.devices).map(|index| files.join(args.device(index)).join("state"));
    let begin = is_kept.then(|| last_seen(states)).flatten().unwrap_or_else(system_time);
    let time = SimulatedClock::new(begin, args.speed);
    screen.expect(args.devices.into(), &time);
    let fleet = Fleet { args: args.clone(), screen, ledger: ledger.clone(), logbook: logbook.clone(), time };
    let mut set_up = SetUp::new(fleet, Arc::new(move |id| inn.device(id)));
    let mut trackers = JoinSet::new();
    let mut end_asked = pin!(asked(stopped.clone()));
    let mut writing = pin!(logbook.clone().write_on(screen));
    let failed = loop {
        tokio::select! {
            biased;
            () = &mut end_asked => break None,
            // A tracker that ends by itself could not start.
            Some(ended) = trackers.join_next() => match ended? {
                Ok(stats) => ledger.ended(stats),
                Err(error) => break Some(error),
            },
            container = set_up.next() => {
                let Container { title, tracker, details, .. } = match container {
                    Ok(container) => container,
                    Err(error) => break Some(error),
                };
                let onlooker = onlooker(screen, details["device"].as_str().unwrap_or_default());
                screen.note("voyage", &title, details);
                ledger.started();
                let supervision = Supervision { onlooker, ..Supervision::default() };
                trackers.spawn(tracker.run_supervised(asked(stopped.clone()), supervision));
            }
            never = &mut writing => match never {},
        }
    };
    set_up.cancel();
    if let Some(error) = failed {
        return Err(error);
    }
    screen.close();
    let all = async {
        while let Some(ended) = trackers.join_next().await {
            ledger.ended(ended??);
        }
        anyhow::Ok(())
    };
    // Those that take longer are cut off, which the sums tell.
    timeout(END_WITHIN, all).await.unwrap_or(Ok(()))?;
    logbook.write(screen);
    ledger.settle(screen, args.devices)
}

impl Inn {
    fn find(emulator: &Path, files: PathBuf, interval: u32) -> anyhow::Result<Self> {
        let dps = Clients::of_emulator(emulator)?.dps.context("the emulator has no provisioning service")?;
        let file = EmulatorFile::load(emulator)?.context("the emulator has just ended")?;
        let port = file.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
        let port = port.with_context(|| {
            format!("{}: {:?} is no address", EmulatorFile::path(emulator).display(), file.address)
        })?;
        std::fs::create_dir_all(&files)
            .with_context(|| format!("can't make the directory {}", files.display()))?;
        local_cloud::write(&files.join(SERVER_CA_FILE), &file.server_ca, 0o644)?;
        let tags: Value = serde_json::from_str(INITIAL_TWIN_TAGS)?;
        let initial_twin = json!({"tags": tags, "properties": {"desired": {"telemetryInterval": interval}}});
        Ok(Self { dps, id_scope: file.id_scope, port, files, initial_twin })
    }

    /// Enrolls a device, with a certificate of its own, and tells its configuration.
    fn device(&self, id: &str) -> anyhow::Result<Config> {
        let directory = self.files.join(id);
        if !local_cloud::has_credentials(&directory) {
            local_cloud::save_credentials(
                &directory,
                &DeviceCredentials::self_signed(id, Validity::always())?,
            )?;
        }
        let path = directory.join("device.pem");
        let certificate =
            std::fs::read_to_string(&path).with_context(|| format!("can't read {}", path.display()))?;
        self.enroll(id, &certificate)?;
        Ok(device_config(&directory, &self.id_scope, self.files.join(SERVER_CA_FILE), self.port))
    }

    /// Enrolls it, also in place of one that was simulated before, but never of anybody else's.
    fn enroll(&self, id: &str, certificate: &str) -> anyhow::Result<()> {
        let path = [ENROLLMENTS, id];
        let x509 = json!({"clientCertificates": {"primary": {"certificate": certificate}}});
        let enrollment = json!({
            "registrationId": id, "attestation": {"type": "x509", "x509": x509}, "initialTwin": self.initial_twin,
        });
        let put = Call::put(&path, &enrollment);
        let call = match self.dps.find(Call::get(&path))? {
            // A group has let it in, and an enrollment of its own would come before that.
            None if self.dps.find(Call::get(&["registrations", id]))?.is_some() => {
                bail!("{id} has registered already at this emulator through an enrollment group, {TAKEN}")
            }
            None => put,
            Some(found) if found["initialTwin"]["tags"] == self.initial_twin["tags"] => {
                self.dps.if_match(put, found["etag"].as_str().unwrap_or("*"))
            }
            Some(_) => bail!("{id} is enrolled already at this emulator, {TAKEN}"),
        };
        self.dps.call(call).map(drop).with_context(|| format!("{id} can't be enrolled"))
    }
}
