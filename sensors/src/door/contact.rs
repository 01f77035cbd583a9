//! The task that watches the door for as long as the agent lives.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracker_timers::{sleep, timeout_at};

use super::{Change, ContactSettings, Debouncer, Door, DoorState, Edge, Line, LineError, LineSource};
use crate::backoff::Backoff;
use crate::health::{Health, Monitor, State};

/// A line that never rests, which a loose wire may do, must not keep the agent from everything else: after so many edges
/// it has to wait. What the kernel drops meanwhile is noticed.
const MOST_AT_ONCE: usize = 256;
const PAUSE: Duration = Duration::from_millis(100);

/// Watches one switch. Asks for its line again when it is lost, sleeps while nothing happens, and blocks for nothing.
pub struct DoorContact {
    source: Box<dyn LineSource>,
    settings: ContactSettings,
    state: watch::Sender<DoorState>,
    monitor: Monitor,
    look: Arc<Notify>,
    /// How the door stood when it was last known.
    known: Option<Door>,
    /// When edges were lost among which an opening was, while it is not counted.
    owed: Option<Duration>,
}

/// What ends a wait.
enum Woken {
    Edge(Result<Edge, LineError>),
    Asked,
}

impl DoorContact {
    /// A switch that has not been looked at yet.
    pub fn new(source: impl LineSource + 'static, settings: ContactSettings) -> Self {
        Self {
            source: Box::new(source),
            settings,
            state: watch::Sender::new(DoorState::default()),
            monitor: Monitor::new(),
            look: Arc::default(),
            known: None,
            owed: None,
        }
    }

    /// The state, to be read or awaited.
    pub fn state(&self) -> watch::Receiver<DoorState> {
        self.state.subscribe()
    }

    /// The health, to be read or awaited. Its readings are changes of the door, its failures edges that were lost.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.monitor.watch()
    }

    /// Whoever notifies this has the level read anew: once a reading is enough. Some kernels, Linux 6.1 among them, do
    /// not wake who waits for an edge when the chip is unplugged; this finds it out.
    pub fn look(&self) -> Arc<Notify> {
        self.look.clone()
    }

    /// Watches for ever. Dropping the future stops it at once and lets the line go.
    pub async fn run(mut self) -> Infallible {
        let mut backoff = Backoff::new(self.settings.first_backoff, self.settings.longest_backoff);
        loop {
            let error = match self.begin() {
                Ok((mut line, mut debouncer)) => {
                    backoff.reset();
                    self.watch(&mut *line, &mut debouncer).await
                }
                Err(error) => error,
            };
            self.state.send_if_modified(|state| state.door.take().is_some());
            self.monitor.report(self.now(), State::Failed, Some(error.to_string()));
            sleep(backoff.wait()).await;
        }
    }

    /// Takes the line, and the level that it has.
    fn begin(&mut self) -> Result<(Box<dyn Line>, Debouncer), LineError> {
        let mut line = self.source.request()?;
        let level = line.level()?;
        self.monitor.count(|counters| *counters.starts += 1);
        // An edge that came since the line was taken may be in the level already: before it, it was the other one.
        let edge = unread(&mut *line)?;
        let open = edge.map_or(level, |edge| !edge.open);
        let now = self.now();
        let opened_meanwhile = open && self.known == Some(Door::Closed);
        self.set(open, opened_meanwhile.then_some(now));
        self.monitor.report(now, State::Ok, None);
        let mut debouncer = Debouncer::new(line.debounce(), open);
        if let Some(edge) = edge {
            self.take(edge, &mut debouncer);
        }
        Ok((line, debouncer))
    }

    /// Follows the line until it is lost; says why it was.
    async fn watch(&mut self, line: &mut dyn Line, debouncer: &mut Debouncer) -> LineError {
        loop {
            let woken = match debouncer.deadline() {
                Some(at) => timeout_at(self.settings.started + at, self.woken(line)).await.ok(),
                None => Some(self.woken(line).await),
            };
            match woken {
                Some(Woken::Edge(Err(error))) => return error,
                Some(Woken::Edge(Ok(edge))) => self.take(edge, debouncer),
                Some(Woken::Asked) | None => {}
            }
            match self.follow(line, debouncer) {
                Ok(true) => {}
                Ok(false) => sleep(PAUSE).await,
                Err(error) => return error,
            }
        }
    }

    fn woken<'a>(&'a self, line: &'a mut dyn Line) -> impl Future<Output = Woken> + 'a {
        let mut asked = Box::pin(self.look.notified());
        poll_fn(move |cx| match line.poll_edge(cx) {
            Poll::Ready(edge) => Poll::Ready(Woken::Edge(edge)),
            Poll::Pending => asked.as_mut().poll(cx).map(|()| Woken::Asked),
        })
    }

    /// Takes in all edges first, for a level has lasted until now only if none of them ended it; then the level itself.
    /// Says whether it came to an end.
    fn follow(&mut self, line: &mut dyn Line, debouncer: &mut Debouncer) -> Result<bool, LineError> {
        let mut edges = 0;
        while let Some(edge) = unread(line)? {
            self.take(edge, debouncer);
            edges += 1;
            if edges == MOST_AT_ONCE {
                return Ok(false);
            }
        }
        let level = line.level()?;
        let now = self.now();
        if level != debouncer.level() {
            self.change(debouncer.edge(level, now));
        }
        self.change(debouncer.tick(now));
        self.settle_debts(debouncer);
        Ok(true)
    }

    fn take(&mut self, edge: Edge, debouncer: &mut Debouncer) {
        let at = edge.at.saturating_duration_since(self.settings.started);
        if edge.lost == 0 {
            self.change(debouncer.edge(edge.open, at));
        } else {
            self.monitor.count(|counters| *counters.failures += 1);
            self.change(debouncer.edge_after_gap(edge.open, at));
            self.owed = Some(at);
        }
    }

    fn change(&mut self, change: Option<Change>) {
        if let Some(Change { open, at }) = change {
            self.monitor.count(|counters| *counters.readings += 1);
            self.set(open, open.then_some(at));
        }
    }

    /// Where the kernel has dropped edges, more of them than it keeps, there was an opening among them. It is counted as
    /// soon as the level has settled, unless that was an opening itself.
    fn settle_debts(&mut self, debouncer: &Debouncer) {
        if debouncer.deadline().is_none()
            && let Some(at) = self.owed.take()
        {
            self.set(debouncer.settled(), Some(at));
        }
    }

    fn set(&mut self, open: bool, opened: Option<Duration>) {
        let door = Some(Door::of(open));
        self.known = door;
        if opened.is_some() {
            self.owed = None;
        }
        self.state.send_if_modified(|state| {
            let new = DoorState {
                door,
                openings: state.openings + u64::from(opened.is_some()),
                last_opening: opened.or(state.last_opening),
            };
            std::mem::replace(state, new) != new
        });
    }

    fn now(&self) -> Duration {
        self.settings.started.elapsed()
    }
}

/// An edge that is there already.
fn unread(line: &mut dyn Line) -> Result<Option<Edge>, LineError> {
    match line.poll_edge(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(edge) => edge.map(Some),
        Poll::Pending => Ok(None),
    }
}
