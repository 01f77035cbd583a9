//! A reed switch on a line of a chip, emulated with its bouncing.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tokio::time::{Instant, Sleep, sleep_until};

use super::SimulatedClock;
use crate::door::{Edge, Line, LineCause, LineError, LineSettings, LineSource};

/// What people call the line.
const NAME: &str = "emulated reed switch";
/// Edges at each turn, in µs after the first: the spring rests within 5 ms. An even number, so that the last edge goes
/// where the first went.
const BOUNCES_US: [u64; 6] = [400, 700, 1_500, 2_100, 3_800, 5_000];
/// Edges that an emulated kernel keeps until they are read.
const KEPT: usize = 128;

/// A handle on an emulated switch. Clones share the switch: one goes to the driver as its line, one stays with the test
/// or the simulation that moves the door.
#[derive(Clone)]
pub struct ReedSwitch(Arc<Shared>);

struct Shared {
    inner: Mutex<Inner>,
    moved: Arc<Notify>,
}

struct Inner {
    /// As the line was before the edges that have not been read.
    level: bool,
    /// Edges to come, and those that came and wait to be read.
    edges: VecDeque<Edge>,
    plan: Option<Plan>,
    bounces: bool,
    debounced: bool,
    trouble: Option<LineCause>,
}

/// Moves to come by themselves, when a clock says so that may change its speed.
struct Plan {
    clock: SimulatedClock,
    /// The hour of each, and whether it opens the door.
    moves: VecDeque<(f64, bool)>,
    /// The door is not moved again so soon after a move.
    rest: Duration,
    rests_until: Instant,
}

impl Plan {
    /// When the next move will be, if the speed stays as it is.
    fn next(&self) -> Option<Instant> {
        self.moves.front().map(|(hours, _)| self.clock.instant(*hours).max(self.rests_until))
    }
}

impl ReedSwitch {
    /// A switch at a door that stands so and is not moved by itself.
    pub fn new(open: bool) -> Self {
        Self(Arc::new(Shared {
            inner: Mutex::new(Inner {
                level: open,
                edges: VecDeque::new(),
                plan: None,
                bounces: true,
                debounced: false,
                trouble: None,
            }),
            moved: Arc::default(),
        }))
    }

    /// The door is opened or shut now.
    pub fn set_open(&self, open: bool) {
        self.move_at(Instant::now(), open);
    }

    /// The door will be opened or shut then, or when it has come to rest from the move before.
    pub fn move_at(&self, at: Instant, open: bool) {
        self.lock().turn(at, open);
        self.0.moved.notify_one();
    }

    /// The door will be opened and shut at these hours of a clock, however fast it will run; not again so soon after a move
    /// in real time.
    pub fn follow(&self, clock: &SimulatedClock, moves: impl Iterator<Item = (f64, bool)>, rest: Duration) {
        clock.tell(&self.0.moved);
        let rests_until = Instant::now();
        self.lock().plan = Some(Plan { clock: clock.clone(), moves: moves.collect(), rest, rests_until });
        self.0.moved.notify_one();
    }

    /// The door moved, and the chip did not tell.
    pub fn slip(&self, open: bool) {
        self.lock().level = open;
    }

    /// Whether the spring bounces; it does unless told otherwise.
    pub fn set_bouncing(&self, bounces: bool) {
        self.lock().bounces = bounces;
    }

    /// Whether the edges come debounced, as from most chips and kernels; they do not unless told otherwise. Does not
    /// stop the spring.
    pub fn set_debounced(&self, debounced: bool) {
        self.lock().debounced = debounced;
    }

    /// Takes the line away or refuses it, for this reason, or gives it back with `None`. The door can be moved meanwhile.
    pub fn set_trouble(&self, trouble: Option<LineCause>) {
        self.lock().trouble = trouble;
        self.0.moved.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn turn(&mut self, at: Instant, open: bool) {
        if self.edges.back().map_or(self.level, |edge| edge.open) == open {
            return;
        }
        let at = self.edges.back().map_or(at, |edge| edge.at.max(at));
        self.add(Edge { open, at, lost: 0 });
        if self.bounces {
            for (number, after_us) in BOUNCES_US.into_iter().enumerate() {
                let open = if number % 2 == 0 { !open } else { open };
                self.add(Edge { open, at: at + Duration::from_micros(after_us), lost: 0 });
            }
        }
    }

    /// Makes edges of the moves that were planned until now.
    fn catch_up(&mut self, now: Instant) {
        let Some(mut plan) = self.plan.take() else { return };
        while let Some(at) = plan.next().filter(|at| *at <= now) {
            if let Some((_, open)) = plan.moves.pop_front() {
                plan.rests_until = at + plan.rest;
                self.turn(at, open);
            }
        }
        self.plan = Some(plan);
    }

    /// When there will be something to look at.
    fn next_at(&self) -> Option<Instant> {
        let planned = self.plan.as_ref().and_then(Plan::next);
        let edge = self.edges.front().map(|edge| edge.at);
        edge.into_iter().chain(planned).min()
    }

    fn add(&mut self, edge: Edge) {
        self.edges.push_back(edge);
        let now = Instant::now();
        while self.edges.iter().filter(|edge| edge.at <= now).count() > KEPT {
            let lost = self.edges.pop_front().map_or(0, |edge| edge.lost + 1);
            if let Some(next) = self.edges.front_mut() {
                next.lost += lost;
            }
        }
    }

    fn check(&self) -> Result<(), LineError> {
        match &self.trouble {
            Some(cause) => Err(LineError { line: NAME.to_owned(), cause: cause.clone() }),
            None => Ok(()),
        }
    }

    /// The next edge, if its time has come.
    fn next(&mut self, now: Instant) -> Option<Edge> {
        self.catch_up(now);
        let edge = *self.edges.front().filter(|edge| edge.at <= now)?;
        self.edges.pop_front();
        self.level = edge.open;
        Some(edge)
    }
}

impl LineSource for ReedSwitch {
    fn request(&mut self) -> Result<Box<dyn Line>, LineError> {
        let mut inner = self.lock();
        inner.check()?;
        // What came while nobody watched was kept by nobody.
        while inner.next(Instant::now()).is_some() {}
        drop(inner);
        Ok(Box::new(EmulatedLine {
            switch: self.clone(),
            moved: Box::pin(self.0.moved.clone().notified_owned()),
            next: None,
        }))
    }
}

struct EmulatedLine {
    switch: ReedSwitch,
    moved: Pin<Box<OwnedNotified>>,
    next: Option<Pin<Box<Sleep>>>,
}

impl Line for EmulatedLine {
    fn level(&mut self) -> Result<bool, LineError> {
        let mut inner = self.switch.lock();
        inner.check()?;
        let now = Instant::now();
        inner.catch_up(now);
        Ok(inner.edges.iter().take_while(|edge| edge.at <= now).last().map_or(inner.level, |edge| edge.open))
    }

    fn poll_edge(&mut self, cx: &mut Context<'_>) -> Poll<Result<Edge, LineError>> {
        loop {
            let mut inner = self.switch.lock();
            inner.check()?;
            if let Some(edge) = inner.next(Instant::now()) {
                return Poll::Ready(Ok(edge));
            }
            self.next = inner.next_at().map(|at| Box::pin(sleep_until(at)));
            drop(inner);
            let moved = self.moved.as_mut().poll(cx).is_ready();
            if moved {
                self.moved.set(self.switch.0.moved.clone().notified_owned());
            }
            let is_time = self.next.as_mut().is_some_and(|next| next.as_mut().poll(cx).is_ready());
            if !moved && !is_time {
                return Poll::Pending;
            }
        }
    }

    fn debounce(&self) -> Duration {
        if self.switch.lock().debounced { Duration::ZERO } else { LineSettings::DEBOUNCE }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use chrono::DateTime;
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_door_that_follows_a_clock_moves_when_the_clock_says_so_however_fast_it_runs() {
        let clock = SimulatedClock::new(DateTime::UNIX_EPOCH, 1.0);
        let mut door = ReedSwitch::new(false);
        door.set_bouncing(false);
        door.follow(
            &clock,
            [(10.0, true), (20.0, false), (20.01, true)].into_iter(),
            Duration::from_millis(110),
        );
        let mut line = door.request().unwrap();
        let begun = Instant::now();
        let seconds = |edge: Edge| ((edge.at - begun).as_secs_f64(), edge.open);
        advance(Duration::from_secs(8)).await;
        // Two hours are left, which pass in 4 s now.
        clock.set_speed(0.5);
        let edge = poll_fn(|cx| line.poll_edge(cx)).await.unwrap();
        assert_eq!(seconds(edge), (12.0, true));
        let changed = clock.clone();
        let faster = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            changed.set_paused(true);
            tokio::time::sleep(Duration::from_secs(100)).await;
            changed.set_speed(9.0);
            changed.set_paused(false);
        });
        let edge = poll_fn(|cx| line.poll_edge(cx)).await.unwrap();
        assert_eq!(seconds(edge), (115.0, false));
        faster.await.unwrap();
        let edge = poll_fn(|cx| line.poll_edge(cx)).await.unwrap();
        assert_eq!(seconds(edge), (115.11, true), "it rests in between");
        assert!(line.level().unwrap());
    }
}
