//! Bytes and the time at which they came in, epochs out. No port, no clock, no task.

use std::time::Duration;

use chrono::{Days, NaiveDate, NaiveTime};

use super::epoch::{Epoch, NoFix};
use super::fields::Remembered;
use super::sentence::{Claim, Motion, Report, Sentence};
use super::{Fix, Framer, LineCounts};

/// A pause this long on the line ends an epoch. At 1 Hz and 9600 baud a receiver sends for 0.4 to 0.9 s
/// without a gap, and a USB adapter holds bytes back for 16 ms at most.
pub const EPOCH_PAUSE: Duration = Duration::from_millis(400);

/// So short a pause can lie between two seconds of a receiver; within one it sends without any.
const GAP: Duration = Duration::from_millis(100);

/// One epoch of the receiver.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// With a fix.
    Fix(Fix),
    /// Without.
    NoFix {
        /// Time of day, if the receiver has one.
        time: Option<NaiveTime>,
        /// Why.
        reason: NoFix,
    },
}

/// What has come so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Bytes and sentences.
    pub lines: LineCounts,
    /// Sentences with a right checksum that could not be read all the same.
    pub unreadable: u64,
    /// Epochs with a fix.
    pub fixes: u64,
    /// Epochs without.
    pub epochs_without_fix: u64,
}

/// Decodes the stream of one receiver. Its memory is bounded by one sentence and one epoch.
#[derive(Debug)]
pub struct Decoder {
    pause: Duration,
    framer: Framer,
    remembered: Remembered,
    epoch: Option<Epoch>,
    /// Time of day of an epoch that a pause has ended: sentences of it that come late begin no new one.
    ended_by_pause: Option<NaiveTime>,
    /// The last date that came with a fix, carried on.
    date: Option<NaiveDate>,
    /// A date by itself, which claims no fix and counts only for an epoch that has one.
    offered: Option<NaiveDate>,
    /// Speed and course that came ahead of their epoch.
    ahead: Option<Motion>,
    /// Whether the next sentence begins a second of the receiver.
    begins: bool,
    /// Whether the receiver begins its seconds with speed and course.
    motion_leads: bool,
    last_time: Option<NaiveTime>,
    last_byte_at: Duration,
    counts: Counts,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder for a stream that begins now, and whose epochs end with a pause of [`EPOCH_PAUSE`] at the latest.
    pub fn new() -> Self {
        Self::with_pause(EPOCH_PAUSE)
    }

    /// A decoder for a stream that begins now, and whose epochs end with such a pause at the latest.
    pub fn with_pause(pause: Duration) -> Self {
        Self {
            pause,
            framer: Framer::new(),
            remembered: Remembered::default(),
            epoch: None,
            ended_by_pause: None,
            date: None,
            offered: None,
            ahead: None,
            begins: false,
            motion_leads: false,
            last_time: None,
            last_byte_at: Duration::ZERO,
            counts: Counts::default(),
        }
    }

    /// Takes the next bytes, which came at `now` of a monotonic clock; gives the epochs that they complete.
    /// How the stream is cut into pieces makes no difference.
    pub fn push(&mut self, bytes: &[u8], now: Duration) -> Vec<Event> {
        let mut events = self.tick(now);
        let begun = self.framer.counts().bytes > 0;
        let rested = !begun || now.saturating_sub(self.last_byte_at) >= GAP;
        // What follows a gap, and does not end a sentence from before it, begins a second of the receiver.
        self.begins |= rested && !self.framer.is_within_sentence();
        if !bytes.is_empty() {
            self.last_byte_at = now;
        }
        let mut rest = bytes;
        while let Some(body) = self.framer.next(&mut rest) {
            let sentence = Sentence::read(body, &mut self.remembered);
            if std::mem::take(&mut self.begins) {
                self.motion_leads = matches!(sentence, Sentence::Motion(_));
            }
            if let Some(event) = self.take(sentence, now) {
                events.push(event);
            }
        }
        events
    }

    /// Ends the epoch if the line has paused, so that a fix need not wait for the next one.
    pub fn tick(&mut self, now: Duration) -> Vec<Event> {
        match self.deadline() {
            Some(deadline) if now >= deadline => {
                self.ended_by_pause = self.epoch.as_ref().and_then(|epoch| epoch.time);
                self.finish()
            }
            _ => Vec::new(),
        }
    }

    /// When [`Decoder::tick`] will have something to do, if no byte comes before.
    pub fn deadline(&self) -> Option<Duration> {
        self.epoch.as_ref().map(|_| self.last_byte_at + self.pause)
    }

    /// Ends the epoch, as at the end of a file.
    pub fn finish(&mut self) -> Vec<Event> {
        self.close_epoch().into_iter().collect()
    }

    /// Forgets the unfinished sentence: the line was interrupted, what follows does not belong to it.
    pub fn interrupt(&mut self) -> Vec<Event> {
        self.framer.interrupt();
        self.finish()
    }

    /// What has come so far.
    pub fn counts(&self) -> Counts {
        Counts { lines: self.framer.counts(), ..self.counts }
    }

    fn take(&mut self, sentence: Sentence, now: Duration) -> Option<Event> {
        match sentence {
            Sentence::Position(report) => self.take_report(report, now),
            Sentence::Motion(motion) => {
                match &mut self.epoch {
                    _ if self.motion_leads => self.ahead = Some(motion),
                    Some(epoch) => epoch.add_motion(motion),
                    None => {}
                }
                None
            }
            Sentence::Date { time, date } => {
                self.take_date(time, date);
                None
            }
            Sentence::Unreadable => {
                self.counts.unreadable += 1;
                None
            }
            Sentence::Other => None,
        }
    }

    fn take_report(&mut self, report: Report, now: Duration) -> Option<Event> {
        let is_late = report.time.is_some() && report.time == self.ended_by_pause && self.epoch.is_none();
        let continues = self.epoch.as_ref().is_some_and(|epoch| epoch.time == report.time);
        let event = if continues || is_late { None } else { self.close_epoch() };
        self.carry_date(report.time);
        // Without a fix a receiver shows the date that it was made with, or one left over.
        if report.claim == Claim::Measured && report.date.is_some() {
            (self.date, self.offered) = (report.date, None);
        }
        if is_late {
            return None;
        }
        self.ended_by_pause = None;
        let epoch = self.epoch.get_or_insert_with(|| Epoch::open(report.time, now));
        epoch.date = self.offered.or(self.date);
        if let Some(motion) = self.ahead.take() {
            epoch.add_motion(motion);
        }
        epoch.add(report, self.framer.counts().bytes);
        event
    }

    /// A date by itself counts for the position sentences that follow. It is not given to an epoch that has
    /// begun: some receivers send it some milliseconds ahead of the next.
    fn take_date(&mut self, time: Option<NaiveTime>, date: NaiveDate) {
        self.offered = Some(date);
        self.last_time = time.or(self.last_time);
    }

    /// GGA and GLL have no date: when the clock falls back by half a day or more, midnight has passed.
    fn carry_date(&mut self, time: Option<NaiveTime>) {
        if fell_by_half_a_day(self.last_time, time) {
            for date in [&mut self.date, &mut self.offered] {
                *date = date.and_then(|date| date.checked_add_days(Days::new(1)));
            }
        }
        self.last_time = time.or(self.last_time);
    }

    fn close_epoch(&mut self) -> Option<Event> {
        let epoch = self.epoch.take()?;
        let time = epoch.time;
        Some(match epoch.close() {
            Ok(fix) => {
                self.counts.fixes += 1;
                self.date = fix.date;
                Event::Fix(fix)
            }
            Err(reason) => {
                self.counts.epochs_without_fix += 1;
                self.offered = None;
                Event::NoFix { time, reason }
            }
        })
    }
}

fn fell_by_half_a_day(before: Option<NaiveTime>, after: Option<NaiveTime>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => before.signed_duration_since(after).num_hours() >= 12,
        _ => false,
    }
}

/// Offsets in a recording of the position sentences that begin an epoch, or of what leads them.
#[cfg(feature = "simulated")]
pub(crate) fn epoch_starts(bytes: &[u8]) -> Vec<usize> {
    let (mut framer, mut remembered) = (Framer::new(), Remembered::default());
    let (mut starts, mut time) = (Vec::new(), None);
    let (mut motion_leads, mut ahead) = (None, None);
    let mut rest = bytes;
    while let Some(body) = framer.next(&mut rest) {
        let length = body.len() + "$*hh".len();
        let sentence = Sentence::read(body, &mut remembered);
        let start = bytes.len() - rest.len() - length;
        let is_motion = matches!(sentence, Sentence::Motion(_));
        if *motion_leads.get_or_insert(is_motion) && is_motion {
            ahead = Some(start);
        }
        if let Sentence::Position(report) = sentence {
            let start = ahead.take().unwrap_or(start);
            if starts.is_empty() || report.time != time {
                time = report.time;
                starts.push(start);
            }
        }
    }
    starts
}
