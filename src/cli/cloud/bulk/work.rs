//! Many calls at a time, and what becomes of them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use anyhow::bail;
use serde_json::Value;

use super::ledger::Ledger;
use super::look::{At, Looked};
use super::progress::Progress;
use super::report::{Outcome, Row, Verb, first_failure};
use super::selection::Conduct;
use crate::cli::cloud::output::{Column, Output, OutputFormat};
use crate::cli::cloud::service::client::Client;
use crate::cli::cloud::service::service_error::ServiceError;
use crate::cli::cloud::target::Hub;
use crate::cli::terminal::stopping::Stop;
use crate::commands::log;
use crate::platform::stderr::tell;

/// Calls without any answer, one after the other, after which no more are made; more where more are under way.
const MOST_UNANSWERED: usize = 8;

/// Changes under conditions are tried so often.
const MOST_TRIES: u32 = 3;

/// What an action has done.
#[derive(Debug)]
pub(in crate::cli::cloud) enum Done {
    /// Something, with what was answered, or `Null`.
    Changed(Value),
    /// Nothing: it was so already.
    IsSo,
}

/// One of many.
#[derive(Debug)]
pub(in crate::cli::cloud) struct Task {
    id: String,
    hub: Option<usize>,
    outcome: Outcome,
}

/// What is to be done, and how.
pub(in crate::cli::cloud) struct Work<'a> {
    pub verb: Verb,
    pub conduct: &'a Conduct,
    pub output: &'a Output,
    pub hubs: &'a [Hub],
    /// Asked besides the hubs.
    pub dps: Option<&'a Client>,
}

/// Reads and writes again, where somebody else has written between the two.
pub(in crate::cli::cloud) fn again_if_it_changes<T>(
    act: impl Fn() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let is_other = |error: &anyhow::Error| {
        error.downcast_ref::<ServiceError>().is_some_and(|refusal| refusal.status == 412)
    };
    let mut tries = 1;
    loop {
        match act() {
            Err(error) if tries < MOST_TRIES && is_other(&error) => tries += 1,
            ended => return ended,
        }
    }
}

impl Task {
    /// For something that is at no hub.
    pub(in crate::cli::cloud) fn new(id: String) -> Self {
        Self { id, hub: None, outcome: Outcome::ToDo }
    }

    /// For each device; those that no hub has are tried all the same if `without_hub`.
    pub(in crate::cli::cloud) fn of(looked: &Looked, without_hub: bool) -> Vec<Self> {
        let task = |seen: &super::look::Seen| {
            let (hub, outcome) = match &seen.at {
                At::Hub(hub) if seen.is_so => (Some(*hub), Outcome::IsSo),
                At::Hub(hub) => (Some(*hub), Outcome::ToDo),
                At::Nowhere if without_hub => (None, Outcome::ToDo),
                At::Nowhere => {
                    let what = if looked.hubs.len() > 1 { "none of " } else { "" };
                    let has = if looked.hubs.len() > 1 { "has" } else { "does not have" };
                    (None, Outcome::Failed(format!("{what}{} {has} such a device", looked.of)))
                }
                At::Several(hubs) => {
                    (None, Outcome::Failed(format!("{hubs} have it: choose one with --hub-name")))
                }
            };
            Self { id: seen.id.clone(), hub, outcome }
        };
        looked.devices.iter().map(task).collect()
    }
}

impl Work<'_> {
    /// Does it to all that is not so already, prints what became of each, and fails if any failed.
    pub(in crate::cli::cloud) fn carry_out(
        self,
        tasks: Vec<Task>,
        act: impl Fn(&str, Option<&Client>) -> anyhow::Result<Done> + Sync,
    ) -> anyhow::Result<()> {
        let stop = Stop::listen();
        let done = self.conduct.done.as_deref();
        let mut ledger = done.map(|path| Ledger::open(path, &self.verb.command)).transpose()?;
        let mut rows = Vec::with_capacity(tasks.len());
        let mut open = Vec::new();
        for Task { id, hub, mut outcome } in tasks {
            if matches!(outcome, Outcome::ToDo) && ledger.as_ref().is_some_and(|ledger| ledger.has(&id)) {
                outcome = Outcome::InLedger;
            }
            if matches!(outcome, Outcome::ToDo) {
                open.push((rows.len(), hub));
            }
            let hub = hub.and_then(|hub| self.hubs.get(hub)).map(|hub| hub.label.clone());
            rows.push(Row { id, hub, outcome });
        }
        let ended = if self.conduct.dry_run {
            Ok(())
        } else {
            self.all(&mut rows, &open, ledger.as_mut(), &act, &stop)
        };
        self.tell(&rows)?;
        ended?;
        let summary = self.verb.summary(&rows);
        if stop.is_asked() && rows.iter().any(|row| matches!(row.outcome, Outcome::NotTried)) {
            bail!("stopped: {summary}; the same command again does what is left");
        }
        if let Some(first) = first_failure(&rows) {
            bail!("{summary}; the same command again does what is left; the first failure is {first}");
        }
        if rows.is_empty() {
            tell!("no {} meets the condition: nothing was done", self.verb.thing);
        } else if self.conduct.dry_run {
            tell!("{summary}; nothing was changed");
        } else {
            tell!("{summary}");
        }
        Ok(())
    }

    fn tell(&self, rows: &[Row]) -> anyhow::Result<()> {
        let mut columns: Vec<Column<'_>> = match self.verb.member {
            "deviceId" => vec![("DeviceId", "/deviceId"), ("Hub", "/hub")],
            _ => vec![("EnrollmentId", "/enrollmentId")],
        };
        columns.push(("Outcome", "/outcome"));
        columns.extend(self.verb.columns);
        // Scripts count columns; people want room.
        if self.output.format() != OutputFormat::Table || first_failure(rows).is_some() {
            columns.push(("Error", "/error"));
        }
        let values: Vec<Value> = rows.iter().map(|row| self.verb.row(row)).collect();
        self.output.show(&Value::Array(values), &columns)
    }

    /// Threads take one after the other; this one writes down what became of them.
    fn all(
        &self,
        rows: &mut [Row],
        open: &[(usize, Option<usize>)],
        mut ledger: Option<&mut Ledger>,
        act: &(impl Fn(&str, Option<&Client>) -> anyhow::Result<Done> + Sync),
        stop: &Stop,
    ) -> anyhow::Result<()> {
        let threads = usize::from(self.conduct.at_once).min(open.len());
        let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let ids: Vec<String> =
            open.iter().filter_map(|(row, _)| rows.get(*row)).map(|row| row.id.clone()).collect();
        let (sender, results) = mpsc::sync_channel(threads);
        let mut trouble = Ok(());
        std::thread::scope(|scope| {
            for _ in 0..threads {
                let (sender, next, is_over, ids) = (sender.clone(), &next, &is_over, &ids);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let (Some((row, hub)), Some(id)) = (open.get(index), ids.get(index)) else { return };
                        let hub = hub.and_then(|hub| self.hubs.get(hub)).map(|hub| &hub.client);
                        if sender.send((*row, act(id, hub))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut progress = Progress::new(open.len());
            let (mut ended, mut failed, mut unanswered) = (0, 0, 0);
            loop {
                if stop.is_asked() && !is_over.swap(true, Ordering::Relaxed) {
                    self.services().for_each(Client::leave);
                    progress.say("stopping: what is under way is waited for; Ctrl-C again ends at once");
                }
                let (row, result) = match results.recv_timeout(Progress::frame()) {
                    Ok(news) => news,
                    Err(mpsc::RecvTimeoutError::Timeout) => {
                        progress.tell(ended, failed, self.is_waiting());
                        continue;
                    }
                    Err(mpsc::RecvTimeoutError::Disconnected) => break,
                };
                ended += 1;
                let Some(row) = rows.get_mut(row) else { continue };
                let is_silence =
                    result.as_ref().is_err_and(|error| error.downcast_ref::<ServiceError>().is_none());
                unanswered = if is_silence { unanswered + 1 } else { 0 };
                row.outcome = match result {
                    Ok(done) => {
                        if let (Some(ledger), Ok(())) = (ledger.as_deref_mut(), &trouble) {
                            trouble = ledger.add(&row.id);
                        }
                        match done {
                            Done::Changed(result) => Outcome::Done(result),
                            Done::IsSo => Outcome::IsSo,
                        }
                    }
                    Err(error) if stop.is_asked() && is_put_off(&error) => Outcome::NotTried,
                    Err(error) => {
                        failed += 1;
                        Outcome::Failed(log::told(&error))
                    }
                };
                if unanswered >= MOST_UNANSWERED.max(threads) || trouble.is_err() {
                    is_over.store(true, Ordering::Relaxed);
                }
                progress.tell(ended, failed, self.is_waiting());
            }
            progress.end();
        });
        for row in rows.iter_mut().filter(|row| matches!(row.outcome, Outcome::ToDo)) {
            row.outcome = Outcome::NotTried;
        }
        trouble
    }

    fn is_waiting(&self) -> bool {
        self.services().any(Client::is_waiting)
    }

    fn services(&self) -> impl Iterator<Item = &Client> {
        self.hubs.iter().map(|hub| &hub.client).chain(self.dps)
    }
}

/// The service has asked to call again later, and nothing was done.
fn is_put_off(error: &anyhow::Error) -> bool {
    error.downcast_ref::<ServiceError>().is_some_and(|refusal| refusal.status == 429)
}
