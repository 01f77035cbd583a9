//! The task that listens to a receiver for as long as the agent lives.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracker_timers::{sleep_until, timeout, timeout_at};

use super::condition::{Line, SILENCE};
use super::rhythm::Rhythm;
use super::source::{ByteSource, ByteStream};
use super::{
    Counts, Decoder, Event, Fix, GpsTime, Judgement, Known, NoFix, Plausibility, PlausibilitySettings,
};
use crate::backoff::Backoff;
use crate::health::{Health, Monitor, State};

/// Opening a device takes no time; a driver that hangs must not hang the agent.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// How the task behaves. Only `plausibility` and `started` have no sensible default.
#[derive(Debug, Clone, Copy)]
pub struct ReceiverSettings {
    /// What is taken for true.
    pub plausibility: PlausibilitySettings,
    /// Zero of the monotonic clock: all durations that come out are counted from here.
    pub started: Instant,
    /// A fix is withdrawn when no new one has come for so long, or for longer from a receiver that speaks seldom.
    pub fix_lifetime: Duration,
    /// Wait before the first reopening of a lost port; doubles up to `longest_backoff`.
    pub first_backoff: Duration,
    /// The longest wait before a reopening.
    pub longest_backoff: Duration,
    /// A port that has been silent for so long is closed and opened again.
    pub reopen_silent: Duration,
}

impl ReceiverSettings {
    /// Settings for a real receiver.
    pub fn new(plausibility: PlausibilitySettings, started: Instant) -> Self {
        Self {
            plausibility,
            started,
            fix_lifetime: Duration::from_secs(10),
            first_backoff: Duration::from_secs(1),
            longest_backoff: Duration::from_secs(30),
            reopen_silent: Duration::from_secs(30),
        }
    }
}

/// What is known from the receiver now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct GpsState {
    /// The last plausible fix, as long as it is young.
    pub fix: Option<Fix>,
    /// The last time that could be trusted. It does not age: together with the monotonic clock it stays true.
    pub time: Option<GpsTime>,
    /// What has come so far.
    pub counts: Counts,
}

/// Listens to one receiver. Reopens its line when it breaks, and blocks for nothing.
pub struct Receiver {
    source: Box<dyn ByteSource>,
    settings: ReceiverSettings,
    decoder: Decoder,
    plausibility: Plausibility,
    state: watch::Sender<GpsState>,
    tell_time: Box<dyn Fn(GpsTime) + Send>,
    monitor: Monitor,
    suspect: Option<f64>,
    rhythm: Rhythm,
    /// Why the last epoch was no fix.
    no_fix: Option<NoFix>,
    /// What was last said to be wrong with the line, without and with who else reads it.
    said: Option<(String, String)>,
}

impl Receiver {
    /// A receiver that has not been listened to yet.
    pub fn new(source: impl ByteSource + 'static, settings: ReceiverSettings) -> Self {
        Self {
            decoder: Decoder::with_pause(source.epoch_pause()),
            source: Box::new(source),
            plausibility: Plausibility::new(settings.plausibility),
            state: watch::Sender::new(GpsState::default()),
            tell_time: Box::new(|_| {}),
            monitor: Monitor::new(),
            suspect: None,
            rhythm: Rhythm::default(),
            no_fix: None,
            said: None,
            settings,
        }
    }

    /// The same, with knowledge of the time from elsewhere.
    #[must_use]
    pub fn knowing(self, known: Known) -> Self {
        Self { plausibility: self.plausibility.knowing(known), ..self }
    }

    /// The same; each time that can be trusted is told at once, by the receiver's task.
    #[must_use]
    pub fn telling_time(self, tell: impl Fn(GpsTime) + Send + 'static) -> Self {
        Self { tell_time: Box::new(tell), ..self }
    }

    /// The state, to be read or awaited.
    pub fn state(&self) -> watch::Receiver<GpsState> {
        self.state.subscribe()
    }

    /// Whoever notifies this gets what the line has by now, where it would be read later.
    pub fn look(&self) -> Arc<Notify> {
        self.source.look()
    }

    /// The zero that all durations are counted from.
    pub fn started(&self) -> Instant {
        self.settings.started
    }

    /// The health, to be read or awaited.
    pub fn health(&self) -> watch::Receiver<Health> {
        self.monitor.watch()
    }

    /// Listens for ever. Dropping the future stops it at once and closes the line.
    pub async fn run(mut self) -> Infallible {
        let mut backoff = Backoff::new(self.settings.first_backoff, self.settings.longest_backoff);
        loop {
            let before = self.decoder.counts().lines.sentences;
            let reason = match timeout(OPEN_LIMIT, self.source.open()).await {
                Ok(Ok(stream)) => {
                    self.monitor.count(|counters| *counters.starts += 1);
                    self.listen(stream).await
                }
                Ok(Err(error)) => format!("cannot open {}: {error}", self.source.name()),
                Err(_) => format!("cannot open {}: no answer within {OPEN_LIMIT:?}", self.source.name()),
            };
            let now = self.now();
            let events = self.decoder.interrupt();
            self.take(events);
            self.monitor.report(now, State::Failed, Some(reason));
            if self.decoder.counts().lines.sentences > before {
                backoff.reset();
            }
            self.rest(backoff.wait()).await;
        }
    }

    /// Reads until the line breaks; says why it did.
    async fn listen(&mut self, mut stream: ByteStream) -> String {
        let mut line = Line::opened(self.now(), &self.decoder.counts());
        let mut buffer = [0; 1024];
        loop {
            let wake = self.settings.started + self.next_wake(&line);
            let read = timeout_at(wake, stream.read(&mut buffer)).await;
            let now = self.now();
            let events = match read {
                Ok(Ok(0)) => return format!("{} was closed: unplugged?", self.source.name()),
                Ok(Ok(length)) => self.decoder.push(&buffer[..length], now),
                Ok(Err(error)) => return format!("{} broke: {error}", self.source.name()),
                Err(_) => self.decoder.tick(now),
            };
            self.take(events);
            self.expire_fix(now);
            line.update(now, &self.decoder.counts());
            if line.silent_for(now) >= self.rhythm.stretched(self.settings.reopen_silent) {
                return format!("{} is silent: opening it afresh", self.source.name());
            }
            self.report(now, &line);
        }
    }

    /// Waits, and withdraws the fix meanwhile when it grows old.
    async fn rest(&mut self, length: Duration) {
        let end = Instant::now() + length;
        if let Some(expiry) = self.fix_expiry()
            && self.settings.started + expiry < end
        {
            sleep_until(self.settings.started + expiry).await;
            self.expire_fix(self.now());
        }
        sleep_until(end).await;
    }

    fn take(&mut self, events: Vec<Event>) {
        for event in events {
            self.rhythm.epoch(self.now());
            let counts = self.decoder.counts();
            self.monitor.count(|counters| {
                *counters.readings = counts.fixes;
                *counters.failures = counts.epochs_without_fix;
            });
            match event {
                Event::Fix(fix) => {
                    self.no_fix = None;
                    let (judgement, time) = self.plausibility.judge(fix);
                    if let Some(time) = time {
                        (self.tell_time)(time);
                    }
                    self.state.send_modify(|state| {
                        state.counts = counts;
                        state.time = time.or(state.time);
                        if let Judgement::Plausible(fix) = &judgement {
                            state.fix = Some(fix.clone());
                        }
                    });
                    self.suspect = match judgement {
                        Judgement::Plausible(_) => None,
                        Judgement::Suspect { implied_kmh } => Some(implied_kmh),
                    };
                }
                Event::NoFix { reason, .. } => {
                    self.no_fix = Some(reason);
                    self.plausibility.no_fix();
                    self.state.send_modify(|state| state.counts = counts);
                }
            }
        }
    }

    fn report(&mut self, now: Duration, line: &Line) {
        let (state, cause) = match self.trouble(now, line) {
            Some((state, cause)) => (state, Some(cause)),
            None if self.state.borrow().fix.is_some() => (State::Ok, None),
            // Its first epoch may not have ended yet.
            None => return,
        };
        self.monitor.report(now, state, cause);
    }

    fn trouble(&mut self, now: Duration, line: &Line) -> Option<(State, String)> {
        let patience = self.rhythm.patience(SILENCE);
        let name = || self.source.name();
        if let Some(fault) = line.fault(now, patience, name) {
            return Some((State::Failed, self.blame(fault.what, fault.advice)));
        }
        if let Some(damage) = line.damage(|| self.source.name()) {
            return Some((State::Degraded, self.blame(damage.what, damage.advice)));
        }
        self.said = None;
        if let Some(kmh) = self.suspect {
            let cause = format!("the position jumped at {kmh:.0} km/h: waiting for a third fix to agree");
            return Some((State::Degraded, cause));
        }
        let heard_at = self.rhythm.last().unwrap_or_default().max(line.opened_at());
        let cause = if self.state.borrow().fix.is_some() {
            self.plausibility.refused_date().map(ToString::to_string)
        } else if let Some(reason) = self.no_fix {
            Some(reason.to_string())
        } else if line.has_spoken() && now.saturating_sub(heard_at) >= patience {
            Some("the receiver sends no position: switch on one of RMC, GGA, GNS, GLL".into())
        } else {
            None
        };
        cause.map(|cause| (State::Degraded, cause))
    }

    /// What is wrong with the line, with who else reads it, which is looked for once, or with an advice.
    fn blame(&mut self, what: String, advice: &str) -> String {
        if self.said.as_ref().is_none_or(|(said, _)| *said != what) {
            let other = self.source.other_reader();
            let full = format!("{what}: {}", other.as_deref().unwrap_or(advice));
            self.said = Some((what, full));
        }
        self.said.as_ref().map(|(_, full)| full.clone()).unwrap_or_default()
    }

    fn next_wake(&self, line: &Line) -> Duration {
        let wakes = [self.decoder.deadline(), self.fix_expiry(), Some(line.next_check())];
        wakes.into_iter().flatten().min().unwrap_or_default()
    }

    fn fix_expiry(&self) -> Option<Duration> {
        self.state
            .borrow()
            .fix
            .as_ref()
            .map(|fix| fix.received_at + self.rhythm.patience(self.settings.fix_lifetime))
    }

    fn expire_fix(&self, now: Duration) {
        if self.fix_expiry().is_some_and(|expiry| now >= expiry) {
            self.state.send_modify(|state| state.fix = None);
        }
    }

    fn now(&self) -> Duration {
        self.settings.started.elapsed()
    }
}
