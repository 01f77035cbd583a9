//! Whether every essential task makes progress. A task that hangs is worse than one that ends: nobody notices. So each
//! task beats again and again, even while it waits for something that may take a day; one that has been silent for longer
//! than its longest step can take is hung.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use tracker_timers::sleep_about;

/// How often hearts beat, and how long they may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// A task that waits beats so often.
    pub every: Duration,
    /// A task that has not beaten for so long, beside the time that its longest step may take, is hung.
    pub patience: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { every: Duration::from_secs(20), patience: Duration::from_mins(1) }
    }
}

/// The essential tasks of one agent, to be shared.
#[derive(Debug, Clone, Default)]
pub struct Vitals {
    pace: Pace,
    tasks: Arc<Mutex<Vec<Arc<Vital>>>>,
}

#[derive(Debug)]
struct Vital {
    task: &'static str,
    every: Duration,
    longest_silence: Duration,
    last: Mutex<Instant>,
    stopped: AtomicBool,
}

/// A task that makes no progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hung {
    /// Its name.
    pub task: &'static str,
    /// How long it has been silent.
    pub silent: Duration,
}

impl fmt::Display for Hung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has made no progress for {:.0} s", self.task, self.silent.as_secs_f64())
    }
}

impl Vitals {
    /// Tasks that beat at another pace.
    pub fn new(pace: Pace) -> Self {
        Self { pace, ..Self::default() }
    }

    /// Watches a task from now on, whose longest step takes `longest_step`.
    pub fn watch(&self, task: &'static str, longest_step: Duration) -> Heartbeat {
        let vital = Arc::new(Vital {
            task,
            every: self.pace.every,
            longest_silence: self.pace.patience + longest_step,
            last: Mutex::new(Instant::now()),
            stopped: AtomicBool::new(false),
        });
        self.tasks().push(vital.clone());
        Heartbeat(Some(vital))
    }

    /// Tasks that are silent for too long.
    pub fn hung(&self) -> Vec<Hung> {
        let silence = |vital: &Arc<Vital>| {
            let silent = vital.last().elapsed();
            (silent > vital.longest_silence).then_some(Hung { task: vital.task, silent })
        };
        self.tasks().iter().filter_map(silence).collect()
    }

    /// Makes a task hang at its next beat, for ever: to try what happens then.
    #[doc(hidden)]
    pub fn hang(&self, task: &str) {
        for vital in self.tasks().iter().filter(|vital| vital.task == task) {
            vital.stopped.store(true, Ordering::Relaxed);
        }
    }

    fn tasks(&self) -> MutexGuard<'_, Vec<Arc<Vital>>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vital {
    fn last(&self) -> MutexGuard<'_, Instant> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it goes on.
    fn beat(&self) -> bool {
        let goes_on = !self.stopped.load(Ordering::Relaxed);
        if goes_on {
            *self.last() = Instant::now();
        }
        goes_on
    }
}

/// The heart of one task. The default one is watched by nobody.
#[derive(Debug, Clone, Default)]
pub struct Heartbeat(Option<Arc<Vital>>);

impl Heartbeat {
    /// The task makes progress.
    pub async fn beat(&self) {
        if self.0.as_ref().is_some_and(|vital| !vital.beat()) {
            std::future::pending::<()>().await;
        }
    }

    /// How often a task should beat that has nothing else to do.
    pub fn every(&self) -> Duration {
        self.0.as_ref().map_or(Pace::default().every, |vital| vital.every)
    }

    /// Beats as long as `wait` takes: for what may take any time, and is no progress.
    pub async fn during<T>(&self, wait: impl Future<Output = T>) -> T {
        let mut wait = pin!(wait);
        loop {
            self.beat().await;
            tokio::select! {
                biased;
                done = &mut wait => return done,
                () = sleep_about(self.every()) => {}
            }
        }
    }

    /// Runs a task that wakes of itself again and again; it beats whenever it does.
    pub async fn follow<T>(self, task: impl Future<Output = T>) -> T {
        let mut task = pin!(task);
        std::future::poll_fn(|context| {
            let goes_on = self.0.as_ref().is_none_or(|vital| vital.beat());
            if goes_on { task.as_mut().poll(context) } else { Poll::Pending }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    fn vitals() -> Vitals {
        Vitals::new(Pace { every: Duration::from_secs(20), patience: Duration::from_mins(1) })
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_a_day_beats_and_who_stands_still_is_named() {
        let vitals = vitals();
        let (waiting, still) =
            (vitals.watch("waiting", Duration::ZERO), vitals.watch("still", Duration::ZERO));
        still.beat().await;
        waiting.during(sleep(Duration::from_hours(24))).await;
        let hung = vitals.hung();
        assert_eq!(hung.len(), 1, "{hung:?}");
        assert_eq!(hung[0].to_string(), "still has made no progress for 86400 s");
        still.beat().await;
        assert_eq!(vitals.hung(), []);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_step_is_allowed_for() {
        let vitals = vitals();
        vitals.watch("uplink", Duration::from_secs(100)).beat().await;
        sleep(Duration::from_secs(159)).await;
        assert_eq!(vitals.hung(), []);
        sleep(Duration::from_secs(2)).await;
        assert_eq!(vitals.hung().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_can_be_made_to_hang() {
        let vitals = vitals();
        let beats = async |heart: Heartbeat| {
            loop {
                heart.beat().await;
                sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::spawn(beats(vitals.watch("beats", Duration::ZERO)));
        let polls = vitals.watch("polls", Duration::ZERO);
        tokio::spawn(polls.follow(async {
            loop {
                sleep(Duration::from_secs(1)).await;
            }
        }));
        sleep(Duration::from_mins(5)).await;
        assert_eq!(vitals.hung(), []);
        vitals.hang("beats");
        vitals.hang("polls");
        sleep(Duration::from_secs(70)).await;
        assert_eq!(vitals.hung().iter().map(|hung| hung.task).collect::<Vec<_>>(), ["beats", "polls"]);
    }
}
