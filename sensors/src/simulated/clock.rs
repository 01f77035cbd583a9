//! Simulated time: the real clock, sped up, slowed down, or stopped, and the same for all that share it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

/// Longer than any simulation runs.
const LONGEST_S: f64 = 100.0 * 365.0 * 86_400.0;

/// The time that chip, receiver and voyage of one container share. Clones are the same clock; how fast it runs can be
/// changed while it does: it never jumps, and never goes back.
#[derive(Debug, Clone)]
pub struct SimulatedClock {
    start: DateTime<Utc>,
    /// What the pace had counted at the start.
    origin: f64,
    pace: Arc<Pace>,
}

/// How fast time passes, for all clocks that share it.
#[derive(Debug)]
struct Pace {
    stretch: Mutex<Stretch>,
    /// Those who have reckoned with an instant that is another one now.
    followers: Mutex<Vec<Weak<Notify>>>,
    is_paused: watch::Sender<bool>,
}

/// A time of one speed.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    begun: Instant,
    /// Simulated hours at its beginning.
    hours: f64,
    hours_per_second: f64,
    is_paused: bool,
}

impl Stretch {
    fn rate(&self) -> f64 {
        if self.is_paused { 0.0 } else { self.hours_per_second }
    }

    fn hours(&self) -> f64 {
        self.hours + self.begun.elapsed().as_secs_f64() * self.rate()
    }

    /// The real moment of an hour: in the past of this stretch as if it had always been.
    fn instant(&self, hours: f64) -> Instant {
        let seconds = (hours - self.hours) / self.rate();
        if seconds < 0.0 {
            let before = Duration::from_secs_f64((-seconds).min(LONGEST_S));
            return self.begun.checked_sub(before).unwrap_or(self.begun);
        }
        // In a pause the hour that is reached is there, and a later one never.
        let seconds = if seconds.is_nan() { 0.0 } else { seconds.min(LONGEST_S) };
        self.begun + Duration::from_secs_f64(seconds)
    }
}

impl SimulatedClock {
    /// Real time: one simulated second a second.
    pub const REAL_TIME: f64 = 1.0 / 3600.0;

    /// A clock that shows `start` now and runs `hours_per_second` simulated hours in a real second.
    pub fn new(start: DateTime<Utc>, hours_per_second: f64) -> Self {
        let stretch = Stretch { begun: Instant::now(), hours: 0.0, hours_per_second, is_paused: false };
        let pace = Pace {
            stretch: Mutex::new(stretch),
            followers: Mutex::default(),
            is_paused: watch::Sender::new(false),
        };
        Self { start, origin: 0.0, pace: Arc::new(pace) }
    }

    /// A clock of the same time and pace whose hours begin now.
    #[must_use]
    pub fn beginning_now(&self) -> Self {
        let hours = self.stretch().hours();
        Self { start: self.at(hours - self.origin), origin: hours, pace: self.pace.clone() }
    }

    /// A clock of the same time and pace whose hours began at this date and time.
    #[must_use]
    pub fn begun_at(&self, start: DateTime<Utc>) -> Self {
        let now = self.beginning_now();
        let hours = (now.start - start).num_milliseconds() as f64 / 3_600_000.0;
        Self { start, origin: now.origin - hours, pace: now.pace }
    }

    /// Simulated hours since the start.
    pub fn hours(&self) -> f64 {
        self.stretch().hours() - self.origin
    }

    /// The real moment when so many simulated hours will have passed, or did, if the speed stays as it is.
    pub fn instant(&self, hours: f64) -> Instant {
        self.stretch().instant(hours + self.origin)
    }

    /// Simulated date and time.
    pub fn utc(&self) -> DateTime<Utc> {
        self.at(self.hours())
    }

    /// Date and time so many hours after the start; beyond what the calendar holds, the start.
    pub fn at(&self, hours: f64) -> DateTime<Utc> {
        after(self.start, hours)
    }

    /// Date and time of the start.
    pub fn start(&self) -> DateTime<Utc> {
        self.start
    }

    /// Simulated seconds in a real second while time is not paused: what the plausibility of fixes has to be told.
    pub fn time_scale(&self) -> f64 {
        self.stretch().hours_per_second * 3600.0
    }

    /// Simulated hours in a real second while time is not paused.
    pub fn speed(&self) -> f64 {
        self.stretch().hours_per_second
    }

    /// Runs so many simulated hours in a real second from now on; more than 0.
    pub fn set_speed(&self, hours_per_second: f64) {
        self.change(|stretch| stretch.hours_per_second = hours_per_second);
    }

    /// Whether time stands still.
    pub fn is_paused(&self) -> bool {
        self.stretch().is_paused
    }

    /// Stops time, or lets it go on.
    pub fn set_paused(&self, is_paused: bool) {
        self.change(|stretch| stretch.is_paused = is_paused);
        self.pace.is_paused.send_replace(is_paused);
    }

    /// Waits until time passes; not at all if it does.
    pub async fn running(&self) {
        let mut is_paused = self.pace.is_paused.subscribe();
        // The sender lives as long as this clock.
        let _ = is_paused.wait_for(|is_paused| !is_paused).await;
    }

    /// Wakes `follower` whenever instants become others, as long as it is there.
    pub(super) fn tell(&self, follower: &Arc<Notify>) {
        let mut followers = self.pace.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.push(Arc::downgrade(follower));
    }

    fn change(&self, change: impl FnOnce(&mut Stretch)) {
        let mut stretch = self.stretch();
        // Read under the lock: nobody is told of a later hour before the new stretch begins at this one.
        let now = Instant::now().max(stretch.begun);
        stretch.hours += (now - stretch.begun).as_secs_f64() * stretch.rate();
        stretch.begun = now;
        change(&mut stretch);
        drop(stretch);
        let mut followers = self.pace.followers.lock().unwrap_or_else(PoisonError::into_inner);
        followers.retain(|follower| {
            follower.upgrade().is_some_and(|follower| {
                follower.notify_one();
                true
            })
        });
    }

    fn stretch(&self) -> MutexGuard<'_, Stretch> {
        self.pace.stretch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn after(start: DateTime<Utc>, hours: f64) -> DateTime<Utc> {
    start.checked_add_signed(TimeDelta::milliseconds((hours * 3_600_000.0) as i64)).unwrap_or(start)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::time::advance;

    use super::*;

    fn begin(speed: f64) -> SimulatedClock {
        SimulatedClock::new(DateTime::UNIX_EPOCH, speed)
    }

    #[derive(Debug, Clone)]
    enum Turn {
        Wait(u32),
        Speed(f64),
        Pause(bool),
    }

    fn turn() -> impl Strategy<Value = Turn> {
        prop_oneof![
            (0_u32..20_000).prop_map(Turn::Wait),
            (0.000_1..24.0).prop_map(Turn::Speed),
            any::<bool>().prop_map(Turn::Pause),
        ]
    }

    proptest! {
        #[test]
        fn it_passes_as_it_is_told_and_never_jumps_or_goes_back(turns in prop::collection::vec(turn(), 1..40)) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let clock = begin(1.0);
                let (mut hours, mut speed, mut is_paused) = (0.0, 1.0, false);
                for turn in turns {
                    let before = clock.hours();
                    match turn {
                        Turn::Wait(ms) => {
                            advance(Duration::from_millis(ms.into())).await;
                            hours += f64::from(ms) / 1000.0 * if is_paused { 0.0 } else { speed };
                            assert!(clock.hours() >= before);
                        }
                        Turn::Speed(new) => {
                            clock.set_speed(new);
                            speed = new;
                            assert_eq!(clock.hours(), before, "a change of speed is no step");
                        }
                        Turn::Pause(new) => {
                            clock.set_paused(new);
                            is_paused = new;
                            assert_eq!(clock.hours(), before, "a pause is no step");
                        }
                    }
                    assert!((clock.hours() - hours).abs() < 1e-6 * hours.max(1.0), "{} {hours}", clock.hours());
                    assert_eq!((clock.speed(), clock.is_paused()), (speed, is_paused));
                    assert_eq!(clock.time_scale(), speed * 3600.0);
                }
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn clocks_of_one_pace_show_the_same_time() {
        let fleet = begin(2.0);
        advance(Duration::from_secs(5)).await;
        let late = fleet.beginning_now();
        assert_eq!((late.hours(), late.utc()), (0.0, fleet.utc()));
        late.set_speed(0.5);
        advance(Duration::from_secs(4)).await;
        assert_eq!((fleet.hours(), late.hours()), (12.0, 2.0));
        assert_eq!(fleet.utc(), late.utc());
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_has_its_instant_whatever_the_speed() {
        let clock = begin(1.0);
        let begun = Instant::now();
        advance(Duration::from_secs(10)).await;
        clock.set_speed(5.0);
        assert_eq!(clock.instant(20.0), begun + Duration::from_secs(12));
        assert!(clock.instant(1.0) < Instant::now(), "what is past is past");
        clock.set_paused(true);
        assert_eq!(clock.instant(10.0), Instant::now());
        assert!(clock.instant(10.001) > Instant::now() + Duration::from_hours(24 * 365 * 99));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_waited_out() {
        let clock = begin(1.0);
        clock.running().await;
        clock.set_paused(true);
        let waiting = clock.clone();
        let waiting = tokio::spawn(async move { waiting.running().await });
        advance(Duration::from_mins(1)).await;
        assert!(!waiting.is_finished());
        clock.set_paused(false);
        waiting.await.unwrap();
    }
}
