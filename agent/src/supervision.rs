//! Watches over the running agent: tells systemd and the status file how it goes, and feeds the watchdog as long as
//! every essential task makes progress.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use tracker_timers::sleep_about;

use crate::config::Pace;
use crate::event::recent::Recent;
use crate::event::{Event, Events, Readings};
use crate::identity::Chain;
use crate::identity::certificate::Certificate;
use crate::platform::heartbeat::{Hung, Vitals};
use crate::platform::notify::Notify;
use crate::platform::timestamp::Timestamp;
use crate::platform::watched_file::WatchedFile;
use crate::status::file::StatusFile;
use crate::status::issued::Issued;
use crate::status::report::{CertificateReport, RootReport, StatusReport};
use crate::status::{State, Status};

/// How often it looks whether the first reading was taken.
const LOOK_FOR_READY: Duration = Duration::from_millis(100);
/// How often it looks afterwards, at the least.
const LOOK: Duration = Duration::from_secs(10);
/// For those who look the file is written anew, so much later at the earliest.
const LOOKS_EVERY: Duration = Duration::from_millis(300);

/// Who wants to know how the agent is.
#[derive(Debug, Clone, Default)]
pub struct Supervision {
    /// systemd.
    pub notify: Notify,
    /// The hearts of the essential tasks.
    pub vitals: Vitals,
    /// Readers of the status file, where one is written.
    pub readers: Option<Readers>,
    /// Who looks into its journal, in the same process.
    #[cfg(feature = "lab")]
    pub window: Window,
    /// Who looks on in this program.
    #[cfg(feature = "lab")]
    pub onlooker: Option<Onlooker>,
}

/// Through it the laboratory sees into the journal of a tracker as long as that runs.
#[cfg(feature = "lab")]
#[derive(Debug, Clone, Default)]
pub struct Window(Arc<std::sync::OnceLock<std::sync::Weak<crate::journal::Journal>>>);

#[cfg(feature = "lab")]
impl Window {
    fn open(&self, journal: &Arc<crate::journal::Journal>) {
        // A window is of one tracker, which runs once.
        let _ = self.0.set(Arc::downgrade(journal));
    }

    /// Readings that wait to be sent; `None` while no tracker runs.
    pub fn backlog(&self) -> Option<u64> {
        self.0.get()?.upgrade().map(|journal| journal.stats().backlog)
    }
}

/// Is given the status of a tracker that begins to work.
#[cfg(feature = "lab")]
#[derive(Clone)]
pub struct Onlooker(pub Arc<dyn Fn(Status) + Send + Sync>);

#[cfg(feature = "lab")]
impl std::fmt::Debug for Onlooker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Onlooker")
    }
}

/// Readers of the status file.
#[derive(Debug, Clone)]
pub struct Readers {
    /// Where they look.
    pub file: StatusFile,
    /// What they are told of the past.
    pub recent: Recent,
    /// What they are told of the way to the cloud, where it is not the usual one.
    pub transport: Option<String>,
}

impl Supervision {
    /// Supervises for ever.
    pub(crate) async fn run(
        self,
        status: Status,
        events: Events,
        certificate: PathBuf,
        issued: Option<Issued>,
        pace: watch::Receiver<Pace>,
    ) {
        #[cfg(feature = "lab")]
        if let Some(Onlooker(tell)) = &self.onlooker {
            tell(status.clone());
        }
        #[cfg(feature = "lab")]
        self.window.open(&status.journal);
        let state = status.connection.borrow().state;
        Supervisor {
            state,
            since: status.clock.monotonic(),
            leaf: Leaf::new(certificate),
            issued,
            told: Told::default(),
            looks: self.readers.as_ref().and_then(|_| looks()),
            supervision: self,
            status,
            events,
            pace,
        }
        .run()
        .await;
    }

    /// The watchdog is fed at least three times within its time.
    fn look(&self) -> Duration {
        self.notify.watchdog().map_or(LOOK, |within| (within / 3).min(LOOK))
    }
}

/// Supervision at work.
struct Supervisor {
    supervision: Supervision,
    status: Status,
    events: Events,
    pace: watch::Receiver<Pace>,
    looks: Option<Looks>,
    leaf: Leaf,
    issued: Option<Issued>,
    /// Where the device stands, and since when on the monotonic clock.
    state: State,
    since: Duration,
    told: Told,
}

/// What was told, so that only news is.
#[derive(Default)]
struct Told {
    ready: bool,
    words: String,
    hung: Vec<&'static str>,
    written: Option<Instant>,
    /// Since it was written, and not worth it by itself more often than so.
    news: Option<Duration>,
    had_backlog: bool,
    file_trouble: Arc<AtomicBool>,
}

/// What wakes the supervisor.
enum Wake {
    Time,
    News,
    Look,
}

impl Supervisor {
    async fn run(mut self) {
        let mut news = Wake::News;
        loop {
            let hung_before = self.told.hung.len();
            self.tell_systemd();
            let state = self.status.connection.borrow_and_update().state;
            // Online, readings come and go.
            let has_backlog = state != State::Online && self.status.journal.stats().backlog > 0;
            if self.state != state {
                (self.state, self.since) = (state, self.status.clock.monotonic());
                news = Wake::News;
            } else if self.told.hung.len() != hung_before || self.told.had_backlog != has_backlog {
                news = Wake::News;
            }
            self.told.had_backlog = has_backlog;
            let wait = self.tell_readers(&news);
            let look = if self.told.ready { self.supervision.look() } else { LOOK_FOR_READY };
            news = self.wake(look.min(wait)).await;
        }
    }

    /// Waits so long at the most, or until there is something to tell.
    async fn wake(&mut self, time: Duration) -> Wake {
        let Self { supervision, status, looks, .. } = self;
        tokio::select! {
            () = sleep_about(time) => Wake::Time,
            Ok(()) = status.connection.changed() => Wake::News,
            () = news(supervision.readers.as_ref()) => Wake::News,
            () = somebody_looks(looks.as_mut()) => Wake::Look,
        }
    }

    fn tell_systemd(&mut self) {
        let Self { supervision: Supervision { notify, vitals, .. }, status, events, told, .. } = self;
        let hung = vitals.hung();
        for news in hung.iter().filter(|hung| !told.hung.contains(&hung.task)) {
            events.emit(Event::Hung(*news));
        }
        if hung.is_empty() {
            notify.alive();
        }
        let words = words(status, &hung);
        if words != told.words && notify.status(&words) {
            told.words = words;
        }
        told.hung = hung.iter().map(|hung| hung.task).collect();
        // The first reading is in the journal, or in the memory that stands in for a disk that fails.
        if !told.ready && status.journal.stats().taken > 0 {
            told.ready = notify.ready();
        }
    }

    /// Writes the status file when there is news, or when it is time. Gives the time until there is again.
    fn tell_readers(&mut self, wake: &Wake) -> Duration {
        let Some(readers) = self.supervision.readers.clone() else { return Duration::MAX };
        let news = match wake {
            Wake::Time => None,
            Wake::News => Some(readers.file.news_every()),
            Wake::Look => Some(LOOKS_EVERY),
        };
        // The sooner one wins.
        self.told.news = self.told.news.into_iter().chain(news).min();
        let every = self.told.news.unwrap_or(readers.file.every());
        let age = self.told.written.map_or(Duration::MAX, |written| written.elapsed());
        if age < every {
            return every - age;
        }
        (self.told.written, self.told.news) = (Some(Instant::now()), None);
        let (events, trouble) = (self.events.clone(), self.told.file_trouble.clone());
        let every = readers.file.every();
        readers.file.write(self.report(&readers), move |written| {
            let had_trouble = trouble.swap(written.is_err(), Ordering::Relaxed);
            if let (Err(error), false) = (written, had_trouble) {
                events.emit(Event::Trouble(format!("the status file can't be written: {error}")));
            }
        });
        every
    }

    fn report(&mut self, readers: &Readers) -> StatusReport {
        let Status { clock, journal, .. } = &self.status;
        let uptime = clock.monotonic();
        let health = journal.health().borrow().clone();
        StatusReport {
            device: self.status.device(),
            pid: std::process::id(),
            boot: clock.boot().into(),
            written_at_uptime: uptime.as_secs_f64(),
            stale_after_seconds: (readers.file.every() * 3).as_secs(),
            state_directory: readers.file.state_directory().into(),
            ready: self.told.ready,
            in_state_seconds: uptime.saturating_sub(self.since).as_secs(),
            offline_cause: readers.recent.offline_cause(),
            transport: readers.transport.clone(),
            interval_seconds: Some(self.pace.borrow().longest().as_secs()),
            written_on_usr1: self.looks.is_some(),
            hung: self.told.hung.iter().map(|task| (*task).to_owned()).collect(),
            last_delivered: readers.recent.delivered(),
            certificate: self.leaf.report(clock.certificate_time()),
            first_root_end: self.status.first_root_end.borrow().as_ref().map(|root| RootReport {
                name: root.name.clone(),
                not_after: Some(Timestamp(root.not_after)),
                days_left: clock.certificate_time().map(|now| root.days_left(now)),
            }),
            issued: self.issued.as_mut().map(|issued| issued.report(clock.certificate_time())),
            journal_trouble: health.trouble,
            journal_set_aside: health.set_aside,
            troubles: readers.recent.troubles(),
            #[cfg(feature = "lab")]
            measurement: self.status.measurement(),
            #[cfg(feature = "lab")]
            sky: self.status.sky(),
        }
    }
}

async fn news(readers: Option<&Readers>) {
    match readers {
        Some(readers) => readers.recent.news().await,
        None => std::future::pending().await,
    }
}

/// The signal by which `container-tracker status` asks for a file that is current.
#[cfg(unix)]
type Looks = tokio::signal::unix::Signal;
#[cfg(not(unix))]
type Looks = std::convert::Infallible;

#[cfg(unix)]
fn looks() -> Option<Looks> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::user_defined1()).ok()
}

#[cfg(not(unix))]
fn looks() -> Option<Looks> {
    None
}

async fn somebody_looks(looks: Option<&mut Looks>) {
    #[cfg(unix)]
    if let Some(looks) = looks
        && looks.recv().await.is_some()
    {
        return;
    }
    #[cfg(not(unix))]
    let _ = looks;
    std::future::pending::<()>().await;
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
        backlog => format!(", {} to send", Readings(backlog)),
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
    /// With the end of the issuers in it.
    read: Option<(WatchedFile, Certificate, Option<DateTime<Utc>>)>,
}

impl Leaf {
    fn new(path: PathBuf) -> Self {
        Self { path, read: None }
    }

    fn report(&mut self, now: Option<DateTime<Utc>>) -> Option<CertificateReport> {
        if self.read.as_ref().is_none_or(|(file, ..)| file.has_changed()) {
            let file = WatchedFile::new(&self.path);
            self.read =
                Chain::read(&self.path).ok().map(|chain| (file, chain.leaf().clone(), chain.issuers_end()));
        }
        let (_, certificate, issuers_end) = self.read.as_ref()?;
        let issuers_end = issuers_end.filter(|end| *end < certificate.not_after);
        Some(CertificateReport {
            common_name: certificate.common_name.clone(),
            not_after: Some(Timestamp(certificate.not_after)),
            days_left: now.map(|now| (certificate.not_after - now).num_days()),
            issuer_days_left: now.zip(issuers_end).map(|(now, end)| (end - now).num_days()),
        })
    }
}
