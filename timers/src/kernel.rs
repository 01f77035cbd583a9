//! All waits of the process on one timer of the kernel.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::yield_now;

static TIMERS: OnceLock<Arc<Timers>> = OnceLock::new();

#[derive(Debug)]
struct Timers {
    timer: AsyncFd<File>,
    waits: Mutex<Waits>,
}

/// A dozen: they are looked through.
#[derive(Debug, Default)]
struct Waits {
    all: Vec<Wait>,
    last_id: u64,
    /// When the timer rings. It is not set anew for a wait that is given up: it rings once for nothing then, where a
    /// deadline that moves with every message would set it with every message.
    rings: Option<Instant>,
    /// It has rung, and will be set when those who were woken have said how long they wait next.
    rung: bool,
}

#[derive(Debug)]
struct Wait {
    id: u64,
    deadline: Instant,
    /// No later than this.
    latest: Instant,
    waker: Waker,
}

pub(super) fn start() -> io::Result<()> {
    let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
    let timers = Arc::new(Timers { timer: woken_by(timer.into())?, waits: Mutex::default() });
    if TIMERS.set(timers.clone()).is_ok() {
        tokio::spawn(async move { timers.run().await });
    }
    Ok(())
}

#[expect(unsafe_code, reason = "tokio has no safe way to it any more")]
fn woken_by(timer: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: a `File` has the same descriptor from its opening to its end, and gives it to nobody else. The `AsyncFd`
    // owns it and lends it out unchangeable.
    Ok(unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?)
}

impl Timers {
    async fn run(&self) {
        // What rang is not read: setting the timer forgets it.
        while let Ok(mut rung) = self.timer.readable().await {
            rung.clear_ready();
            self.due(Instant::now()).into_iter().for_each(Waker::wake);
            yield_now().await;
            self.set_for_next();
        }
    }

    /// Takes out what is due.
    fn due(&self, now: Instant) -> Vec<Waker> {
        let mut waits = self.waits();
        waits.rung = true;
        waits.all.extract_if(.., |wait| wait.deadline <= now).map(|wait| wait.waker).collect()
    }

    fn set_for_next(&self) {
        let mut waits = self.waits();
        waits.rung = false;
        waits.rings = waits.all.iter().map(|wait| wait.latest).min();
        if let Some(next) = waits.rings {
            self.set(next);
        }
    }

    /// Has the timer ring then.
    fn set(&self, then: Instant) {
        // Zero would stop it.
        let left = then.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let it_value = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        };
        let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
        // It is a timer, and the time is one: there is nothing that could fail.
        let _ =
            timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval, it_value });
    }

    fn waits(&self) -> MutexGuard<'_, Waits> {
        self.waits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug)]
pub(super) struct Sleep {
    timers: &'static Timers,
    deadline: Instant,
    slack: Duration,
    /// Its place among those that wait.
    id: Option<u64>,
}

impl Sleep {
    /// `None` where nobody has asked for the kernel's timer.
    pub(super) fn new(deadline: Instant, slack: Duration) -> Option<Self> {
        Some(Self { timers: TIMERS.get()?, deadline, slack, id: None })
    }

    pub(super) fn reset(&mut self, deadline: Instant) {
        self.give_up();
        self.deadline = deadline;
    }

    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        if self.deadline <= Instant::now() {
            self.give_up();
            return Poll::Ready(());
        }
        let mut waits = self.timers.waits();
        let found = waits.all.iter_mut().find(|wait| Some(wait.id) == self.id);
        if let Some(wait) = found {
            wait.waker.clone_from(context.waker());
            return Poll::Pending;
        }
        waits.last_id += 1;
        let (id, latest) = (waits.last_id, self.deadline + self.slack);
        self.id = Some(id);
        waits.all.push(Wait { id, deadline: self.deadline, latest, waker: context.waker().clone() });
        if !waits.rung && waits.rings.is_none_or(|rings| latest < rings) {
            waits.rings = Some(latest);
            self.timers.set(latest);
        }
        Poll::Pending
    }

    fn give_up(&mut self) {
        if let Some(id) = self.id.take() {
            self.timers.waits().all.retain(|wait| wait.id != id);
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.give_up();
    }
}
