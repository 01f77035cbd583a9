//! The device's side of its twin: fetch, follow the pushes, report what has changed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::DeviceTopic;
use super::merge_patch::{merge, merge_perhaps, replace_value, without_dollar};
use crate::{ParseError, Publish};

/// How long an answer to a twin request may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Wait before a failed request is repeated; doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_mins(10);

/// A device's view of its twin, as a pure function of (time, event).
///
/// After every connect: subscribe, GET, then apply pushes whose `$version` follows the one fetched. A push that is
/// older is dropped, one that leaves a gap leads to another GET. What the device wants to report is kept across
/// connections, sent as the difference to what the hub is known to hold, one request at a time, and repeated until
/// the hub has taken it.
#[derive(Debug, Default)]
pub struct TwinClient {
    requests: u32,
    /// With the reports that have ended since: the answer may be from before them.
    get: Request<Vec<Map<String, Value>>>,
    patch: Request<Map<String, Value>>,
    /// The desired section as last known, without `$version`; `None` until the first GET of this connection.
    desired: Option<Map<String, Value>>,
    desired_version: u64,
    /// Highest version pushed while the GET was under way.
    pushed_version: u64,
    /// The reported section as the hub is known to hold it.
    reported: Map<String, Value>,
    /// Keys of reports that the hub may have taken or not, as far as is known. They count as outstanding, and in `reported`
    /// stands all that may be there.
    doubtful: BTreeSet<String>,
    /// What it should hold. A null stands for "not there".
    wanted: Map<String, Value>,
    /// Keys and values that the hub refused; they are not sent again unless they change.
    refused: Map<String, Value>,
}

/// A request that is repeated until it is answered.
#[derive(Debug)]
struct Request<T> {
    state: RequestState<T>,
    failures: u32,
}

#[derive(Debug, Default)]
enum RequestState<T> {
    #[default]
    Idle,
    Asked {
        request_id: String,
        deadline: Duration,
        content: T,
    },
    RetryAt(Duration),
}

impl<T> Default for Request<T> {
    fn default() -> Self {
        Self { state: RequestState::Idle, failures: 0 }
    }
}

impl<T> Request<T> {
    fn deadline(&self) -> Option<Duration> {
        match self.state {
            RequestState::Idle => None,
            RequestState::Asked { deadline, .. } => Some(deadline),
            RequestState::RetryAt(at) => Some(at),
        }
    }

    /// Takes the content when the answer is to this request.
    fn answered(&mut self, answer_to: &str) -> Option<T> {
        match std::mem::take(&mut self.state) {
            RequestState::Asked { request_id, content, .. } if request_id == answer_to => Some(content),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn succeeded(&mut self) {
        *self = Self::default();
    }

    fn failed(&mut self, now: Duration) {
        let wait = FIRST_RETRY.saturating_mul(1 << self.failures.min(10)).min(LONGEST_RETRY);
        self.failures += 1;
        self.state = RequestState::RetryAt(now + wait);
    }
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub enum TwinEvent<'a> {
    /// A connection stands and both twin subscriptions are acknowledged.
    Subscribed,
    /// An answer arrived on [`CloudTopic::TwinResponse`](super::CloudTopic::TwinResponse).
    Response {
        /// Status from the topic.
        status: u16,
        /// Request ID from the topic.
        request_id: &'a str,
        /// The body.
        payload: &'a [u8],
    },
    /// A change arrived on [`CloudTopic::DesiredPatch`](super::CloudTopic::DesiredPatch).
    Desired {
        /// `$version` from the topic.
        version: u64,
        /// The body: a merge patch.
        payload: &'a [u8],
    },
    /// Time has passed.
    Tick,
}

/// What to do next, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum TwinStep {
    /// Publish this.
    Publish(Publish),
    /// The desired properties are these now: apply them.
    Desired {
        /// The whole section, without `$version`.
        properties: Map<String, Value>,
        /// Its `$version`.
        version: u64,
    },
    /// Something went wrong that a person may want to know; the client goes on.
    Fault(String),
}

impl TwinClient {
    /// A client that wants nothing reported yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// When to feed [`TwinEvent::Tick`] if nothing happens before.
    pub fn deadline(&self) -> Option<Duration> {
        [self.get.deadline(), self.patch.deadline()].into_iter().flatten().min()
    }

    /// The version of the desired properties last seen, 0 before the first GET.
    pub fn desired_version(&self) -> u64 {
        self.desired_version
    }

    /// Whether everything wanted is known to be at the hub.
    pub fn is_reported(&self) -> bool {
        let is_idle = matches!(self.patch.state, RequestState::Idle);
        self.desired.is_some() && is_idle && self.outstanding().is_empty()
    }

    /// Wants `properties` reported, on top of what was wanted before; a null removes a property.
    pub fn report(&mut self, now: Duration, properties: Map<String, Value>) -> Vec<TwinStep> {
        self.wanted.extend(properties);
        self.next_patch(now).into_iter().collect()
    }

    /// Takes an event at `now` and says what to do.
    pub fn handle(&mut self, now: Duration, event: TwinEvent<'_>) -> Vec<TwinStep> {
        match event {
            TwinEvent::Subscribed => {
                self.get = Request::default();
                self.patch = Request::default();
                self.desired = None;
                self.pushed_version = 0;
                vec![self.ask(now)]
            }
            TwinEvent::Response { status, request_id, payload } => {
                if let Some(since) = self.get.answered(request_id) {
                    self.fetched(now, status, since, payload)
                } else if let Some(patch) = self.patch.answered(request_id) {
                    self.patched(now, status, patch, payload)
                } else {
                    Vec::new()
                }
            }
            TwinEvent::Desired { version, payload } => self.pushed(now, version, payload),
            TwinEvent::Tick => self.tick(now),
        }
    }

    fn tick(&mut self, now: Duration) -> Vec<TwinStep> {
        let mut steps = Vec::new();
        match self.get.state {
            RequestState::Asked { deadline, .. } if deadline <= now => {
                self.get.failed(now);
                steps.push(TwinStep::Fault("the hub did not answer the twin request".into()));
            }
            RequestState::RetryAt(at) if at <= now => steps.push(self.ask(now)),
            _ => {}
        }
        match &mut self.patch.state {
            RequestState::Asked { deadline, content, .. } if *deadline <= now => {
                let patch = std::mem::take(content);
                self.patch.failed(now);
                self.note_for_get(&patch);
                self.doubt(patch);
                steps.push(TwinStep::Fault("the hub did not answer the report of properties".into()));
            }
            RequestState::RetryAt(at) if *at <= now => {
                self.patch.state = RequestState::Idle;
                steps.extend(self.next_patch(now));
            }
            _ => {}
        }
        steps
    }

    fn request_id(&mut self) -> String {
        self.requests = self.requests.wrapping_add(1);
        self.requests.to_string()
    }

    fn ask(&mut self, now: Duration) -> TwinStep {
        let request_id = self.request_id();
        let topic = DeviceTopic::TwinGet { request_id: request_id.clone() }.to_string();
        let deadline = now + ANSWER_TIMEOUT;
        self.get.state = RequestState::Asked { request_id, deadline, content: Vec::new() };
        TwinStep::Publish(Publish { topic, payload: Vec::new() })
    }

    /// Whether the hub has taken this report is not known, or not whether `reported` is from before or after it.
    fn doubt(&mut self, patch: Map<String, Value>) {
        merge_perhaps(&mut self.reported, &patch);
        self.doubtful.extend(patch.into_iter().map(|(key, _)| key));
    }

    /// The hub may have read the twin that is under way before it took this report.
    fn note_for_get(&mut self, patch: &Map<String, Value>) {
        if let RequestState::Asked { content, .. } = &mut self.get.state {
            content.push(patch.clone());
        }
    }

    fn fetched(
        &mut self,
        now: Duration,
        status: u16,
        since: Vec<Map<String, Value>>,
        payload: &[u8],
    ) -> Vec<TwinStep> {
        let twin = match status {
            200 => parse_twin(payload),
            _ => Err(ParseError::body("twin", payload, format!("the hub answered {status}"))),
        };
        let Twin { desired, version, reported } = match twin {
            Ok(twin) => twin,
            Err(error) => {
                self.get.failed(now);
                return vec![TwinStep::Fault(error.to_string())];
            }
        };
        self.get.succeeded();
        self.reported = reported;
        self.doubtful.clear();
        for patch in since {
            self.doubt(patch);
        }
        let mut steps = Vec::new();
        // Pushes may have overtaken this answer, and led further than it.
        if self.desired.is_none() || version >= self.desired_version {
            self.desired = Some(desired.clone());
            self.desired_version = version;
            steps.push(TwinStep::Desired { properties: desired, version });
        }
        if self.pushed_version > self.desired_version {
            // A push overtook this answer; what it brought is missing here.
            steps.push(self.ask(now));
        }
        self.pushed_version = 0;
        steps.extend(self.next_patch(now));
        steps
    }

    fn pushed(&mut self, now: Duration, version: u64, payload: &[u8]) -> Vec<TwinStep> {
        let Some(desired) = &mut self.desired else {
            self.pushed_version = self.pushed_version.max(version);
            return Vec::new();
        };
        if version <= self.desired_version {
            return Vec::new();
        }
        if version == self.desired_version + 1 {
            match parse_object("desired properties", payload) {
                Ok(patch) => {
                    merge(desired, &without_dollar(patch));
                    self.desired_version = version;
                    return vec![TwinStep::Desired { properties: desired.clone(), version }];
                }
                Err(error) => {
                    let fault = TwinStep::Fault(error.to_string());
                    return if self.get.deadline().is_none() {
                        vec![fault, self.ask(now)]
                    } else {
                        vec![fault]
                    };
                }
            }
        }
        self.pushed_version = self.pushed_version.max(version);
        if self.get.deadline().is_none() { vec![self.ask(now)] } else { Vec::new() }
    }

    fn patched(
        &mut self,
        now: Duration,
        status: u16,
        patch: Map<String, Value>,
        payload: &[u8],
    ) -> Vec<TwinStep> {
        match status {
            200..300 => {
                self.patch.succeeded();
                self.note_for_get(&patch);
                merge(&mut self.reported, &patch);
                self.doubtful.retain(|key| !patch.contains_key(key));
                self.next_patch(now).into_iter().collect()
            }
            429 | 500.. => {
                self.patch.failed(now);
                vec![TwinStep::Fault(format!(
                    "the hub answered {status} to the report of properties; it is repeated"
                ))]
            }
            _ => {
                self.patch.succeeded();
                let names = patch.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                for (key, _) in patch {
                    let value = self.wanted.get(&key).cloned().unwrap_or_default();
                    self.refused.insert(key, value);
                }
                let words: String = String::from_utf8_lossy(payload).chars().take(200).collect();
                let fault = format!("the hub refused the report of {names} with {status} {words}");
                std::iter::once(TwinStep::Fault(fault)).chain(self.next_patch(now)).collect()
            }
        }
    }

    /// The wanted properties that the hub does not hold, or perhaps not.
    fn outstanding(&self) -> Map<String, Value> {
        let mut patch = Map::new();
        for (key, wanted) in &self.wanted {
            let known = self.reported.get(key).unwrap_or(&Value::Null);
            if (known != wanted || self.doubtful.contains(key)) && self.refused.get(key) != Some(wanted) {
                patch.insert(key.clone(), replace_value(known, wanted));
            }
        }
        patch
    }

    fn next_patch(&mut self, now: Duration) -> Option<TwinStep> {
        if self.desired.is_none() || !matches!(self.patch.state, RequestState::Idle) {
            return None;
        }
        let patch = self.outstanding();
        if patch.is_empty() {
            return None;
        }
        let request_id = self.request_id();
        let topic = DeviceTopic::ReportedPatch { request_id: request_id.clone() }.to_string();
        // A map of JSON values always serialises.
        let payload = serde_json::to_vec(&patch).unwrap_or_default();
        self.patch.state = RequestState::Asked { request_id, deadline: now + ANSWER_TIMEOUT, content: patch };
        Some(TwinStep::Publish(Publish { topic, payload }))
    }
}

struct Twin {
    desired: Map<String, Value>,
    version: u64,
    reported: Map<String, Value>,
}

fn parse_object(what: &'static str, payload: &[u8]) -> Result<Map<String, Value>, ParseError> {
    serde_json::from_slice(payload).map_err(|error| ParseError::body(what, payload, error.to_string()))
}

fn parse_twin(payload: &[u8]) -> Result<Twin, ParseError> {
    let mut twin = parse_object("twin", payload)?;
    let mut section = |name: &str| match twin.remove(name) {
        Some(Value::Object(section)) => Ok(section),
        Some(Value::Null) | None => Ok(Map::new()),
        Some(_) => Err(ParseError::body("twin", payload, format!("{name} is not an object"))),
    };
    let desired = section("desired")?;
    let reported = section("reported")?;
    let version = match desired.get("$version") {
        None => 0,
        Some(version) => version
            .as_u64()
            .ok_or_else(|| ParseError::body("twin", payload, "desired.$version is not a whole number"))?,
    };
    Ok(Twin { desired: without_dollar(desired), version, reported: without_dollar(reported) })
}
