//! The device's side of the renewal of its certificate at the hub: asked, taken, waited for, for hours if need be.
//!
//! ```text
//!  begin ─▶ Due ── subscribed, and it is time ──▶ Asked ── 202, or a conflict with itself ──▶ Accepted
//!            ▲                                     │ │ ▲                                       │ │ │
//!            ├── failed for now: after a wait ─────┘ │ └─ no 202 in time, or long no 200 ──────┘ │ │
//!            ├── connection lost: at once when subscribed again, with the same ID ───────────────┘ │
//!            │                                       └──────────── 200, or refused for good ───────┴▶ ended
//! ```

use std::time::Duration;

use serde_json::Value;

use super::{DeviceTopic, IssueRequest};
use crate::{Publish, fraction};

/// A hub has 60 s for the answer 202.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(90);
/// A hub forgets a request after about so long, where it does not say when.
const EXPIRES_AFTER: Duration = Duration::from_hours(12);
/// The certificates are sent once, at `QoS` 0, and may be lost: so often the same is asked again.
const ASK_AGAIN: Duration = Duration::from_hours(1);
/// No wait of our own is longer,
const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// none that a hub asks for,
const LONGEST_ASKED: Duration = Duration::from_hours(24);
/// and none at all is shorter.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// First waits, by what has gone wrong.
const THROTTLED: Duration = Duration::from_secs(1);
const UNAVAILABLE: Duration = Duration::from_secs(5);
const BROKEN: Duration = Duration::from_mins(5);

/// Another request is under way: two numbers are known for it.
const CONFLICTS: [u32; 2] = [409_004, 409_005];
/// What was to be replaced is not under way.
const NOTHING_TO_REPLACE: u32 = 412_001;

/// The renewal at the hub, as a pure function of (time, event). It outlives connections: the caller tells when one is
/// subscribed to [`CREDENTIALS_FILTER`](super::CREDENTIALS_FILTER) and when it is lost. There is one operation at a time.
#[derive(Debug, Default)]
pub struct RenewalClient {
    is_subscribed: bool,
    operation: Option<Operation>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenewalRequest {
    /// The device ID.
    pub device_id: String,
    /// 4 to 36 ASCII letters, digits and dashes, no dash first or last. The same as long as the CSR is the same.
    pub request_id: String,
    /// DER of PKCS#10 in base64.
    pub csr: String,
    /// It was asked before, and the hub may still have it.
    pub is_known: bool,
}

#[derive(Debug)]
struct Operation {
    request: RenewalRequest,
    replace: bool,
    /// A quarter of the time that there is for it: bounds the waits that are not the hub's.
    patience: Duration,
    failures: u32,
    /// It was sent without a wait after a conflict; the next conflict waits.
    has_hurried: bool,
    /// When the hub forgets it, once it is taken.
    expires: Option<Duration>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    /// To be sent at this time or later.
    Due(Duration),
    /// Sent; to be answered by then.
    Asked(Duration),
    /// Taken; to be asked again then.
    Accepted(Duration),
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum RenewalEvent<'a> {
    /// The subscription to the answers is acknowledged.
    Subscribed,
    /// The connection is gone.
    Disconnected,
    /// An answer arrived on [`CloudTopic::CredentialResponse`](super::CloudTopic::CredentialResponse).
    Response {
        /// Status from the topic.
        status: u16,
        /// Request ID from the topic.
        request_id: &'a str,
        /// The body.
        payload: &'a [u8],
    },
    /// Time has passed.
    Tick,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum RenewalStep {
    /// Publish this.
    Publish(Publish),
    /// The hub has taken the request, and forgets it at this time, as it writes it (RFC 3339; may be empty). A caller who
    /// knows the time tells [`RenewalClient::expires_in`].
    Accepted(String),
    /// The certificates, base64 of DER, in the hub's order: the leaf first, as far as is known. The operation is over.
    Issued(Vec<String>),
    /// The hub will not have the request as it is: the same is of no use, another one soon neither. The operation is over.
    Refused(String),
    /// Something went wrong that a person may want to know; the client goes on.
    Fault(String),
}

impl RenewalClient {
    /// Whether an operation is under way.
    pub fn is_under_way(&self) -> bool {
        self.operation.is_some()
    }

    /// When to feed [`RenewalEvent::Tick`] if nothing happens before.
    pub fn deadline(&self) -> Option<Duration> {
        let operation = self.operation.as_ref()?;
        match operation.state {
            State::Due(at) => self.is_subscribed.then_some(at),
            State::Asked(by) => Some(by),
            State::Accepted(again) => Some(operation.expires.map_or(again, |expires| expires.min(again))),
        }
    }

    /// Begins an operation for which there is so much `time_left`, unless one is under way.
    pub fn begin(
        &mut self,
        now: Duration,
        request: RenewalRequest,
        time_left: Duration,
    ) -> Option<RenewalStep> {
        if self.operation.is_some() {
            return None;
        }
        self.operation = Some(Operation {
            request,
            replace: false,
            patience: (time_left / 4).max(SHORTEST_WAIT),
            failures: 0,
            has_hurried: false,
            expires: None,
            state: State::Due(now),
        });
        self.send_if_due(now)
    }

    /// Gives up what is under way.
    pub fn end(&mut self) {
        self.operation = None;
    }

    /// The hub forgets the request after so long.
    pub fn expires_in(&mut self, now: Duration, wait: Duration) {
        if let Some(Operation { expires: Some(expires), .. }) = &mut self.operation {
            *expires = now.saturating_add(wait.clamp(ACCEPTED_WITHIN, EXPIRES_AFTER * 2));
        }
    }

    /// Takes an event at `now` and says what to do. `jitter` is a random number in `0.0..1.0`.
    pub fn handle(&mut self, now: Duration, jitter: f64, event: RenewalEvent<'_>) -> Vec<RenewalStep> {
        match event {
            RenewalEvent::Subscribed => {
                self.is_subscribed = true;
                self.send_if_due(now).into_iter().collect()
            }
            RenewalEvent::Disconnected => {
                self.is_subscribed = false;
                if let Some(operation) = &mut self.operation
                    && matches!(operation.state, State::Asked(_) | State::Accepted(_))
                {
                    // The hub may have it; to say the same again is safe.
                    operation.request.is_known = true;
                    operation.state = State::Due(now);
                }
                Vec::new()
            }
            RenewalEvent::Response { status, request_id, payload } => {
                // Certificates are welcome although the same is about to be asked again.
                let ours = self.operation.as_ref().is_some_and(|asked| {
                    asked.request.request_id == request_id
                        && (status == 200 || !matches!(asked.state, State::Due(_)))
                });
                if ours { self.answered(now, jitter, status, payload) } else { Vec::new() }
            }
            RenewalEvent::Tick => self.tick(now, jitter),
        }
    }

    fn tick(&mut self, now: Duration, jitter: f64) -> Vec<RenewalStep> {
        let Some(operation) = &mut self.operation else { return Vec::new() };
        let mut steps = Vec::new();
        if operation.expires.is_some_and(|expires| expires <= now) {
            // It may be nobody's by now; whoever has it instead is replaced.
            operation.request.is_known = false;
            operation.later(now, operation.bounded(BROKEN), None, jitter);
            steps.push(RenewalStep::Fault("the hub has issued no certificate within its own time".into()));
        } else if let State::Asked(by) = operation.state
            && by <= now
        {
            let seconds = operation.bounded(ACCEPTED_WITHIN).as_secs();
            operation.state = State::Due(now);
            let why = format!("the hub has not answered the request for a certificate within {seconds} s");
            steps.push(RenewalStep::Fault(why));
        } else if let State::Accepted(again) = operation.state
            && again <= now
        {
            operation.state = State::Due(now);
        }
        steps.extend(self.send_if_due(now));
        steps
    }

    fn send_if_due(&mut self, now: Duration) -> Option<RenewalStep> {
        let operation = self.operation.as_mut().filter(|_| self.is_subscribed)?;
        if !matches!(operation.state, State::Due(at) if at <= now) {
            return None;
        }
        operation.state = State::Asked(now.saturating_add(operation.bounded(ACCEPTED_WITHIN)));
        let RenewalRequest { device_id, request_id, csr, .. } = &operation.request;
        let replace = operation.replace.then(|| "*".to_owned());
        let body = IssueRequest { id: device_id.clone(), csr: csr.clone(), replace };
        let topic = DeviceTopic::IssueCertificate { request_id: request_id.clone() }.to_string();
        // Strings always serialise.
        let payload = serde_json::to_vec(&body).unwrap_or_default();
        Some(RenewalStep::Publish(Publish { topic, payload }))
    }

    fn answered(&mut self, now: Duration, jitter: f64, status: u16, payload: &[u8]) -> Vec<RenewalStep> {
        let Some(operation) = &mut self.operation else { return Vec::new() };
        let body: Value = serde_json::from_slice(payload).unwrap_or_default();
        match status {
            202 => {
                operation.accepted(now);
                vec![RenewalStep::Accepted(text(&body, "operationExpires").to_owned())]
            }
            200 => match certificates(&body) {
                Some(certificates) => {
                    self.operation = None;
                    vec![RenewalStep::Issued(certificates)]
                }
                None => {
                    operation.later(now, operation.bounded(BROKEN), None, jitter);
                    vec![RenewalStep::Fault("the hub's answer has no certificates in it".into())]
                }
            },
            _ => self.failed(now, jitter, status, &body),
        }
    }

    fn failed(&mut self, now: Duration, jitter: f64, status: u16, body: &Value) -> Vec<RenewalStep> {
        let Some(operation) = &mut self.operation else { return Vec::new() };
        let code = body["errorCode"].as_u64().and_then(|code| u32::try_from(code).ok());
        let code = code.unwrap_or_else(|| u32::from(status) * 1000);
        let asked = body["retryAfter"].as_u64().map(Duration::from_secs);
        let why = explain(code, body);
        let first = match (code, status) {
            (code, _) if CONFLICTS.contains(&code) => {
                if operation.is_itself(body) {
                    operation.accepted(now);
                    return Vec::new();
                }
                return self.conflicts(now, jitter, true, asked, why);
            }
            (NOTHING_TO_REPLACE, _) => return self.conflicts(now, jitter, false, asked, why),
            (_, 429) => THROTTLED,
            (_, 503) => UNAVAILABLE,
            (_, 500..) => BROKEN,
            _ => {
                self.operation = None;
                return vec![RenewalStep::Refused(why)];
            }
        };
        operation.later(now, operation.bounded(first), asked, jitter);
        vec![RenewalStep::Fault(why)]
    }

    /// Asks in place of another request, or of none: at once the first time, after a wait from then on.
    fn conflicts(
        &mut self,
        now: Duration,
        jitter: f64,
        replace: bool,
        asked: Option<Duration>,
        why: String,
    ) -> Vec<RenewalStep> {
        let Some(operation) = &mut self.operation else { return Vec::new() };
        let is_new = operation.replace != replace;
        operation.replace = replace;
        if is_new && asked.is_none() && !operation.has_hurried {
            operation.has_hurried = true;
            operation.state = State::Due(now);
            return self.send_if_due(now).into_iter().collect();
        }
        operation.later(now, operation.bounded(UNAVAILABLE), asked, jitter);
        vec![RenewalStep::Fault(why)]
    }
}

impl Operation {
    /// Not longer than is fitting for the time that is left.
    fn bounded(&self, wait: Duration) -> Duration {
        wait.min(self.patience)
    }

    /// The hub has it.
    fn accepted(&mut self, now: Duration) {
        self.request.is_known = true;
        self.expires.get_or_insert(now.saturating_add(EXPIRES_AFTER));
        self.state = State::Accepted(now.saturating_add(self.bounded(ASK_AGAIN)));
    }

    /// It failed for now, and is sent again after a wait that begins with `first`, or the one that the hub has `asked` for.
    fn later(&mut self, now: Duration, first: Duration, asked: Option<Duration>, jitter: f64) {
        let doubled = first.saturating_mul(1 << self.failures.min(20)).min(self.bounded(LONGEST_WAIT));
        self.failures = self.failures.saturating_add(1);
        let wait = asked.map_or(doubled, |asked| asked.min(LONGEST_ASKED)).max(SHORTEST_WAIT);
        self.expires = None;
        self.state = State::Due(now.saturating_add(wait).saturating_add(fraction(wait / 4, jitter)));
    }

    /// Whether the request that is under way is this one. A hub that does not say is believed to mean what it was told before.
    fn is_itself(&self, body: &Value) -> bool {
        match body["info"]["requestId"].as_str() {
            Some(id) => id == self.request.request_id,
            None => self.request.is_known && !self.replace,
        }
    }
}

fn text<'a>(body: &'a Value, member: &str) -> &'a str {
    body[member].as_str().unwrap_or_default()
}

/// Those of the answer 200: an object has them, or the body is their array, as one SDK knows it.
fn certificates(body: &Value) -> Option<Vec<String>> {
    let all = body.as_array().or_else(|| body["certificates"].as_array())?;
    let all: Option<Vec<_>> = all.iter().map(|one| one.as_str().map(str::to_owned)).collect();
    all.filter(|all| !all.is_empty())
}

fn explain(code: u32, body: &Value) -> String {
    let mut why = format!("the hub gives no certificate (error {code}");
    let info = &body["info"];
    for words in [text(body, "message"), text(info, "credentialError"), text(info, "credentialMessage")] {
        if !words.is_empty() {
            why.push_str(", ");
            why.extend(words.chars().take(300));
        }
    }
    why.push(')');
    why
}

#[cfg(test)]
mod tests;
