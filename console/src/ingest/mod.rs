//! What comes out of a backend, into the fleet and the history; and the handle by which the rest of the console asks for both.
//!
//! Four tasks: one reads what comes, one asks for identities and twins, one writes the history every ten seconds, one tells those
//! who wait that something has changed. Without anybody who waits, nothing is computed for them. Memory is bounded: the backend's
//! channel, what waits for the history, what the fleet remembers.

mod intake;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout_at};

use crate::backend::Backend;
use crate::fleet::Fleet;
use crate::history::History;
use crate::lock::lock;
use crate::model::{Delta, Identity, Incoming, Places, Row, StoryEntry};

/// How often identities are asked for, without a reason.
const LOOK: Duration = Duration::from_secs(15);
/// How soon with one: several reasons at once are one.
const LOOK_SOON: Duration = Duration::from_millis(250);
/// How often the history is written.
const WRITE: Duration = Duration::from_secs(10);
/// So many readings that wait are written sooner.
const MANY: usize = 20_000;
/// How often those who wait are told.
const TELL: Duration = Duration::from_millis(400);
/// Twins that are asked for one after the other, before anything else is done.
const TWINS_AT_ONCE: usize = 200;

/// The fleet and its history, kept up to date. Clones are the same.
#[derive(Clone)]
pub struct Ingest(Arc<Shared>);

struct Shared {
    backend: Arc<dyn Backend>,
    history: History,
    fleet: Mutex<Fleet>,
    identities: Mutex<HashMap<String, Identity>>,
    /// Devices whose twins have changed.
    twins: Mutex<BTreeSet<String>>,
    version: watch::Sender<u64>,
    lost: AtomicU64,
    unreadable: AtomicU64,
    look: Notify,
    wants_identities: AtomicBool,
    write: Notify,
    /// What is wrong with the history, as of its last writing.
    trouble: Mutex<Option<String>>,
    stop: watch::Sender<bool>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

impl Ingest {
    /// Begins to read the backend, on this runtime. The fleet is at first as the history has it. What the history had to say when it
    /// was opened is left to whoever asks it; what it says later goes into the log.
    pub fn start(backend: Arc<dyn Backend>, history: History) -> Self {
        // Another one at each start, and small enough to be exact in a page.
        let mut fleet = Fleet::new(u64::from(rand::random::<u32>()) << 20);
        for (id, state) in history.states() {
            match serde_json::from_str(&state) {
                Ok(device) => fleet.restore(id, device),
                Err(error) => {
                    tracing::debug!("the history has no state of \"{id}\" that can be read: {error}");
                }
            }
        }
        let version = fleet.version(backend.session().time.now);
        let ingest = Self(Arc::new(Shared {
            backend,
            history,
            fleet: Mutex::new(fleet),
            identities: Mutex::default(),
            twins: Mutex::default(),
            version: watch::Sender::new(version),
            lost: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            look: Notify::new(),
            wants_identities: AtomicBool::new(false),
            write: Notify::new(),
            trouble: Mutex::default(),
            stop: watch::Sender::new(false),
            tasks: Mutex::default(),
        }));
        let incoming = ingest.0.backend.clone().subscribe();
        let tasks = [
            tokio::spawn(ingest.clone().read(incoming)),
            tokio::spawn(ingest.clone().look()),
            tokio::spawn(ingest.clone().write()),
            tokio::spawn(ingest.clone().tell_changes()),
        ];
        lock(&ingest.0.tasks).extend(tasks);
        ingest
    }

    /// What was.
    pub fn history(&self) -> &History {
        &self.0.history
    }

    /// All containers, and the version of that.
    pub fn fleet(&self) -> (u64, crate::model::Fleet) {
        let time = self.now();
        let (version, devices) = lock(&self.0.fleet).rows(time);
        (version, crate::model::Fleet { time, devices })
    }

    /// What has changed since a version, and the version after it; `None` where that is too long ago, or of another life.
    pub fn delta(&self, since: u64) -> Option<(u64, Delta)> {
        lock(&self.0.fleet).delta(since, self.now())
    }

    /// The version, for who waits for the next.
    pub fn version(&self) -> watch::Receiver<u64> {
        let receiver = self.0.version.subscribe();
        self.tell_version();
        receiver
    }

    /// One container.
    pub fn row(&self, id: &str) -> Option<Row> {
        lock(&self.0.fleet).row(id, self.now())
    }

    /// The fences that devices know.
    pub fn places(&self) -> Places {
        Places { fences: lock(&self.0.fleet).fences() }
    }

    /// The identity of a device at its hub, as it was some seconds ago.
    pub fn identity(&self, id: &str) -> Option<Identity> {
        lock(&self.0.identities).get(id).cloned()
    }

    /// Somebody has taken note of an alarm, and the device has said yes.
    pub fn acknowledged(&self, id: &str, alarm: &str, by: &str) {
        lock(&self.0.fleet).acknowledged(id, alarm, by);
    }

    /// Something was done here.
    pub fn tell(&self, entry: StoryEntry) {
        let entry = lock(&self.0.fleet).tell(entry);
        self.0.history.tell(entry);
    }

    /// Something was done that changes identities or twins: they are asked for soon.
    pub fn look_again(&self) {
        self.0.wants_identities.store(true, Ordering::Relaxed);
        self.0.look.notify_one();
    }

    /// Messages and events that were missed so far.
    pub fn lag(&self) -> u64 {
        self.0.lost.load(Ordering::Relaxed)
    }

    /// Messages so far that were nothing that can be read.
    pub fn unreadable(&self) -> u64 {
        self.0.unreadable.load(Ordering::Relaxed)
    }

    /// Ends the tasks, and writes what is left.
    pub async fn stop(&self) {
        self.0.stop.send_replace(true);
        let tasks = std::mem::take(&mut *lock(&self.0.tasks));
        for task in tasks {
            // One that has panicked has ended, too.
            let _ = task.await;
        }
        self.flush().await;
    }

    fn now(&self) -> DateTime<Utc> {
        self.0.backend.session().time.now
    }

    async fn is_stopped(&self) {
        let mut stop = self.0.stop.subscribe();
        // The sender lives as long as this does.
        let _ = stop.wait_for(|stop| *stop).await;
    }

    async fn read(self, mut incoming: mpsc::Receiver<Incoming>) {
        loop {
            let next = tokio::select! {
                biased;
                next = incoming.recv() => next,
                () = self.is_stopped() => None,
            };
            let Some(next) = next else { return };
            self.take(next);
            // Who sends faster than a disk takes it waits, and tells of what it could not keep.
            if self.0.history.waits() > 2 * MANY {
                self.flush().await;
            }
        }
    }

    fn take(&self, incoming: Incoming) {
        let Shared { fleet, history, .. } = &*self.0;
        match incoming {
            Incoming::Messages(messages) => {
                let unreadable = intake::messages(&messages, fleet, history);
                self.0.unreadable.fetch_add(unreadable, Ordering::Relaxed);
                if history.waits() > MANY {
                    self.0.write.notify_one();
                }
            }
            Incoming::Events(events) => {
                let changed = intake::events(&events, fleet, history);
                if !changed.is_empty() {
                    lock(&self.0.twins).extend(changed);
                    self.0.look.notify_one();
                }
            }
            Incoming::Faults(faults) => lock(fleet).faults(faults),
            Incoming::Backlogs(backlogs) => lock(fleet).backlogs(&backlogs),
            Incoming::Lost(count) => {
                self.0.lost.fetch_add(count, Ordering::Relaxed);
                tracing::debug!("{count} messages or events were missed");
                self.look_again();
            }
            Incoming::Away(why) => tracing::debug!("the backend can't be reached: {why}"),
            Incoming::Back => self.look_again(),
        }
    }

    /// Asks for identities and twins, now and then and where there is a reason.
    async fn look(self) {
        let mut next = Instant::now();
        loop {
            let wakes = timeout_at(next, self.0.look.notified());
            let is_asked = tokio::select! {
                woken = wakes => woken.is_ok(),
                () = self.is_stopped() => return,
            };
            if is_asked {
                sleep(LOOK_SOON).await;
            }
            let mut twins = std::mem::take(&mut *lock(&self.0.twins));
            let is_wanted = self.0.wants_identities.swap(false, Ordering::Relaxed);
            // Few twins are asked for one by one, many with the identities, where the backend has them there.
            if is_wanted || twins.len() > TWINS_AT_ONCE || Instant::now() >= next {
                self.look_at_identities(&mut twins).await;
                next = Instant::now() + LOOK;
            }
            self.look_at_twins(twins).await;
        }
    }

    /// Takes those from `twins` whose twins came along, and adds those of which none is known yet.
    async fn look_at_identities(&self, twins: &mut BTreeSet<String>) {
        let mut identities = match self.0.backend.devices().await {
            Ok(identities) => identities,
            Err(error) => return tracing::debug!("identities can't be read: {error}"),
        };
        lock(&self.0.fleet).identities(&identities);
        let mut known = lock(&self.0.identities);
        for identity in &mut identities {
            // Twins are large, and were read.
            if identity.twin.take().is_some() {
                twins.remove(&identity.id);
            } else if !known.contains_key(&identity.id) {
                twins.insert(identity.id.clone());
            }
        }
        *known = identities.into_iter().map(|identity| (identity.id.clone(), identity)).collect();
    }

    /// Asks for some twins; the others are next.
    async fn look_at_twins(&self, twins: BTreeSet<String>) {
        let mut twins = twins.into_iter();
        for id in twins.by_ref().take(TWINS_AT_ONCE) {
            match self.0.backend.twin(&id).await {
                Ok(twin) => lock(&self.0.fleet).twin(&id, &twin),
                Err(error) => tracing::debug!("the twin of \"{id}\" can't be read: {error}"),
            }
        }
        if twins.len() > 0 {
            lock(&self.0.twins).extend(twins);
            self.0.look.notify_one();
        }
    }

    async fn write(self) {
        loop {
            tokio::select! {
                () = sleep(WRITE) => {}
                () = self.0.write.notified() => {}
                () = self.is_stopped() => return,
            }
            self.flush().await;
        }
    }

    async fn flush(&self) {
        let now = self.now();
        // What goes with the process is not restored from.
        let states = if self.0.history.is_kept() { lock(&self.0.fleet).unsaved() } else { Vec::new() };
        let history = self.0.history.clone();
        // A panic in there has been told by its hook.
        let written = spawn_blocking(move || {
            history.flush(&states, now);
            history.trouble()
        });
        if let Ok(trouble) = written.await {
            *lock(&self.0.trouble) = trouble;
        }
        self.say_notices();
    }

    /// What is wrong with the history, in a sentence, if anything is.
    pub fn history_trouble(&self) -> Option<String> {
        lock(&self.0.trouble).clone()
    }

    fn say_notices(&self) {
        for notice in self.0.history.notices() {
            tracing::warn!("{notice}");
        }
    }

    async fn tell_changes(self) {
        let mut ticks = interval(TELL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.is_stopped() => return,
            }
            if self.0.version.receiver_count() > 0 {
                self.tell_version();
            }
        }
    }

    fn tell_version(&self) {
        let version = lock(&self.0.fleet).version(self.now());
        self.0.version.send_if_modified(|told| std::mem::replace(told, version) != version);
    }
}

#[cfg(test)]
mod tests;
