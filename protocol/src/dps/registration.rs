//! A registration with DPS: asked, polled, waited for, until it is assigned, refused, or better tried later.
//!
//! ```text
//!  Idle ── subscribed ──▶ Asked ── answer: assigned, refused, or no use to go on ──▶ Ended
//!                          ▲ │ ╲
//!               time is up │ ▼  ╲ no answer: asked again, three times in all, then ──▶ Ended
//!                         Waiting   answer: assigning, throttled, or the operation is gone
//! ```

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use super::{
    RegisterRequest, RegistrationOperation, RegistrationState, RegistrationStatus, Request, Response,
    ServiceError, Substatus,
};
use crate::{ParseError, Publish, RegistrationId, check_device_id, check_host_name, fraction};

/// How long an answer may take before it is asked for again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// So often the same is asked before the attempt is given up. Asking again changes nothing at the service.
const MOST_ASKS: u32 = 3;
/// Wait before a poll when the service names none; the SDKs' default, and the fastest pace that the service's limit
/// of 5 polls in 10 s allows.
const DEFAULT_WAIT: Duration = Duration::from_secs(2);
/// Shortest wait before a poll, whatever the service says.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that is granted, whatever the service says: a wrong number must not silence a device for years.
const LONGEST_WAIT: Duration = Duration::from_hours(24);
/// A longer wait than this is better spent without a connection.
const LONGEST_WAIT_CONNECTED: Duration = Duration::from_mins(1);
/// Polls after which a registration that never ends is begun anew.
const MOST_POLLS: u32 = 60;
/// Of the service's own words so many characters are repeated.
const MOST_WORDS: usize = 500;
/// Operation IDs are some 60 characters.
const LONGEST_OPERATION_ID: usize = 512;
/// Throttled or failing answers in a row after which the connection is given up.
const MOST_DELAYS: u32 = 5;

/// One registration over one DPS connection, as a pure function of (time, event).
///
/// The caller connects, subscribes to [`RESPONSE_FILTER`](super::RESPONSE_FILTER), and then feeds events until
/// [`Step::Done`]. It may also say all of that in one go: then it feeds [`Event::Subscribing`] as it does, and
/// [`Event::Connected`] once the service has accepted the connection.
#[derive(Debug)]
pub struct Registration {
    registration_id: RegistrationId,
    payload: Option<serde_json::Map<String, Value>>,
    csr: Option<String>,
    answer_within: Duration,
    requests: u32,
    polls: u32,
    delays: u32,
    subscribed: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Not subscribed yet; given up at the time noted at the first event.
    Idle(Option<Duration>),
    /// A request is on its way, once or a few times; the operation is known when it was a poll.
    Asked {
        /// Number of the first of these requests; the last is the last of all.
        first: u32,
        operation_id: Option<String>,
        deadline: Duration,
    },
    Waiting {
        operation_id: Option<String>,
        until: Duration,
    },
    Ended,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// The subscription to the answers is asked for, and is not waited for.
    Subscribing,
    /// It is acknowledged.
    Subscribed,
    /// The service has accepted the connection: what was asked before that can be answered from now on.
    Connected,
    /// A message arrived.
    Message {
        /// Its topic.
        topic: &'a str,
        /// Its body.
        payload: &'a [u8],
    },
    /// Time has passed.
    Tick,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Publish this, then feed [`Event::Tick`] at the time given if nothing arrives before.
    Publish(Publish, Duration),
    /// Feed [`Event::Tick`] at this time if nothing arrives before.
    Wait(Duration),
    /// It is over; close the connection.
    Done(Outcome),
}

/// How a registration ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// There is a hub.
    Assigned(Assignment),
    /// The service won't accept this device as things stand; asking again soon is of no use.
    Refused(Refusal),
    /// Not now: throttling, a fault of the service, no answer, or one that makes no sense.
    TryLater {
        /// The service asked for at least this long a wait; a day at the most.
        retry_after: Option<Duration>,
        /// Why, for people.
        why: String,
    },
}

/// The hub and the name that DPS gave to the device.
#[derive(Debug, Clone, PartialEq)]
pub struct Assignment {
    /// Host name of the hub.
    pub hub: String,
    /// Device ID there; may differ from the registration ID for individual enrollments.
    pub device_id: String,
    /// How the assignment came about.
    pub substatus: Option<Substatus>,
    /// What a custom allocation webhook sent along.
    pub payload: Option<Value>,
    /// The chain that was issued for the request's `csr`: base64 of DER, the leaf first.
    pub issued: Option<Vec<String>>,
    /// How to speak to the hub, where the service says so.
    pub connection_profile: Option<String>,
}

/// Why DPS refuses a device, with Azure's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The case, as far as it can be told.
    pub kind: RefusalKind,
    /// Azure's error code, 0 when none was given.
    pub code: u32,
    /// Azure's message.
    pub message: String,
}

/// The cases of refusal that a person mends in different ways.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// The enrollment is switched off.
    Disabled,
    /// 401: the certificate is unknown, expired, not chained to a verified CA, or no enrollment covers it.
    Unauthorized,
    /// 404: there is no enrollment, or it is gone.
    NotFound,
    /// 400: the request or the registration ID is not acceptable.
    BadRequest,
    /// The registration was tried and failed, for example in a custom allocation webhook.
    Failed,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            RefusalKind::Disabled => "the enrollment of this device, or its group, is disabled in DPS",
            RefusalKind::Unauthorized => {
                "no enrollment accepts this certificate: it is not enrolled, not trusted (chain incomplete, or its CA \
                 not verified) or expired; of a device without one, the key or the TPM is not the enrolled one"
            }
            RefusalKind::NotFound => "there is no enrollment for this registration ID",
            RefusalKind::BadRequest => {
                "the request was not acceptable, perhaps for its registration ID, the common name of the certificate"
            }
            RefusalKind::Failed => {
                "the registration failed: look at the allocation of the enrollment and at the hubs linked to the DPS"
            }
        })?;
        match (self.code, self.message.as_str()) {
            (0, "") => Ok(()),
            (0, message) => write!(f, " (DPS says: {message})"),
            (code, "") => write!(f, " (DPS says: error {code})"),
            (code, message) => write!(f, " (DPS says: error {code}, {message})"),
        }
    }
}

impl Registration {
    /// A registration that has not begun. `payload` goes to a custom allocation webhook, if there is one.
    pub fn new(registration_id: RegistrationId, payload: Option<serde_json::Map<String, Value>>) -> Self {
        Self {
            registration_id,
            payload,
            csr: None,
            answer_within: ANSWER_TIMEOUT,
            requests: 0,
            polls: 0,
            delays: 0,
            subscribed: false,
            state: State::Idle(None),
        }
    }

    /// Asks again where an answer takes longer than this, and gives up after three times as long; 10 s unless told.
    #[must_use]
    pub fn answer_within(mut self, answer_within: Duration) -> Self {
        self.answer_within = answer_within;
        self
    }

    /// Asks for an operational certificate: `csr` is DER of PKCS#10 in base64, of at most 8 KB.
    #[must_use]
    pub fn csr(mut self, csr: String) -> Self {
        self.csr = Some(csr);
        self
    }

    /// How many requests (registrations and polls) have been made.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    /// How much longer DPS wants to be left alone; `None` once it may be asked. Counts when the connection is lost, too:
    /// the next registration must not begin before.
    pub fn wait_left(&self, now: Duration) -> Option<Duration> {
        match self.state {
            State::Waiting { until, .. } if now < until => Some(until.saturating_sub(now)),
            _ => None,
        }
    }

    /// Takes an event at `now` and says what to do. `jitter` is a random number in `0.0..1.0`.
    pub fn handle(&mut self, now: Duration, jitter: f64, event: Event<'_>) -> Step {
        match event {
            Event::Subscribing | Event::Subscribed => {
                self.subscribed |= matches!(event, Event::Subscribed);
                match self.state {
                    State::Idle(_) => self.ask(now, None, None),
                    _ => self.tick(now),
                }
            }
            Event::Connected => {
                if let State::Asked { deadline, .. } = &mut self.state {
                    *deadline = now.saturating_add(self.answer_within);
                }
                self.tick(now)
            }
            Event::Tick => self.tick(now),
            Event::Message { topic, payload } => match topic.parse::<Response>() {
                Ok(response) => self.answered(now, jitter, &response, payload),
                Err(error) => self.give_up(None, error.to_string()),
            },
        }
    }

    /// Asks; `first` is the request whose answer has not come.
    fn ask(&mut self, now: Duration, operation_id: Option<String>, first: Option<u32>) -> Step {
        self.requests += 1;
        let request_id = self.requests.to_string();
        let deadline = now.saturating_add(self.answer_within);
        let (request, payload) = match &operation_id {
            None => (Request::Register { request_id: request_id.clone() }, self.body()),
            Some(operation) => {
                self.polls += 1;
                (
                    Request::Poll { request_id: request_id.clone(), operation_id: operation.clone() },
                    Vec::new(),
                )
            }
        };
        self.state = State::Asked { first: first.unwrap_or(self.requests), operation_id, deadline };
        Step::Publish(Publish { topic: request.to_string(), payload }, deadline)
    }

    fn body(&self) -> Vec<u8> {
        let body = RegisterRequest {
            registration_id: self.registration_id.to_string(),
            payload: self.payload.clone(),
            csr: self.csr.clone(),
        };
        // Strings and JSON objects always serialise.
        serde_json::to_vec(&body).unwrap_or_default()
    }

    fn tick(&mut self, now: Duration) -> Step {
        match &mut self.state {
            State::Idle(deadline) => {
                let deadline = *deadline.get_or_insert(now.saturating_add(self.answer_within * MOST_ASKS));
                if now < deadline {
                    return Step::Wait(deadline);
                }
                self.unsubscribed()
            }
            State::Asked { deadline, .. } if now < *deadline => Step::Wait(*deadline),
            State::Asked { first, operation_id, .. } if self.requests - *first + 1 < MOST_ASKS => {
                let (first, operation_id) = (*first, operation_id.take());
                self.ask(now, operation_id, Some(first))
            }
            State::Asked { .. } if !self.subscribed => self.unsubscribed(),
            State::Asked { .. } => {
                let patience = self.answer_within * MOST_ASKS;
                self.give_up(None, format!("DPS did not answer within {} s", patience.as_secs()))
            }
            State::Waiting { until, .. } if now < *until => Step::Wait(*until),
            State::Waiting { operation_id, .. } => {
                let operation_id = operation_id.take();
                self.ask(now, operation_id, None)
            }
            State::Ended => self.give_up(None, "the registration is already over".into()),
        }
    }

    fn answered(&mut self, now: Duration, jitter: f64, response: &Response, payload: &[u8]) -> Step {
        let State::Asked { first, operation_id, .. } = &mut self.state else {
            return self.tick(now);
        };
        let asked = *first..=self.requests;
        if !response.request_id.parse().is_ok_and(|id: u32| asked.contains(&id)) {
            // The answer to an earlier request of this connection; the one asked for is still to come.
            return self.tick(now);
        }
        let operation_id = operation_id.take();
        match response.status {
            ..300 => match parse::<RegistrationOperation>("DPS registration answer", payload) {
                Ok(operation) => self.progress(now, response.retry_after, operation),
                Err(error) => self.give_up(response.retry_after, error.to_string()),
            },
            // The operation is gone, not the enrollment: register anew.
            404 if operation_id.is_some() && self.delays < MOST_DELAYS => {
                self.delays += 1;
                self.wait(now, DEFAULT_WAIT + fraction(DEFAULT_WAIT, jitter), None)
            }
            409 | 412 | 429 | 500.. => self.delayed(now, jitter, response, operation_id, payload),
            status => {
                let error = service_error(payload);
                let kind = match status {
                    401 | 403 => RefusalKind::Unauthorized,
                    404 => RefusalKind::NotFound,
                    _ => RefusalKind::BadRequest,
                };
                self.end(Outcome::Refused(Refusal { kind, code: error.error_code, message: error.message }))
            }
        }
    }

    /// An operation document: final or not.
    fn progress(&mut self, now: Duration, asked: Option<Duration>, operation: RegistrationOperation) -> Step {
        self.delays = 0;
        let state = operation.registration_state.unwrap_or_default();
        match operation.status {
            RegistrationStatus::Assigned => self.assigned(state),
            RegistrationStatus::Failed => self.refused(RefusalKind::Failed, state),
            RegistrationStatus::Disabled => self.refused(RefusalKind::Disabled, state),
            RegistrationStatus::Assigning | RegistrationStatus::Unassigned | RegistrationStatus::Other(_) => {
                if operation.operation_id.is_empty() {
                    return self
                        .give_up(asked, "DPS is assigning but gave no operation ID to ask after".into());
                }
                if !can_be_asked_after(&operation.operation_id) {
                    return self.give_up(
                        asked,
                        "DPS is assigning but gave an operation ID that no topic carries".into(),
                    );
                }
                if self.polls >= MOST_POLLS {
                    return self.give_up(asked, format!("still not assigned after {MOST_POLLS} polls"));
                }
                self.wait(now, asked.unwrap_or(DEFAULT_WAIT).max(SHORTEST_WAIT), Some(operation.operation_id))
            }
        }
    }

    fn assigned(&mut self, state: RegistrationState) -> Step {
        let hub = state.assigned_hub.filter(|hub| !hub.is_empty());
        let device_id = state.device_id.filter(|id| !id.is_empty());
        match (hub, device_id) {
            (Some(hub), Some(device_id)) => {
                if let Err(why) = check_host_name(&hub) {
                    return self.give_up(None, format!("DPS assigned a hub that can't be one: {why}"));
                }
                if let Err(why) = check_device_id(&device_id) {
                    return self.give_up(None, format!("DPS assigned a device ID that can't be one: {why}"));
                }
                let payload = state.payload.filter(|payload| !payload.is_null());
                let substatus = state.substatus.map(|substatus| match substatus {
                    Substatus::Other(word) => Substatus::Other(bounded(word)),
                    known => known,
                });
                let RegistrationState { issued_certificate_chain: issued, connection_profile, .. } = state;
                self.end(Outcome::Assigned(Assignment {
                    hub,
                    device_id,
                    substatus,
                    payload,
                    issued,
                    connection_profile,
                }))
            }
            (None, _) => self.give_up(None, "DPS says assigned, but names no hub (assignedHub)".into()),
            (_, None) => self.give_up(None, "DPS says assigned, but names no device (deviceId)".into()),
        }
    }

    fn refused(&mut self, kind: RefusalKind, state: RegistrationState) -> Step {
        let code = state.error_code.unwrap_or(0);
        let message = bounded(state.error_message.unwrap_or_default());
        self.end(Outcome::Refused(Refusal { kind, code, message }))
    }

    /// Throttled, or a fault of the service: the same request again, no sooner than asked.
    fn delayed(
        &mut self,
        now: Duration,
        jitter: f64,
        response: &Response,
        operation_id: Option<String>,
        payload: &[u8],
    ) -> Step {
        let error = service_error(payload);
        let why = match (response.status, error.error_code, error.message.as_str()) {
            (429, 0, _) => "DPS is throttling".to_owned(),
            (429, code, message) => format!("DPS is throttling (error {code}, {message})"),
            (status, 0, _) => format!("DPS answered {status}"),
            (status, code, message) => format!("DPS answered {status} (error {code}, {message})"),
        };
        self.delays += 1;
        // Without a word from the service the wait doubles; the jitter only ever lengthens it.
        let asked = response.retry_after.unwrap_or(DEFAULT_WAIT * (1 << self.delays.min(MOST_DELAYS)));
        if asked > LONGEST_WAIT_CONNECTED || self.delays > MOST_DELAYS {
            return self.give_up(response.retry_after, why);
        }
        let spread = (asked / 4).max(SHORTEST_WAIT);
        self.wait(now, asked.max(SHORTEST_WAIT) + fraction(spread, jitter), operation_id)
    }

    fn wait(&mut self, now: Duration, wait: Duration, operation_id: Option<String>) -> Step {
        if wait > LONGEST_WAIT_CONNECTED {
            return self.give_up(Some(wait), format!("DPS asks for a wait of {} s", wait.as_secs()));
        }
        let until = now.saturating_add(wait);
        self.state = State::Waiting { operation_id, until };
        Step::Wait(until)
    }

    fn unsubscribed(&mut self) -> Step {
        self.give_up(None, "DPS did not acknowledge the subscription".into())
    }

    fn give_up(&mut self, mut retry_after: Option<Duration>, mut why: String) -> Step {
        if let Some(asked) = retry_after.as_mut().filter(|asked| **asked > LONGEST_WAIT) {
            *asked = LONGEST_WAIT;
            why.push_str("; it asks for a longer wait than a day, and is asked again after one");
        }
        self.end(Outcome::TryLater { retry_after, why })
    }

    fn end(&mut self, outcome: Outcome) -> Step {
        self.state = State::Ended;
        Step::Done(outcome)
    }
}

fn parse<T: serde::de::DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, ParseError> {
    serde_json::from_slice(body).map_err(|error| ParseError::body(what, body, error.to_string()))
}

/// The error document, or what can be told without one.
fn service_error(body: &[u8]) -> ServiceError {
    let mut error = parse::<ServiceError>("DPS error body", body).unwrap_or_else(|_| ServiceError {
        message: String::from_utf8_lossy(body).into_owned(),
        ..ServiceError::default()
    });
    error.message = bounded(error.message);
    error
}

/// As much of the service's words as anybody wants to read.
fn bounded(words: String) -> String {
    match words.char_indices().nth(MOST_WORDS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// Whether this operation ID can be part of a topic.
fn can_be_asked_after(operation_id: &str) -> bool {
    operation_id.len() <= LONGEST_OPERATION_ID
        && operation_id.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#' && byte != b'+')
}
