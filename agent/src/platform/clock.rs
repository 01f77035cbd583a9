//! Where time comes from. A tracker has no real-time clock: after a power cut it wakes in 1970 or at the moment the
//! file system was last written, so the system's clock is trusted only when the kernel says that it is synchronised
//! (NTP), or when the owner says that it can be. Else GPS tells the time. The agent never sets the system's clock.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::kernel_clock;

/// When this program was built: no true time is earlier.
pub fn build_date() -> DateTime<Utc> {
    let seconds = env!("BUILD_EPOCH").parse().unwrap_or(0);
    DateTime::from_timestamp(seconds, 0).unwrap_or_default()
}

/// Who tells the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeSource {
    /// The system's clock, which the kernel says is synchronised, or said so in this boot.
    Kernel,
    /// The GPS receiver.
    Gps,
    /// The system's clock, because the configuration says that it is right.
    System,
    /// Nobody yet.
    #[default]
    None,
}

impl fmt::Display for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kernel => "by the network (NTP)",
            Self::Gps => "by GPS",
            Self::System => "by this machine's clock",
            Self::None => "by nobody's word",
        })
    }
}

/// A source of time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// Universal time, if it can be trusted.
    fn utc(&self) -> Option<DateTime<Utc>>;

    /// The time by which certificates are judged. It differs from [`Clock::utc`] only where that runs faster than
    /// life, in simulation.
    fn certificate_time(&self) -> Option<DateTime<Utc>> {
        self.utc()
    }

    /// Time since the machine was booted, which no change of the wall clock moves.
    fn monotonic(&self) -> Duration;

    /// Its seconds in a second of life: more than one only in simulation.
    fn time_scale(&self) -> f64 {
        1.0
    }

    /// Names this boot of the machine: monotonic times of one boot are comparable, whichever process took them.
    fn boot(&self) -> &str;

    /// Who tells the time now.
    fn source(&self) -> TimeSource {
        TimeSource::System
    }

    /// GPS says that it was `utc` at `monotonic`. A clock that knows better ignores it.
    fn learn(&self, utc: DateTime<Utc>, monotonic: Duration) {
        let _ = (utc, monotonic);
    }
}

/// GPS time is late by its transmission and by how long it waited to be read, by no more than this altogether. What seems
/// later than that is another time.
const LATEST: TimeDelta = TimeDelta::seconds(2);
/// A clock without a reference gains no more than this: 100 millionths.
const DRIFT: i32 = 10_000;

/// How long the kernel's word about its clock is taken to hold; it changes in minutes.
const SYNCHRONISED_FOR: Duration = Duration::from_secs(5);

/// UTC less monotonic time, as GPS says, or the system's clock while somebody vouched for it.
#[derive(Debug, Clone, Copy)]
struct Offset {
    value: TimeDelta,
    /// The monotonic time of it.
    at: TimeDelta,
}

impl Offset {
    fn new(utc: DateTime<Utc>, monotonic: Duration) -> Option<Self> {
        let at = TimeDelta::from_std(monotonic).ok()?;
        Some(Self { value: utc - DateTime::UNIX_EPOCH - at, at })
    }

    /// What is known after another one has come. All are too small, by as much as they are late; so the largest is the
    /// nearest, and only slowly becomes too large.
    fn next(self, other: Self) -> Self {
        let value = self.value - (other.at - self.at).max(TimeDelta::zero()) / DRIFT;
        let is_late = value > other.value && value - other.value <= LATEST;
        Self { value: if is_late { value } else { other.value }, at: other.at }
    }
}

/// The clock of a tracker.
pub struct SystemClock {
    boot: String,
    zero: Instant,
    uptime_at_zero: Duration,
    trust_system: bool,
    gps_offset: Mutex<Option<Offset>>,
    /// The system's clock when the kernel last vouched for it. Who kept it right may have been stopped since, and what
    /// was true in this boot stays true.
    kernel_offset: Mutex<Option<Offset>>,
    system: fn() -> DateTime<Utc>,
    synchronised: fn() -> bool,
    /// What `synchronised` said, and when.
    said: Mutex<Option<(Instant, bool)>>,
}

impl SystemClock {
    /// A clock that trusts the system's when the kernel says it is synchronised, or always if `trust_system`.
    pub fn new(trust_system: bool) -> Self {
        Self::with_sources(trust_system, system_time, kernel_clock::is_synchronised)
    }

    /// A clock on other sources than the real ones.
    pub fn with_sources(
        trust_system: bool,
        system: fn() -> DateTime<Utc>,
        synchronised: fn() -> bool,
    ) -> Self {
        Self {
            boot: boot_id(),
            zero: Instant::now(),
            uptime_at_zero: uptime(),
            trust_system,
            gps_offset: Mutex::new(None),
            kernel_offset: Mutex::new(None),
            system,
            synchronised,
            said: Mutex::new(None),
        }
    }

    fn is_synchronised(&self, system: DateTime<Utc>) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, synchronised)) = *said
            && at.elapsed() < SYNCHRONISED_FOR
        {
            return synchronised;
        }
        let synchronised = (self.synchronised)();
        *said = Some((Instant::now(), synchronised));
        if synchronised && let Some(offset) = Offset::new(system, self.monotonic()) {
            *self.kernel_offset.lock().unwrap_or_else(PoisonError::into_inner) = Some(offset);
        }
        synchronised
    }

    /// By the clock since boot, and who last told what it has to be added to.
    fn remembered(&self) -> Option<(TimeSource, DateTime<Utc>)> {
        let known = |offset: &Mutex<Option<Offset>>| *offset.lock().unwrap_or_else(PoisonError::into_inner);
        let gps = known(&self.gps_offset).map(|offset| (TimeSource::Gps, offset));
        let kernel = known(&self.kernel_offset).map(|offset| (TimeSource::Kernel, offset));
        let (source, offset) = gps.into_iter().chain(kernel).max_by_key(|(_, offset)| offset.at)?;
        let since_boot = TimeDelta::from_std(self.monotonic()).ok()?;
        let utc = DateTime::UNIX_EPOCH.checked_add_signed(offset.value)?.checked_add_signed(since_boot)?;
        Some((source, utc))
    }

    /// The source that tells the time now, and what it says.
    fn reading(&self) -> (TimeSource, Option<DateTime<Utc>>) {
        let system = (self.system)();
        // Synchronised with a server that is itself in 1970 is not synchronised.
        let plausible = system >= build_date();
        if plausible && self.is_synchronised(system) {
            (TimeSource::Kernel, Some(system))
        } else if plausible && self.trust_system {
            (TimeSource::System, Some(system))
        } else {
            self.remembered().map_or((TimeSource::None, None), |(source, utc)| (source, Some(utc)))
        }
    }
}

impl fmt::Debug for SystemClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemClock({:?})", self.reading())
    }
}

impl Clock for SystemClock {
    fn utc(&self) -> Option<DateTime<Utc>> {
        self.reading().1
    }

    fn monotonic(&self) -> Duration {
        self.uptime_at_zero + self.zero.elapsed()
    }

    fn boot(&self) -> &str {
        &self.boot
    }

    fn source(&self) -> TimeSource {
        self.reading().0
    }

    fn learn(&self, utc: DateTime<Utc>, monotonic: Duration) {
        let Some(offset) = Offset::new(utc, monotonic) else { return };
        let mut known = self.gps_offset.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(known.map_or(offset, |known| known.next(offset)));
    }
}

/// What the operating system's clock shows, right or wrong.
#[expect(clippy::disallowed_methods, reason = "the one place where the system's clock is read")]
pub fn system_time() -> DateTime<Utc> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    DateTime::from_timestamp(since.as_secs() as i64, since.subsec_nanos()).unwrap_or_default()
}

/// The kernel's name for this boot, or a name for this run of the program.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| format!("run-{:016x}", rand::random::<u64>()), |id| id.trim().to_owned())
}

/// Time since boot as the kernel counts it, or zero where it can't be had.
fn uptime() -> Duration {
    let seconds = std::fs::read_to_string("/proc/uptime")
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
    Duration::try_from_secs_f64(seconds.unwrap_or(0.0)).unwrap_or_default()
}

/// A day as people write it for machines: `2026-11-28`.
pub fn day(time: DateTime<Utc>) -> String {
    rfc3339(time).split('T').next().unwrap_or_default().to_owned()
}

/// A moment for people, to the minute: `2026-11-28 09:47 UTC`.
pub fn minute(time: DateTime<Utc>) -> String {
    moment(time, "00:00".len())
}

/// A moment for people, to the second: `2026-11-28 09:47:01 UTC`.
pub fn second(time: DateTime<Utc>) -> String {
    moment(time, "00:00:00".len())
}

/// Formats that are written as a text are read anew each time, by ten kilobytes of code.
fn moment(time: DateTime<Utc>, length: usize) -> String {
    let text = rfc3339(time);
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    format!("{day} {} UTC", rest.get(..length).unwrap_or(rest))
}

/// RFC 3339 in UTC with milliseconds, as telemetry carries it. Digit by digit, as general formatting costs several times as
/// much and every reading has its time.
pub fn rfc3339(time: DateTime<Utc>) -> String {
    let mut text = *b"0000-00-00T00:00:00.000Z";
    // In a leap second they go on to the second second.
    let millis = time.nanosecond() / 1_000_000;
    let numbers = [
        (0..4, time.year().cast_unsigned()),
        (5..7, time.month()),
        (8..10, time.day()),
        (11..13, time.hour()),
        (14..16, time.minute()),
        (17..19, time.second() + millis / 1000),
        (20..23, millis % 1000),
    ];
    for (places, mut number) in numbers {
        for digit in text[places].iter_mut().rev() {
            *digit += (number % 10) as u8;
            number /= 10;
        }
    }
    match std::str::from_utf8(&text) {
        Ok(text) if (0..=9999).contains(&time.year()) => text.into(),
        _ => time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn in_1970() -> DateTime<Utc> {
        DateTime::from_timestamp(100, 0).unwrap()
    }

    #[test]
    fn a_time_is_written_as_chrono_writes_it() {
        let leap = DateTime::from_timestamp(1_483_228_799, 1_500_000_000).unwrap();
        let seconds = [-62_200_000_000, -1, 0, 951_826_154, 1_795_000_000, 253_402_300_799, 253_402_300_800];
        let times = seconds.map(|seconds| DateTime::from_timestamp(seconds, 987_654_321).unwrap());
        for time in times.into_iter().chain([leap]) {
            assert_eq!(rfc3339(time), time.to_rfc3339_opts(chrono::SecondsFormat::Millis, true));
        }
        assert_eq!(rfc3339(leap), "2016-12-31T23:59:60.500Z");
    }

    fn clock(trust_system: bool, system: fn() -> DateTime<Utc>, synchronised: bool) -> SystemClock {
        SystemClock::with_sources(trust_system, system, if synchronised { || true } else { || false })
    }

    #[test]
    fn a_clock_that_nobody_vouches_for_is_not_believed() {
        let clock = clock(false, system_time, false);
        assert_eq!((clock.utc(), clock.source()), (None, TimeSource::None));
    }

    #[test]
    fn the_kernel_and_the_owner_can_vouch_but_not_for_1970() {
        assert_eq!(clock(false, system_time, true).source(), TimeSource::Kernel);
        assert_eq!(clock(true, system_time, false).source(), TimeSource::System);
        assert_eq!(clock(true, in_1970, true).source(), TimeSource::None);
    }

    #[test]
    fn gps_tells_the_time_in_1970_and_the_kernel_knows_better() {
        let now = system_time();
        let lost = clock(false, in_1970, false);
        lost.learn(now, lost.monotonic());
        assert_eq!(lost.source(), TimeSource::Gps);
        assert!((lost.utc().unwrap() - now).abs() < TimeDelta::seconds(5));

        let synchronised = clock(false, system_time, true);
        synchronised.learn(in_1970(), synchronised.monotonic());
        assert_eq!(synchronised.source(), TimeSource::Kernel);
    }

    #[tokio::test(start_paused = true)]
    async fn what_the_kernel_vouched_for_holds_for_this_boot() {
        static SYNCHRONISED: AtomicBool = AtomicBool::new(true);
        static SET_BY_HAND: AtomicBool = AtomicBool::new(false);
        let system = || if SET_BY_HAND.load(Ordering::Relaxed) { in_1970() } else { system_time() };
        let clock = SystemClock::with_sources(false, system, || SYNCHRONISED.load(Ordering::Relaxed));
        assert_eq!(clock.source(), TimeSource::Kernel);
        let before = clock.utc().unwrap();
        // systemd-timesyncd is stopped, and its word goes with it; then somebody sets the clock.
        SYNCHRONISED.store(false, Ordering::Relaxed);
        SET_BY_HAND.store(true, Ordering::Relaxed);
        tokio::time::advance(Duration::from_mins(1)).await;
        let passed = clock.utc().expect("it is known") - before;
        assert!((passed - TimeDelta::seconds(60)).abs() < TimeDelta::seconds(5), "{passed}");
        assert_eq!(clock.source(), TimeSource::Kernel);
        // Who tells the time later knows better.
        clock.learn(before + TimeDelta::hours(1), clock.monotonic());
        assert_eq!(clock.source(), TimeSource::Gps);
    }

    #[test]
    fn time_that_comes_late_moves_nothing_and_another_time_does() {
        let clock = clock(false, in_1970, false);
        let now = system_time();
        let learn = |ahead: i64, at: i64| {
            let at = Duration::from_millis(at as u64);
            clock.learn(now + TimeDelta::milliseconds(ahead) + at, clock.monotonic() + at);
            clock.utc().unwrap() - now
        };
        let is = |was: TimeDelta, ms: i64| {
            (was - TimeDelta::milliseconds(ms)).abs() < TimeDelta::milliseconds(500)
        };
        assert!(is(learn(0, 0), 0));
        assert!(is(learn(-1900, 1000), 0), "read late");
        assert!(is(learn(700, 2000), 700), "read sooner than ever");
        // A clock that gains a second in three hours is corrected all the same.
        assert!(is(learn(-300, 3 * 3_600_000), -300));
        // Receivers that have not heard yet how many leap seconds there are run ahead.
        assert!(is(learn(-2400, 3 * 3_600_000 + 1000), -2400), "two leap seconds");
    }

    #[test]
    fn monotonic_time_is_that_of_the_machine() {
        assert!(
            clock(true, system_time, true).monotonic() >= uptime().saturating_sub(Duration::from_secs(1))
        );
    }
}
