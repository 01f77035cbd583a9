//! Where the device stands between power-up and telemetry, and what it does next: a pure function of (time, event).
//!
//! | state | leaves when | goes to |
//! |---|---|---|
//! | registering | assigned | connecting |
//! | | disabled, 401, 404, failed | refused |
//! | | 429, 5xx, TLS | registering, after the service's retry-after or backoff |
//! | | nobody answers, or listens | registering, soon (`knocking.rs`) |
//! | connecting | CONNACK 0 | online |
//! | | refused for identity | registering |
//! | | refused for good, as MQTT 5 can say | registering, after a long wait |
//! | | TLS, CONNACK 3 | connecting, with backoff; after long with answers that are none, registering |
//! | | nobody answers | connecting, as soon as a probe of TCP is answered (`knocking.rs`) |
//! | | nobody listens | connecting, soon, later with backoff; after long, registering |
//! | | the proxy does not let it through | connecting, after a long wait |
//! | online | link lost | connecting, with backoff unless the spell was stable |
//! | | ended by the hub for another client, or for good, as MQTT 5 can say | connecting, after a long wait |
//! | | ended by the hub as it does not know the device, or has moved | registering, with the same backoff |
//! | refused | a long wait, a changed certificate, an operator's word | registering |
//!
//! A device whose certificates for the hub are issued keeps its assignment whatever DPS says, as the hub judges it by another
//! certificate than DPS does: refused by DPS it tries the hub again after the wait, refused by the hub it asks DPS, and so on in
//! turn. While none of its certificates for the hub can be used, only DPS is asked.
//!
//! Attempts an hour, the mean once the waits have grown and the busiest hour of a hundred days (`tests/faults_time.rs`):
//!
//! | | mean | busiest |
//! |---|---|---|
//! | refused: DPS | 2 | 8 |
//! | the proxy does not let it through: proxy | 2 | 8 |
//! | nobody answers: SYNs, and nothing else | 410 | 1000 |
//! | nobody listens: TCP connections that are refused | 90 | 220 |
//! | DPS fails, throttles, does not answer TLS: DPS | 12 | 25 |
//! | the hub does not answer TLS, refuses, is ill, drops the device within a minute: hub | 12 | 25 |
//! | the hub refuses a device that DPS has assigned to it: DPS | 12 | 25 |
//! | the hub answers, but is ill: DPS | 2 | 4 |
//! | nobody listens at the hub: DPS | 3 | 4 |
//! | the hub is lost after just over a minute, again and again: hub | 60 | 60 |
//! | the kernel says every few seconds that a link is up: hub | 16 | 32 |

use std::time::Duration;

use tracker_protocol::dps::Outcome;
use tracker_protocol::{Backoff, fraction};

use crate::event::Loss;
use crate::link::dial::Probe;
use crate::link::timing::Timing;
use crate::link::{LinkError, LinkErrorKind};
use crate::status::State;
use crate::uplink::assignment::{Assignment, Terms};
use crate::uplink::knocking::{Closed, Silence};

/// After this many short connections in a row, each cut by the other side, another client must be using the same identity.
const TAKEN_OVER: u32 = 3;

/// A network that comes up wakes a waiting device at most so often at first; half as often with every wake that brought no
/// good spell, until it is as rarely as [`WAKE_AT_LEAST_EVERY`].
const WAKE_AT_MOST_EVERY: Duration = Duration::from_secs(30);
const WAKE_AT_LEAST_EVERY: Duration = Duration::from_mins(10);

/// No wait is longer, whoever asks for it.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// What to do, and not before when.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// The deed.
    pub action: Action,
    /// Not before this time.
    pub at: Duration,
}

/// A deed.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ask DPS.
    Register,
    /// Connect to the assigned hub.
    Connect(Assignment),
}

/// Where a device belongs once DPS was asked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Registered<'a> {
    /// To the hub that DPS has assigned.
    Assigned(&'a Assignment),
    /// To the hub to which it was assigned before: DPS gave no answer.
    AsBefore,
    /// Nowhere, as far as anybody knows.
    Nowhere,
}

/// The state machine.
#[derive(Debug)]
pub struct Lifecycle {
    timing: Timing,
    state: State,
    assignment: Option<Assignment>,
    not_before: Duration,
    dps: Backoff,
    hub: Backoff,
    refused: Backoff,
    /// The hub has refused, or ended the connection, for good as things stand.
    terminal: Backoff,
    /// The proxy does not let the device through.
    barred: Backoff,
    /// The last attempt was answered by nobody.
    silence: Option<Silence>,
    /// There was no server at the last attempt that was answered.
    closed: Option<Closed>,
    /// Attempts answered by something that is no healthy hub, and since when.
    answered: u32,
    answered_since: Duration,
    online_since: Duration,
    short_spells: u32,
    /// The last failure was the network's, not the service's.
    waits_for_network: bool,
    woken_at: Duration,
    /// Wakes since the last good spell.
    wakes: u32,
    /// The hub refused our identity after DPS had just assigned us to it.
    just_assigned: bool,
    /// Whether certificates for the hub are issued, and one can be used.
    issued: Issued,
    /// DPS is asked although nothing is wrong with the hub, which waits for the answer and for nothing else.
    aside: bool,
}

/// What the device has to show to the hub.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Issued {
    /// The certificate that DPS is shown too.
    #[default]
    No,
    /// None that can be used now: DPS must issue one.
    Unusable,
    /// One that was issued.
    Usable,
}

impl Lifecycle {
    /// A device that begins with the assignment it stored, if any, after a first wait that spreads a fleet.
    pub fn new(timing: Timing, assignment: Option<Assignment>, first_wait: Duration) -> Self {
        Self {
            state: if assignment.is_some() { State::Connecting } else { State::Registering },
            assignment,
            not_before: first_wait,
            dps: Backoff::new(timing.attempts),
            hub: Backoff::new(timing.attempts),
            refused: Backoff::new(timing.refused),
            terminal: Backoff::new(timing.refused),
            barred: Backoff::new(timing.refused),
            silence: None,
            closed: None,
            answered: 0,
            answered_since: Duration::ZERO,
            online_since: Duration::ZERO,
            short_spells: 0,
            waits_for_network: false,
            woken_at: Duration::ZERO,
            wakes: 0,
            just_assigned: false,
            issued: Issued::No,
            aside: false,
            timing,
        }
    }

    /// Where the device stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The hub it belongs to, as far as it knows.
    pub fn assignment(&self) -> Option<&Assignment> {
        self.assignment.as_ref()
    }

    /// What to do next.
    pub fn next(&self) -> Next {
        let action = match (&self.state, &self.assignment) {
            _ if self.issued == Issued::Unusable => Action::Register,
            (State::Connecting | State::Online, Some(assignment)) => Action::Connect(assignment.clone()),
            (State::Refused, Some(assignment)) if self.issued == Issued::Usable => {
                Action::Connect(assignment.clone())
            }
            _ => Action::Register,
        };
        Next { action, at: self.not_before }
    }

    /// How the next deed begins: while nobody answers, or listens, by looking whether somebody does.
    pub fn probe(&self) -> Option<Probe> {
        match (&self.silence, &self.closed) {
            (Some(silence), _) => silence.probe(self.not_before, &self.timing),
            (None, Some(_)) => Some(Probe { is_long: true, every: self.timing.probe_every }),
            (None, None) => None,
        }
    }

    /// The next deed begins without looking whether somebody answers.
    pub fn end_probing(&mut self) {
        self.heard(None);
    }

    /// DPS was asked on these terms, and this came of it.
    pub fn registered(
        &mut self,
        now: Duration,
        jitter: f64,
        outcome: &Result<Outcome, LinkError>,
        terms: &Terms,
    ) -> Registered<'_> {
        self.waits_for_network = outcome
            .as_ref()
            .is_err_and(|error| !matches!(error.kind, LinkErrorKind::Identity | LinkErrorKind::Barred));
        match outcome {
            // DPS is there. What the hub does is another matter.
            Ok(_) => {
                self.silence = None;
                self.barred.reset();
            }
            Err(error) => self.heard(Some(error.kind)),
        }
        let aside = std::mem::take(&mut self.aside);
        match outcome {
            Ok(Outcome::Assigned(assigned)) => {
                self.dps.reset();
                self.refused.reset();
                self.answered = 0;
                self.state = State::Connecting;
                // A hub that refuses what DPS has just assigned is given time to hear of it.
                self.not_before =
                    if self.just_assigned { after(now, self.hub.failed(now, jitter)) } else { now };
                self.just_assigned = true;
                Registered::Assigned(self.assignment.insert(Assignment::new(assigned, terms.clone())))
            }
            _ if aside && self.can_connect() => {
                self.state = State::Connecting;
                self.not_before = now;
                Registered::AsBefore
            }
            Ok(Outcome::Refused(_)) => {
                self.state = State::Refused;
                self.forget_unless_issued();
                self.just_assigned = false;
                self.not_before = after(now, self.refused.failed(now, jitter));
                self.as_before()
            }
            Ok(Outcome::TryLater { retry_after, .. }) => self.register_later(now, jitter, *retry_after),
            Err(error) if !self.can_connect() => {
                self.state = State::Registering;
                self.not_before = match error.kind {
                    LinkErrorKind::Silent => self.try_soon(now, jitter),
                    LinkErrorKind::NobodyListens => after(now, self.nobody_listens(now, jitter)),
                    LinkErrorKind::Barred => after(now, self.barred.failed(now, jitter)),
                    _ => after(now, self.dps.failed(now, jitter)),
                };
                self.as_before()
            }
            Err(error) if error.kind == LinkErrorKind::Barred => {
                // The way to the hub is the same.
                self.state = State::Connecting;
                self.not_before = after(now, self.barred.failed(now, jitter));
                self.as_before()
            }
            Err(_) => self.register_later(now, jitter, None),
        }
    }

    /// Whether there is a hub, and something to show to it.
    pub fn can_connect(&self) -> bool {
        self.assignment.is_some() && self.issued != Issued::Unusable
    }

    /// Nothing new about where the device belongs.
    fn as_before(&self) -> Registered<'_> {
        if self.assignment.is_some() { Registered::AsBefore } else { Registered::Nowhere }
    }

    /// Nobody vouches for the assignment any more, and DPS has the last word, unless the hub has its own.
    fn forget_unless_issued(&mut self) {
        if self.issued == Issued::No {
            self.assignment = None;
        }
    }

    /// Keeps in mind how the last attempt failed, if it did.
    fn heard(&mut self, failed: Option<LinkErrorKind>) {
        if failed != Some(LinkErrorKind::Barred) {
            self.barred.reset();
        }
        if failed != Some(LinkErrorKind::Silent) {
            self.silence = None;
            if failed != Some(LinkErrorKind::NobodyListens) {
                self.closed = None;
            }
        }
    }

    /// When to try again as nobody has answered.
    fn try_soon(&mut self, now: Duration, jitter: f64) -> Duration {
        let began = self.not_before.min(now);
        self.silence.get_or_insert(Silence::new(began)).again(began, now, jitter, &self.timing)
    }

    fn nobody_listens(&mut self, now: Duration, jitter: f64) -> Duration {
        let timing = &self.timing;
        self.closed.get_or_insert_with(|| Closed::new(now, timing)).failed(now, jitter, timing)
    }

    fn register_later(
        &mut self,
        now: Duration,
        jitter: f64,
        retry_after: Option<Duration>,
    ) -> Registered<'_> {
        let backoff = self.dps.failed(now, jitter);
        let wait = match retry_after {
            // Never sooner than asked, and not all devices at once.
            Some(asked) => {
                let spread = fraction((asked / 4).max(Duration::from_secs(1)), jitter);
                backoff.max(asked.saturating_add(spread))
            }
            None => backoff,
        };
        self.not_before = after(now, wait);
        // The hub is tried again meanwhile if there is one: DPS was asked on suspicion only.
        self.state = if self.can_connect() { State::Connecting } else { State::Registering };
        self.as_before()
    }

    /// DPS can't be asked, for a reason of this device's own; the hub is tried again meanwhile.
    pub fn can_not_register(&mut self, now: Duration, jitter: f64) {
        if std::mem::take(&mut self.aside) && self.can_connect() {
            self.state = State::Connecting;
            self.not_before = now;
        } else {
            self.register_later(now, jitter, None);
        }
    }

    /// What the device has to show to the hub from now on.
    pub fn has_issued(&mut self, issued: Issued) {
        let before = std::mem::replace(&mut self.issued, issued);
        match (before, self.can_connect()) {
            _ if before == issued => {}
            // The time may have become known, or a token answers again.
            (Issued::Unusable, true) if self.state == State::Registering => self.state = State::Connecting,
            (_, false) if self.state != State::Refused => self.state = State::Registering,
            _ => {}
        }
    }

    /// Another certificate is shown to the hub now.
    pub fn show_another(&mut self, now: Duration) {
        self.not_before = now;
    }

    /// DPS is asked for what is new, and the hub goes on as before if there is nothing.
    pub fn ask_aside(&mut self, now: Duration) {
        self.aside = true;
        self.state = State::Registering;
        self.not_before = now;
    }

    /// The hub minds packets before its CONNACK, or does not. Gives what is to be stored, where that is news.
    pub fn wait_for_connack(&mut self, waits: bool) -> Option<&Assignment> {
        let news = |assignment: &&mut Assignment| assignment.waits_for_connack != waits;
        let assignment = self.assignment.as_mut().filter(news)?;
        assignment.waits_for_connack = waits;
        Some(assignment)
    }

    /// The hub has accepted the device.
    pub fn connected(&mut self, now: Duration) {
        self.heard(None);
        self.state = State::Online;
        self.online_since = now;
        self.answered = 0;
        self.just_assigned = false;
        self.hub.connected(now);
        self.terminal.connected(now);
    }

    /// Whether DPS has assigned the device to its hub since it was last there.
    pub fn is_just_assigned(&self) -> bool {
        self.just_assigned
    }

    /// The hub could not be connected to.
    pub fn connect_failed(&mut self, now: Duration, jitter: f64, error: &LinkError) {
        self.waits_for_network = !matches!(
            error.kind,
            LinkErrorKind::Identity
                | LinkErrorKind::Barred
                | LinkErrorKind::Moved
                | LinkErrorKind::Terminal
                | LinkErrorKind::TakenOver
        );
        self.heard(Some(error.kind));
        match error.kind {
            LinkErrorKind::Identity | LinkErrorKind::Moved => self.identity_refused(now),
            LinkErrorKind::Terminal | LinkErrorKind::TakenOver => {
                // What has changed until then, if anything, DPS may know.
                self.state = State::Registering;
                self.not_before = after(now, self.terminal.failed(now, jitter));
            }
            LinkErrorKind::Silent => self.not_before = self.try_soon(now, jitter),
            LinkErrorKind::Barred => self.not_before = after(now, self.barred.failed(now, jitter)),
            LinkErrorKind::Answered | LinkErrorKind::Certificate | LinkErrorKind::NobodyListens => {
                if self.answered == 0 {
                    self.answered_since = now;
                }
                self.answered = self.answered.saturating_add(1);
                let wait = if error.kind == LinkErrorKind::NobodyListens {
                    self.nobody_listens(now, jitter)
                } else {
                    self.hub.failed_from(self.timing.throttled_first, now, jitter)
                };
                self.not_before = after(now, wait);
                if self.answered >= self.timing.hub_gone_attempts
                    && now.saturating_sub(self.answered_since) >= self.timing.hub_gone_after
                {
                    self.answered = 0;
                    self.state = State::Registering;
                }
            }
            LinkErrorKind::Outage | LinkErrorKind::Closed | LinkErrorKind::Unsendable => {
                self.not_before = after(now, self.hub.failed(now, jitter));
            }
        }
    }

    /// The hub does not know this device (any more): DPS must say where it belongs.
    fn identity_refused(&mut self, now: Duration) {
        self.state = State::Registering;
        self.forget_unless_issued();
        self.not_before = now;
    }

    /// The connection to the hub is gone.
    pub fn lost(&mut self, now: Duration, jitter: f64, kind: LinkErrorKind) -> Loss {
        self.state = State::Connecting;
        self.waits_for_network = true;
        self.heard(Some(kind));
        let short = now.saturating_sub(self.online_since) < self.timing.short_spell;
        // A network that fails looks different: nobody says goodbye.
        match (short, kind) {
            (true, LinkErrorKind::Closed) => self.short_spells = self.short_spells.saturating_add(1),
            (true, _) => {}
            (false, _) => {
                self.short_spells = 0;
                self.wakes = 0;
            }
        }
        let wait = self.hub.failed(now, jitter);
        // The first loss after a good spell is retried at once, with a second of jitter for the fleet's sake.
        let wait = if self.hub.failures() == 1 { fraction(Duration::from_secs(1), jitter) } else { wait };
        self.not_before = after(now, wait);
        match kind {
            // The hub has said so, and not left it to be guessed.
            LinkErrorKind::Identity | LinkErrorKind::Moved => {
                self.state = State::Registering;
                self.assignment = None;
            }
            LinkErrorKind::Terminal | LinkErrorKind::TakenOver => {
                self.waits_for_network = false;
                self.not_before = after(now, self.terminal.failed(now, jitter));
            }
            _ => {}
        }
        match kind {
            LinkErrorKind::TakenOver => Loss::Displaced,
            _ if self.short_spells >= TAKEN_OVER => Loss::TakenOver,
            _ => Loss::Ordinary,
        }
    }

    /// The network is up again: what only it delayed is tried soon, within `jitter` × 2 s for the fleet's sake; a mere
    /// probe at once. The backoff goes on where it stands, and a link that flaps wakes the device ever more rarely.
    pub fn network_up(&mut self, now: Duration, jitter: f64) {
        if let Some(silence) = &self.silence {
            self.not_before = self.not_before.min(silence.link_is_up(now, &self.timing));
            return;
        }
        let rarely = WAKE_AT_MOST_EVERY * 2_u32.saturating_pow(self.wakes.saturating_sub(1).min(8));
        if self.waits_for_network
            && (self.wakes == 0 || now >= self.woken_at.saturating_add(rarely.min(WAKE_AT_LEAST_EVERY)))
        {
            self.woken_at = now;
            self.wakes = self.wakes.saturating_add(1);
            self.not_before = self.not_before.min(after(now, fraction(Duration::from_secs(2), jitter)));
        }
    }

    /// There is news that makes an attempt worthwhile now: a certificate was replaced, an operator asks.
    pub fn nudge(&mut self, now: Duration) {
        self.not_before = self.not_before.min(now);
        self.heard(None);
        self.dps.reset();
        self.hub.reset();
        self.refused.reset();
        self.terminal.reset();
        if self.state == State::Refused {
            self.state = State::Registering;
        }
    }

    /// The assignment no longer holds (another certificate, another ID scope): DPS is asked.
    pub fn forget_assignment(&mut self, now: Duration) {
        self.assignment = None;
        self.state = State::Registering;
        self.nudge(now);
    }
}

/// The time after this wait, or after the longest one that there is.
fn after(now: Duration, wait: Duration) -> Duration {
    now.saturating_add(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod issued_tests;
#[cfg(test)]
mod tests;
