//! `container-tracker deprovision`: the device forgets where it belonged, before it goes to another owner or service.
//!
//! Certificate and key stay: they are not the agent's. Those that Azure has issued go, with their keys in files and tokens. Refuses while an agent runs.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::config_argument::ConfigArgument;
use super::confirmation::confirmed;
use crate::config::Config;
use crate::event::Events;
use crate::identity::operational::Pairs;
use crate::journal::inspect::{has_evidence, inspect};
use crate::journal::{
    self, JournalOptions, empty_waiting_room, forget_evidence, forget_states, readings_waiting, set_aside,
    waiting_room, waiting_rooms,
};
use crate::platform::clock::{Clock, SystemClock};
use crate::platform::state_directory::{Fate, StateDirectory};
use crate::platform::state_file;
use crate::platform::stdout::line;
use crate::reading::Stamp;
use crate::tracker;

/// Of `deprovision`.
#[derive(Debug, clap::Args)]
pub struct DeprovisionArgs {
    #[command(flatten)]
    config: ConfigArgument,
    /// Do not ask.
    #[arg(long)]
    yes: bool,
    /// What becomes of readings that the hub has not got.
    #[arg(long, value_name = "WHAT", value_enum, default_value = "keep")]
    journal: JournalFate,
    /// Write the report of the trip that is under way to this file.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum JournalFate {
    /// They are sent to the next hub.
    Keep,
    /// They stay in a file beside, for you to look at.
    SetAside,
    /// They are lost.
    Delete,
}

/// Forgets what is to be forgotten, if somebody agrees.
pub fn run(args: &DeprovisionArgs) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    let directory = &config.state.directory;
    if !directory.is_dir() {
        line(&format!("there is nothing to forget in {}", directory.display()));
        return Ok(ExitCode::SUCCESS);
    }
    let _lock = tracker::lock(directory, &Events::log(""))?;
    let waiting =
        inspect(directory).ok().flatten().map_or(0, |found| found.backlog) + left_by_a_kill(directory);
    let journal = match args.journal {
        JournalFate::Keep => format!("{waiting} readings stay, for the next hub"),
        JournalFate::SetAside => format!("{waiting} readings are set aside"),
        JournalFate::Delete => format!("{waiting} readings are deleted, for ever"),
    };
    let state = StateDirectory::new(directory);
    let issued = if state.operational().exists() { ", issued certificates with their keys" } else { "" };
    let what = format!(
        "assignment, settings, trip and chain{issued} in {} are forgotten; {journal}",
        directory.display()
    );
    if !args.yes && !confirmed(&what)? {
        bail!("nothing was changed");
    }
    let reported = end_trip(&config, &state, args)?;
    remove(state.files(Fate::Forgotten))?;
    match args.journal {
        JournalFate::Keep => {
            forget_states_kept(&config)?;
            let options = journal_options(&config, waiting_room(directory));
            if has_evidence(directory) && !forget_evidence(options, Events::log("")) {
                bail!("{} does not forget the chain of evidence", state.journal().display());
            }
        }
        JournalFate::SetAside => {
            empty_waiting_rooms(&config)?;
            set_aside(directory, "old")
                .with_context(|| format!("can't set {} aside", state.journal().display()))?;
        }
        JournalFate::Delete => {
            remove(state.files(Fate::Journal))?;
            remove(waiting_rooms(directory).into_iter())?;
        }
    }
    let left = forget_issued(&config, issued)?;
    line(&format!("done: {what}{reported}{left}"));
    Ok(ExitCode::SUCCESS)
}

/// Forgets what Azure has issued, where there `is` something. What is said of keys that are left in a token.
fn forget_issued(config: &Config, is: &str) -> anyhow::Result<String> {
    if is.is_empty() {
        return Ok(String::new());
    }
    let left = Pairs::destroy(config.identity.operational.as_ref(), &config.state.directory)?;
    if left.is_empty() {
        return Ok(String::new());
    }
    let keys = left.join(", ");
    Ok(format!(
        "; these keys are left in the token, which can't be asked: {keys} (pkcs11-tool --delete-object)"
    ))
}

/// Ends the trip, and writes its report where it is to be. What is said of that.
fn end_trip(config: &Config, state: &StateDirectory, args: &DeprovisionArgs) -> anyhow::Result<String> {
    let no_trip =
        || args.report.as_ref().map(|_| "; no trip was under way, and so there is no report".to_owned());
    if !has_evidence(state.path()) {
        return Ok(no_trip().unwrap_or_default());
    }
    let clock = SystemClock::new(config.clock.trust_system);
    let options = journal_options(config, waiting_room(state.path()));
    let report = journal::end_trip(options, Stamp::now(&clock), Events::log(""));
    Ok(match (&args.report, report) {
        (Some(path), Some(report)) => {
            state_file::replace(path, &report)
                .with_context(|| format!("can't write the report to {} (--report)", path.display()))?;
            format!("; the report of the trip is in {}", path.display())
        }
        (_, None) => no_trip().unwrap_or_default(),
        (None, Some(_)) => String::new(),
    })
}

/// Readings that an agent had not made durable when it was killed.
fn left_by_a_kill(directory: &Path) -> u64 {
    let rooms = waiting_rooms(directory);
    rooms.iter().map(|room| readings_waiting(room, directory).map_or(0, |left| left.len() as u64)).sum()
}

/// They go with the journal.
fn empty_waiting_rooms(config: &Config) -> anyhow::Result<()> {
    let directory = &config.state.directory;
    for room in waiting_rooms(directory) {
        let is_left = readings_waiting(&room, directory).is_ok_and(|left| !left.is_empty());
        if is_left && !empty_waiting_room(journal_options(config, Some(room.clone())), Events::log("")) {
            bail!("the journal does not take the readings in {}", room.display());
        }
    }
    Ok(())
}

/// What alarms are pending or raised, and in which fences the container is, is the last customer's; the readings and events are
/// kept.
fn forget_states_kept(config: &Config) -> anyhow::Result<()> {
    let directory = &config.state.directory;
    if !StateDirectory::new(directory).journal().exists() {
        return Ok(());
    }
    let rooms = waiting_rooms(directory).into_iter().filter(|room| room.exists()).map(Some);
    for room in rooms.chain([None]) {
        if !forget_states(journal_options(config, room), Events::log("")) {
            bail!("the journal does not forget the state of alarms and fences; its readings are all there");
        }
    }
    Ok(())
}

fn journal_options(config: &Config, waiting_room: Option<PathBuf>) -> JournalOptions {
    JournalOptions {
        directory: config.state.directory.clone(),
        size_bound: u64::from(config.state.journal_size_mib) * 1024 * 1024,
        waiting_room,
        boot: SystemClock::new(false).boot().into(),
    }
}

fn remove(files: impl Iterator<Item = PathBuf>) -> anyhow::Result<()> {
    for path in files {
        state_file::remove(&path).with_context(|| format!("can't remove {}", path.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::FILES;

    #[test]
    fn every_file_of_the_journal_is_known() {
        let state = StateDirectory::new(Path::new("/s"));
        let known: Vec<PathBuf> = state.files(Fate::Journal).collect();
        let used: Vec<PathBuf> = FILES.iter().map(|name| state.path().join(name)).collect();
        assert_eq!(known, used);
    }
}
