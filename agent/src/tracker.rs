//! A whole tracker: sensors, recorder, journal, uplink, wired together.

use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, timeout};
use tracker_protocol::hub::TwinClient;
use tracker_sensors::gps::GpsState;

use crate::config::{Alerts, Config};
use crate::event::lines::Lines;
use crate::event::repeats::Repeats;
use crate::event::{Event, Events};
use crate::identity::Identity;
use crate::instruments::health::SensorHealth;
use crate::instruments::instrument::{Instrument, Start};
use crate::instruments::sampler::LONGEST_MEASUREMENT;
use crate::journal::{Journal, JournalOptions, JournalStats, waiting_room};
use crate::link::timing::Timing;
use crate::platform::background::Background;
use crate::platform::clock::Clock;
use crate::platform::state_directory::{Lock, LockError, StateDirectory};
use crate::recorder::{AlarmDesk, Recorder, Reports, Sources};
use crate::settings::{Defaults, InForce, TripTerms};
use crate::status::issued::Issued;
use crate::status::{Connection, State, Status};
use crate::supervision::Supervision;
use crate::trip::BY_ITSELF;
use crate::uplink::Uplink;
use crate::uplink::assignment::{Assignment, AssignmentFile};
use crate::uplink::diagnostics::Diagnostics;
use crate::uplink::notary::Notary;
use crate::uplink::renewal::{Renewal, Surroundings};
use crate::uplink::session::{Device, WaitingNews};
use crate::uplink::trips::Trips;
use crate::whereabouts::{Turns, Whereabouts};

/// Names of the essential tasks, as the log has them.
pub const RECORDER: &str = "the recorder";
/// See [`RECORDER`].
pub const UPLINK: &str = "the uplink";

/// A tracker that has not started yet.
pub struct Tracker {
    /// Its configuration.
    pub config: Config,
    /// What it measures with.
    pub instruments: Vec<Box<dyn Instrument>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where events go.
    pub events: Events,
    /// The first connection is made after a random part of this: where a fleet that is powered at the same moment would
    /// knock at the same moment.
    pub first_wait: Duration,
    /// How long it waits for what.
    pub timing: Timing,
}

impl Tracker {
    /// Runs until `shutdown` is ready, and gives the journal's counts at the end.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> anyhow::Result<JournalStats> {
        self.run_supervised(shutdown, Supervision::default()).await
    }

    /// As [`Tracker::run`], and tells `supervision` how it goes.
    pub async fn run_supervised(
        self,
        shutdown: impl Future<Output = ()>,
        supervision: Supervision,
    ) -> anyhow::Result<JournalStats> {
        let Self { config, mut instruments, clock, events, first_wait, timing } = self;
        let (started, first_wait) = (Instant::now(), first_wait.mul_f64(rand::random()));
        let (lines, events) = Lines::beside(events, clock.clone());
        let Opened { _lock, journal, settings, stored, assignment } =
            Opened::open(&config, &*clock, &events)?;
        tell_start(&config, &events);

        let (vitals, mut tasks) = (supervision.vitals.clone(), JoinSet::new());
        let start = Start { clock: clock.clone(), vitals: &vitals, tasks: &mut tasks };
        let sensors = start_instruments(&mut instruments, start, &events)?;
        let position = instruments.iter().find_map(|instrument| instrument.position());
        let trips = trips(&journal, &clock, &config, &settings);
        let whereabouts = whereabouts(&settings, &trips, position.clone(), &events);
        let (here, certificate) = (whereabouts.here(), config.identity.certificate.clone());
        let (first_root_end, connection) = (watch::Sender::new(None), unconnected(assignment.as_ref()));
        let sources = Sources {
            sensors: sensors.clone(),
            position: position.clone(),
            here: here.clone(),
            certificate: certificate.clone(),
            first_root_end: first_root_end.subscribe(),
            journal: journal.clone(),
        };
        let alarms = Arc::new(AlarmDesk::new(sources, clock.clone(), events.clone(), settings.alarms()));
        let recorder = Recorder {
            instruments,
            whereabouts,
            reports: Reports::new(*settings.pace().borrow()),
            pace: settings.pace(),
            journal: journal.clone(),
            clock: clock.clone(),
            alerts: config.telemetry.alerts.clone(),
            alarms: alarms.clone(),
            sighting: watch::Sender::default(),
            heart: vitals.watch(RECORDER, LONGEST_MEASUREMENT),
        };

        let status = Status {
            journal: journal.clone(),
            connection: connection.subscribe(),
            sensors,
            position,
            here,
            sighting: recorder.sighting.subscribe(),
            clock,
            active_alarms: alarms.active(),
            first_root_end: first_root_end.subscribe(),
            alarms,
        };
        let news = follow(&status, &mut tasks);
        let (pace, issued) = (settings.pace(), issued(&config));
        tasks.spawn(supervision.run(status.clone(), events.clone(), certificate, issued, pace));
        let (identity, background) = (watch::Sender::new(None), Background::default());
        let notary = notary(&config, &trips, &settings, identity.subscribe(), events.clone());
        let renewal = renewal(&config, &status, &news, &notary);
        // The journal knows by now whether there is to be a chain: no reading comes before.
        tasks.spawn(recorder.run());
        tasks.spawn(notary.run());
        let device = Device {
            diagnostics: Diagnostics::new(&config, lines),
            trips,
            identity,
            renewal,
            first_root_end,
            waiting: WaitingNews::new(started, timing.waiting_every),
            journal: journal.clone(),
            twin: TwinClient::new(),
            settings,
            status,
            news,
            events: events.clone(),
            repeats: Repeats::default(),
            started,
            heart: vitals.watch(UPLINK, timing.connect_within + timing.dps_answer_within),
            background: background.clone(),
        };
        let (stop_within, state_directory) = (timing.stop_within, config.state.directory.clone());
        let uplink = Uplink::new(config, timing, device, connection, stored, assignment, first_wait);
        let (stop, uplink) = spawned(uplink);
        let running = Running { tasks, journal, events, stop, uplink, background };
        running.until(shutdown, stop_within, &state_directory).await
    }
}

/// The uplink at work, and what stops it.
fn spawned(uplink: Uplink) -> (watch::Sender<bool>, JoinHandle<()>) {
    let (stop, stopped) = watch::channel(false);
    (stop, tokio::spawn(uplink.run(stopped)))
}

/// A tracker at work.
struct Running {
    tasks: JoinSet<()>,
    journal: Arc<Journal>,
    events: Events,
    stop: watch::Sender<bool>,
    uplink: JoinHandle<()>,
    background: Background,
}

impl Running {
    /// Works until then, and ends within `stop_within`.
    async fn until(
        mut self,
        shutdown: impl Future<Output = ()>,
        stop_within: Duration,
        state_directory: &Path,
    ) -> anyhow::Result<JournalStats> {
        let ended = tokio::select! {
            () = shutdown => Ok(()),
            Some(ended) = self.tasks.join_next() => Err(task_ended(ended)),
        };
        let Self { tasks, journal, events, stop, uplink, background } = self;
        let stopping = wind_up(tasks, &journal, stop, uplink, &background);
        // Whatever hangs now, the end does not wait for it.
        let stopped = timeout(stop_within, stopping).await;
        let stopped = stopped.unwrap_or_else(|_| Err(not_flushed(state_directory, stop_within)));
        let stats = tell_end(&journal, &events);
        ended.and(stopped).map(|()| stats)
    }
}

/// Where a device stands that has this assignment, before it does anything.
fn unconnected(assignment: Option<&Assignment>) -> watch::Sender<Connection> {
    let state = if assignment.is_some() { State::Connecting } else { State::Registering };
    watch::Sender::new(Connection { state, hub: None, taken_over: false })
}

/// Follows what the hub is told of unasked, and says when it has changed.
fn follow(status: &Status, tasks: &mut JoinSet<()>) -> Arc<Notify> {
    let news = Arc::new(Notify::new());
    tasks.spawn(status.clone().tell_changes(news.clone()));
    news
}

/// Stops what measures, then what sends, and has all written that there is.
async fn wind_up(
    mut tasks: JoinSet<()>,
    journal: &Journal,
    stop: watch::Sender<bool>,
    uplink: JoinHandle<()>,
    background: &Background,
) -> anyhow::Result<()> {
    tasks.shutdown().await;
    // What shares a commit with readings that will not come any more.
    journal.close().await;
    stop.send_replace(true);
    let uplinked = uplink.await.context("the uplink ended unexpectedly");
    journal.close().await;
    background.done().await;
    uplinked
}

fn tell_end(journal: &Journal, events: &Events) -> JournalStats {
    let stats = journal.stats();
    let JournalStats { backlog, in_memory: lost, .. } = stats;
    events.emit(Event::Stopped { backlog: backlog.saturating_sub(lost), lost });
    stats
}

/// What the direct methods about trips need.
fn trips(journal: &Arc<Journal>, clock: &Arc<dyn Clock>, config: &Config, settings: &InForce) -> Trips {
    let terms = TripTerms::new(settings, config);
    Trips { journal: journal.clone(), clock: clock.clone(), terms, signs: Arc::default() }
}

/// Who says in which fences the container is, and makes trips of that.
fn whereabouts(
    settings: &InForce,
    trips: &Trips,
    position: Option<watch::Receiver<GpsState>>,
    events: &Events,
) -> Whereabouts {
    let (terms, signs) = (trips.terms.clone(), trips.signs.clone());
    let turns = Turns { fences: settings.trip_fences(), terms, signs };
    Whereabouts::new(settings.fences(), turns, position, events.clone())
}

/// Who signs the chain of evidence. The journal is told before the first reading whether there is to be one.
fn notary(
    config: &Config,
    trips: &Trips,
    settings: &InForce,
    identity: watch::Receiver<Option<Identity>>,
    events: Events,
) -> Notary {
    if *settings.evidence().borrow() {
        // It has nothing to do yet, and takes it.
        trips.journal.set_evidence(Some(trips.terms.now(BY_ITSELF)));
    }
    Notary {
        journal: trips.journal.clone(),
        clock: trips.clock.clone(),
        evidence: settings.evidence(),
        terms: trips.terms.clone(),
        wanted: trips.signs.clone(),
        looks: watch::Sender::default(),
        identity,
        config: config.clone(),
        events,
    }
}

/// The certificates that Azure issues, where it is to.
fn renewal(config: &Config, status: &Status, news: &Arc<Notify>, notary: &Notary) -> Option<Renewal> {
    let around = Surroundings {
        clock: status.clock.clone(),
        journal: status.journal.clone(),
        events: notary.events.clone(),
        news: news.clone(),
        signing: notary.signing(),
    };
    Renewal::new(config, around)
}

/// What is shown of them.
fn issued(config: &Config) -> Option<Issued> {
    let operational = config.identity.operational.clone()?;
    Some(Issued::new(operational, &config.state.directory))
}

/// What lies in the state directory, opened.
struct Opened {
    _lock: Lock,
    journal: Arc<Journal>,
    settings: InForce,
    stored: AssignmentFile,
    assignment: Option<Assignment>,
}

impl Opened {
    /// Takes the directory, which is made if need be. A journal is a must; settings and assignment that can't be read are
    /// told of and done without.
    fn open(config: &Config, clock: &dyn Clock, events: &Events) -> anyhow::Result<Self> {
        let directory = config.state.directory.clone();
        std::fs::create_dir_all(&directory).with_context(|| {
            format!("can't make the state directory {} (state.directory)", directory.display())
        })?;
        let lock = lock(&directory, events)?;
        let options = JournalOptions {
            directory: directory.clone(),
            size_bound: u64::from(config.state.journal_size_mib) * 1024 * 1024,
            waiting_room: waiting_room(&directory),
            boot: clock.boot().into(),
        };
        let journal =
            Arc::new(Journal::open(options, events.clone()).context("the journal can't be started")?);
        let (settings, loaded) = InForce::load(
            &directory,
            Defaults {
                interval: config.telemetry.interval(),
                intervals: config.telemetry.intervals,
                last: config.telemetry.last_interval,
                delivery: config.delivery,
                alarms: config.alarms.clone(),
            },
        );
        if let Err(error) = loaded {
            let what = format!(
                "the stored settings can't be read ({error}); those of the configuration are in force"
            );
            events.emit(Event::Trouble(what));
        }
        let stored = AssignmentFile::new(&directory);
        let assignment = stored.read().unwrap_or_else(|error| {
            events.emit(Event::Trouble(format!(
                "the stored assignment can't be read ({error}); DPS will be asked"
            )));
            None
        });
        Ok(Self { _lock: lock, journal, settings, stored, assignment })
    }
}

fn tell_start(config: &Config, events: &Events) {
    events.emit(Event::Started { version: env!("CARGO_PKG_VERSION") });
    if config.telemetry.alerts != Alerts::default() {
        events.emit(Event::Note(Alerts::REPLACED.into()));
    }
}

/// Starts all of them, and has the log told of their health. Gives the names and healths.
fn start_instruments(
    instruments: &mut [Box<dyn Instrument>],
    mut start: Start<'_>,
    events: &Events,
) -> anyhow::Result<Vec<(&'static str, SensorHealth)>> {
    for instrument in &mut *instruments {
        instrument
            .start(&mut start)
            .with_context(|| format!("the instrument {} can't be started", instrument.name()))?;
    }
    let sensors: Vec<_> =
        instruments.iter().map(|instrument| (instrument.name(), instrument.health())).collect();
    for (name, health) in &sensors {
        start.tasks.spawn(tell_health(name, health.clone(), events.clone()));
    }
    Ok(sensors)
}

/// Takes the state directory for this agent alone. A disk that takes no lock is told of, and no reason to stop measuring.
pub fn lock(directory: &Path, events: &Events) -> Result<Lock, LockError> {
    let lock = StateDirectory::new(directory).lock()?;
    if let Lock::Unknown(why) = &lock {
        events.emit(Event::Trouble(why.clone()));
    }
    Ok(lock)
}

fn not_flushed(directory: &Path, within: Duration) -> anyhow::Error {
    anyhow::anyhow!(
        "the journal in {} was not flushed within {within:?}: its disk hangs or is very slow (dmesg may tell why); \
         readings of the last two seconds are lost if the machine is switched off before the next start",
        directory.display()
    )
}

fn task_ended(result: Result<(), JoinError>) -> anyhow::Error {
    match result {
        Ok(()) => anyhow::anyhow!("a task that should never end has ended"),
        Err(error) => anyhow::Error::new(error).context("a task ended unexpectedly"),
    }
}

async fn tell_health(name: &'static str, mut health: SensorHealth, events: Events) {
    loop {
        health.changed().await;
        events.emit(Event::Sensor { name, health: health.current() });
    }
}
