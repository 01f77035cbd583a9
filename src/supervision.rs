//! Watches over the running agent: tells systemd and the status file how it goes, and feeds the watchdog as long as
//! every essential task makes progress.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::event::recent::Recent;
use crate::event::{Event, Events};
use crate::identity::certificate::Certificate;
use crate::platform::clock::rfc3339;
use crate::platform::heartbeat::{Hung, Vitals};
use crate::platform::notify::Notify;
use crate::status::file::{StatusFile, absolute};
use crate::status::{State, Status};

/// How often it looks whether the first reading was taken.
const LOOK_FOR_READY: Duration = Duration::from_millis(100);
/// How often it looks afterwards, at the least.
const LOOK: Duration = Duration::from_secs(10);

/// Who wants to know how the agent is.
#[derive(Debug, Clone, Default)]
pub struct Supervision {
    /// systemd.
    pub notify: Notify,
    /// The hearts of the essential tasks.
    pub vitals: Vitals,
    /// The status file, and what it tells of the past; it also names the state directory.
    pub file: Option<(StatusFile, Recent, PathBuf)>,
}

/// What was told, so that only news is.
#[derive(Default)]
struct Told {
    ready: bool,
    words: String,
    hung: Vec<&'static str>,
    written: Option<Instant>,
    file_trouble: bool,
}

impl Supervision {
    /// Supervises for ever.
    pub(crate) async fn run(self, mut status: Status, events: Events, certificate: PathBuf) {
        let mut told = Told::default();
        let mut since = (status.connection.borrow().state, status.clock.monotonic());
        let mut leaf = Leaf::new(certificate);
        loop {
            let hung_before = told.hung.len();
            self.tell_systemd(&status, &events, &mut told);
            let state = status.connection.borrow_and_update().state;
            let news = since.0 != state || told.hung.len() != hung_before;
            if since.0 != state {
                since = (state, status.clock.monotonic());
            }
            self.write_file(&status, &events, &mut told, news, since.1, &mut leaf);
            let look = if told.ready { self.look() } else { LOOK_FOR_READY };
            tokio::select! {
                () = sleep(look) => {}
                Ok(()) = status.connection.changed() => {}
            }
        }
    }

    /// The watchdog is fed at least three times within its time.
    fn look(&self) -> Duration {
        self.notify.watchdog().map_or(LOOK, |within| (within / 3).min(LOOK))
    }

    fn tell_systemd(&self, status: &Status, events: &Events, told: &mut Told) {
        let hung = self.vitals.hung();
        for news in hung.iter().filter(|hung| !told.hung.contains(&hung.task)) {
            events.emit(Event::Hung(*news));
        }
        if hung.is_empty() {
            self.notify.alive();
        }
        let words = words(status, &hung);
        if words != told.words && self.notify.status(&words) {
            told.words = words;
        }
        told.hung = hung.iter().map(|hung| hung.task).collect();
        // The first reading is in the journal, or in the memory that stands in for a disk that fails.
        if !told.ready && status.journal.stats().taken > 0 {
            told.ready = self.notify.ready();
        }
    }

    fn write_file(
        &self,
        status: &Status,
        events: &Events,
        told: &mut Told,
        news: bool,
        since: Duration,
        leaf: &mut Leaf,
    ) {
        let Some((file, recent, state_directory)) = &self.file else { return };
        if !news && told.written.is_some_and(|written| written.elapsed() < file.every()) {
            return;
        }
        told.written = Some(Instant::now());
        let mut value = status.to_value();
        let uptime = status.clock.monotonic();
        let health = status.journal.health().borrow().clone();
        let more = json!({
            "pid": std::process::id(),
            "boot": status.clock.boot(),
            "writtenAtUptime": uptime.as_secs_f64(),
            // A reader that finds it older than this knows that nobody keeps it current.
            "staleAfterSeconds": (file.every() * 3).as_secs(),
            "stateDirectory": absolute(state_directory),
            "ready": told.ready,
            "inStateSeconds": uptime.saturating_sub(since).as_secs(),
            "hung": told.hung,
            "lastDelivered": recent.delivered(),
            "certificate": leaf.value(status.clock.certificate_time()),
            "journalTrouble": health.trouble,
            "journalSetAside": health.set_aside,
            "troubles": recent.troubles(),
        });
        if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
            value.extend(more);
        }
        let written = file.write(&value);
        if let Err(error) = &written
            && !told.file_trouble
        {
            events.emit(Event::Trouble(format!("the status file can't be written: {error}")));
        }
        told.file_trouble = written.is_err();
    }
}

/// The state in words, as `systemctl status` shows it.
fn words(status: &Status, hung: &[Hung]) -> String {
    if let Some(hung) = hung.first() {
        return format!("hung: {} makes no progress", hung.task);
    }
    let connection = status.connection.borrow();
    let hub = connection.hub.as_deref().unwrap_or("the hub");
    let backlog = match status.journal.stats().backlog {
        0 => String::new(),
        backlog => format!(", {backlog} readings to send"),
    };
    match connection.state {
        _ if connection.taken_over => format!("another client uses this device's identity{backlog}"),
        State::Registering => format!("asking DPS for a hub{backlog}"),
        State::Connecting => format!("connecting to {hub}{backlog}"),
        State::Online => format!("online at {hub}{backlog}"),
        State::Refused => format!("refused by DPS, asks again later{backlog}"),
    }
}

/// The leaf certificate, read again when its file is another one.
struct Leaf {
    path: PathBuf,
    modified: Option<SystemTime>,
    certificate: Option<Certificate>,
}

impl Leaf {
    fn new(path: PathBuf) -> Self {
        Self { path, modified: None, certificate: None }
    }

    fn value(&mut self, now: Option<DateTime<Utc>>) -> Value {
        let modified = fs::metadata(&self.path).and_then(|metadata| metadata.modified()).ok();
        if self.certificate.is_none() || modified != self.modified {
            self.modified = modified;
            self.certificate = read_leaf(&self.path);
        }
        let Some(certificate) = &self.certificate else { return Value::Null };
        json!({
            "commonName": certificate.common_name,
            "notAfter": rfc3339(certificate.not_after),
            "daysLeft": now.map(|now| (certificate.not_after - now).num_days()),
        })
    }
}

fn read_leaf(path: &Path) -> Option<Certificate> {
    let bytes = fs::read(path).ok()?;
    let der = rustls_pemfile::certs(&mut bytes.as_slice()).next()?.ok()?;
    Certificate::parse(&der).ok()
}
