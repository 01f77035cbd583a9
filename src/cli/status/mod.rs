//! `status --watch` as a screen, for a technician at the terminal: readings with their course, sky, link, journal, alarms, log.
//!
//! One thread looks, another draws: an agent that is slow to answer holds up no key.

mod disk;
mod log_tail;
mod panes;
mod sight;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;

use crate::cli::terminal::screen::{ContainerPage, Facts, Look, lack, show};
use crate::commands::signals::{asked_to_stop, hung_up};
use crate::commands::status::{self, Seen, StatusArgs};
use crate::lab::board::Readings;
use crate::platform::stderr::tell;
use disk::Disk;
use log_tail::LogTail;
use sight::Sight;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(1);

/// Shows it on a screen where one is wanted and there is one, else as text.
pub(super) fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    if args.watch && !args.json {
        let directory = args.config.load()?.state.directory;
        match lack() {
            None => return on_screen(args, &directory),
            Some(why) => {
                let but = if args.log.is_some() { ", without the log" } else { "" };
                tell!("no screen: {why}; lines instead{but}");
            }
        }
    }
    status::run(args)
}

fn on_screen(args: &StatusArgs, state_directory: &Path) -> anyhow::Result<ExitCode> {
    let (directory, start) = (state_directory.to_owned(), args.config.start());
    let look = move || {
        let seen = Seen::look(&directory, &start).printable();
        let code = seen.health().code();
        let Seen { status, absent, troubles, age } = seen;
        Sight { code, status, absent, troubles, age }
    };
    watch(look, state_directory, args.log.as_deref())
}

/// Shows what `look` sees until somebody ends it. The exit code is that of the last look.
fn watch(
    look: impl FnMut() -> Sight + Send + 'static,
    state_directory: &Path,
    log: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let ended = ended_by_signal()?;
    let log = log.map(LogTail::of_file).transpose()?;
    let mut watcher =
        Watcher { look, readings: Readings::default(), at: None, log, directory: state_directory.into() };
    let (facts, code) = watcher.look();
    let watcher = Arc::new(Mutex::new(watcher));
    let code = Arc::new(AtomicU8::new(code));
    let news = Arc::<Mutex<Option<Facts>>>::default();
    let (left, told, looking, over) = (news.clone(), code.clone(), watcher.clone(), ended.clone());
    thread::Builder::new().name("look".into()).spawn(move || {
        loop {
            thread::sleep(LOOK);
            let mut watcher = lock(&looking);
            if over.load(Ordering::SeqCst) {
                return;
            }
            let (facts, code) = watcher.look();
            told.store(code, Ordering::Relaxed);
            lock(&left).replace(facts);
        }
    })?;
    let mut page = ContainerPage::new(facts, move || lock(&news).take());
    let shown = show(&mut page, Look::of_environment(), &|| ended.load(Ordering::SeqCst));
    ended.store(true, Ordering::SeqCst);
    // Whoever reads journald for it ends with it.
    lock(&watcher).log = None;
    shown.context("the terminal can't show a screen")?;
    Ok(ExitCode::from(code.load(Ordering::Relaxed)))
}

/// Whether a signal has asked for the end. Each of them would end the program and leave the terminal as it is.
fn ended_by_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let ended = Arc::<AtomicBool>::default();
    let is_ended = ended.clone();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _context = runtime.enter();
        (asked_to_stop(), hung_up())
    };
    thread::Builder::new().name("signals".into()).spawn(move || {
        let (stop, hangup) = signals;
        runtime.block_on(async {
            tokio::select! {
                () = stop => {}
                () = hangup => {}
            }
        });
        is_ended.store(true, Ordering::SeqCst);
    })?;
    Ok(ended)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks, and remembers the course of things.
struct Watcher<F> {
    look: F,
    readings: Readings,
    /// When the last measurement was taken, in seconds since the boot.
    at: Option<f64>,
    log: Option<LogTail>,
    directory: PathBuf,
}

impl<F: FnMut() -> Sight> Watcher<F> {
    fn look(&mut self) -> (Facts, u8) {
        let sight = (self.look)();
        let measurement = sight.status.as_ref().and_then(|status| status.measurement.as_ref());
        if let Some(measurement) = measurement.filter(|measurement| self.at != Some(measurement.uptime)) {
            self.at = Some(measurement.uptime);
            self.readings.push(measurement.fields.clone());
        }
        let pid = sight.status.as_ref().filter(|_| sight.absent.is_none()).map(|status| status.pid);
        match &mut self.log {
            Some(log) => log.follow(pid),
            None => self.log = pid.and_then(LogTail::of_journald),
        }
        let disk = Disk::look(&self.directory);
        (panes::facts(&sight, &self.readings, disk.as_ref(), self.log.as_ref()), sight.code)
    }
}
