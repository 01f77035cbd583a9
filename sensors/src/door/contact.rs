//! The task that watches the door for as long as the agent lives.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout_at};

use super::{Change, ContactSettings, Debouncer, Door, DoorState, Edge, Line, LineError, LineSource};
use crate::backoff::Backoff;
use crate::health::{Health, Monitor, State};

/// Longer than any agent lives: a wait for an edge alone.
const FOR_EVER: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Watches one switch. Asks for its line again when it is lost, sleeps while nothing happens, and blocks for nothing.
pub struct DoorContact {
    source: Box<dyn LineSource>,
    settings: ContactSettings,
    state: watch::Sender<DoorState>,
    monitor: Monitor,
    look: Arc<Notify>,
    /// How the door stood when it was last known.
    known: Option<Door>,
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

    /// Whoever notifies this has the level read anew. Kernels before 6.6 do not wake who waits for an edge of a chip
    /// that is unplugged: it is noticed by this.
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
        let open = line.level()?;
        self.monitor.count(|counters| *counters.starts += 1);
        let now = self.now();
        let opened_meanwhile = open && self.known == Some(Door::Closed);
        self.set(open, opened_meanwhile.then_some(now));
        self.monitor.report(now, State::Ok, None);
        let debouncer = Debouncer::new(line.debounce(), open);
        Ok((line, debouncer))
    }

    /// Follows the line until it is lost; says why it was.
    async fn watch(&mut self, line: &mut dyn Line, debouncer: &mut Debouncer) -> LineError {
        loop {
            let settles =
                debouncer.deadline().map_or(Instant::now() + FOR_EVER, |at| self.settings.started + at);
            let asked = match timeout_at(settles, self.woken(line)).await {
                Ok(Woken::Edge(Ok(edge))) => {
                    self.take(edge, line, debouncer);
                    edge.lost > 0
                }
                Ok(Woken::Edge(Err(error))) => return error,
                Ok(Woken::Asked) => true,
                Err(_) => false,
            };
            let now = self.now();
            if asked {
                match line.level() {
                    Ok(open) if open != debouncer.level() => self.change(debouncer.edge(open, now)),
                    Ok(_) => {}
                    Err(error) => return error,
                }
            }
            self.change(debouncer.tick(now));
        }
    }

    fn woken<'a>(&'a self, line: &'a mut dyn Line) -> impl Future<Output = Woken> + 'a {
        let mut asked = Box::pin(self.look.notified());
        poll_fn(move |cx| match line.poll_edge(cx) {
            Poll::Ready(edge) => Poll::Ready(Woken::Edge(edge)),
            Poll::Pending => asked.as_mut().poll(cx).map(|()| Woken::Asked),
        })
    }

    fn take(&mut self, edge: Edge, line: &dyn Line, debouncer: &mut Debouncer) {
        let at = edge.at.saturating_duration_since(self.settings.started);
        let before = debouncer.settled();
        self.change(debouncer.edge(edge.open, at));
        if edge.lost > 0 {
            self.monitor.count(|counters| *counters.failures += 1);
            // Edges that have been debounced take turns, so among those that are lost, or between them and this one,
            // there was an opening. Others may all have been the bouncing of a change that is still to be counted.
            if line.debounce().is_zero() || edge.open == before {
                self.set(debouncer.settled(), Some(at));
            }
        }
    }

    fn change(&mut self, change: Option<Change>) {
        if let Some(Change { open, at }) = change {
            self.monitor.count(|counters| *counters.readings += 1);
            self.set(open, open.then_some(at));
        }
    }

    fn set(&mut self, open: bool, opened: Option<Duration>) {
        let door = Some(Door::of(open));
        self.known = door;
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
