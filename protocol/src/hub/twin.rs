//! The device's side of its twin: fetch, follow the pushes, report what has changed.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Map, Value};

use super::DeviceTopic;
use super::merge_patch::{merge, merge_perhaps, replace_value, without_dollar};
use crate::{ParseError, Publish};

/// How long the twin may take to come before it is asked for again: without it no setting of this connection is known.
const TWIN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an answer to a report may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests for the twin of which any may still be answered: the answer to an earlier one is as good.
const MOST_GETS: usize = 8;
/// Reports that may end while the twin is asked for; after more of them only a new request counts.
const MOST_SINCE: usize = 64;
/// Wait before a failed request is repeated; doubles up to [`LONGEST_RETRY`].
const FIRST_RETRY: Duration = Duration::from_secs(5);
const LONGEST_RETRY: Duration = Duration::from_mins(10);
/// Bytes of JSON that a report has at the most. A section has 32 KB in the hub's way of counting, which counts neither
/// quotes nor escapes.
const LARGEST_PATCH: usize = 64 * 1024;
/// Twins that are asked for at once within [`EAGER_WITHIN`] because of what a hub pushes; later ones wait as failed ones do.
const EAGER: u32 = 5;
const EAGER_WITHIN: Duration = Duration::from_mins(1);
/// Names that are told of a report that failed.
const NAMED: usize = 5;

/// A device's view of its twin, as a pure function of (time, event).
///
/// After every connect: subscribe, GET, then apply pushes whose `$version` follows the one fetched. A push that is
/// older is dropped, one that leaves a gap leads to another GET. What the device wants to report is kept across
/// connections, sent as the difference to what the hub is known to hold, one request at a time, and repeated until
/// the hub has taken it. What is known to matter goes first, and for itself: the rest can neither fill its messages nor
/// have them refused.
#[derive(Debug, Default)]
pub struct TwinClient {
    requests: u32,
    get: Request<()>,
    /// IDs of the requests for the twin that are not answered yet.
    gets: Vec<String>,
    /// Reports that have ended since the first of them: the answer may be from before these.
    since_get: Vec<Map<String, Value>>,
    patch: Request<Map<String, Value>>,
    /// The desired section as last known, without `$version`; `None` until the first GET of this connection.
    desired: Option<Map<String, Value>>,
    desired_version: u64,
    /// Twins asked for because of pushes, and since when they are counted.
    eager: (u32, Duration),
    /// Highest version pushed while the GET was under way.
    pushed_version: u64,
    /// The reported section as the hub is known to hold it.
    reported: Map<String, Value>,
    /// Keys of reports that the hub may have taken or not, as far as is known. They count as outstanding, and in `reported`
    /// stands all that may be there.
    doubtful: BTreeSet<String>,
    /// What it should hold. A null stands for "not there".
    wanted: Map<String, Value>,
    /// What it should hold besides, once it holds that; `None` as long as nobody has said.
    spare: Option<Map<String, Value>>,
    /// Keys of a report that was refused as a whole: each is reported for itself.
    alone: BTreeSet<String>,
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
    /// A connection has begun. The hub's answers have no way yet, so that nothing is asked for.
    Connected,
    /// Both twin subscriptions of the connection are acknowledged, or were asked for just before.
    Subscribed,
    /// The hub has accepted the connection: what was asked before that can be answered from now on.
    Accepted,
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
        /// Names of the properties that the push stated, changed or not; `None` where the twin was fetched.
        stated: Option<BTreeSet<String>>,
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
        self.desired.is_some() && is_idle && self.outstanding().next().is_none()
    }

    /// Whether the twin of this connection is known.
    pub fn is_fetched(&self) -> bool {
        self.desired.is_some()
    }

    /// What was last wanted reported under this name, or else what the hub is known to hold there.
    pub fn last_reported(&self, name: &str) -> Option<&Value> {
        self.wanted.get(name).or_else(|| self.reported.get(name))
    }

    /// Wants `properties` reported, on top of what was wanted before; a null removes a property.
    pub fn report(&mut self, now: Duration, properties: Map<String, Value>) -> Vec<TwinStep> {
        self.wanted.extend(properties);
        self.next_patch(now)
    }

    /// Wants these reported too, after all that [`Self::report`] was told, and in messages of their own. They take the
    /// place of those that were named so before. Answers to desired properties that are among neither, as an earlier
    /// program may have left them, are removed.
    pub fn report_spare(&mut self, now: Duration, properties: Map<String, Value>) -> Vec<TwinStep> {
        self.spare = Some(properties);
        self.next_patch(now)
    }

    /// Takes an event at `now` and says what to do.
    pub fn handle(&mut self, now: Duration, event: TwinEvent<'_>) -> Vec<TwinStep> {
        match event {
            TwinEvent::Connected => {
                self.forget_connection();
                Vec::new()
            }
            TwinEvent::Subscribed => {
                self.forget_connection();
                vec![self.ask(now)]
            }
            TwinEvent::Accepted => {
                if let RequestState::Asked { deadline, .. } = &mut self.get.state {
                    *deadline = now + TWIN_TIMEOUT;
                }
                Vec::new()
            }
            TwinEvent::Response { status, request_id, payload } => {
                if let Some(place) = self.gets.iter().position(|id| id == request_id) {
                    self.gets.remove(place);
                    self.fetched(now, status, payload)
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

    /// What was asked on the connection before is not answered any more, and what was known is fetched anew.
    fn forget_connection(&mut self) {
        self.get = Request::default();
        self.forget_gets();
        self.patch = Request::default();
        self.desired = None;
        self.pushed_version = 0;
    }

    fn forget_gets(&mut self) {
        self.gets.clear();
        self.since_get.clear();
    }

    fn tick(&mut self, now: Duration) -> Vec<TwinStep> {
        let mut steps = Vec::new();
        match self.get.state {
            RequestState::Asked { deadline, .. } if deadline <= now => {
                let first = self.get.failures == 0;
                self.get.failed(now);
                steps.push(TwinStep::Fault("the hub did not answer the twin request".into()));
                // One answer may be lost; who is silent again is given time.
                if first {
                    steps.push(self.ask(now));
                }
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
        if self.gets.len() == MOST_GETS {
            self.gets.remove(0);
        }
        self.gets.push(request_id.clone());
        self.get.state = RequestState::Asked { request_id, deadline: now + TWIN_TIMEOUT, content: () };
        TwinStep::Publish(Publish { topic, payload: Vec::new() })
    }

    /// Whether the hub has taken this report is not known, or not whether `reported` is from before or after it.
    fn doubt(&mut self, patch: Map<String, Value>) {
        merge_perhaps(&mut self.reported, &patch);
        self.doubtful.extend(patch.into_iter().map(|(key, _)| key));
    }

    /// The hub may have read the twin that is under way before it took this report.
    fn note_for_get(&mut self, patch: &Map<String, Value>) {
        if self.since_get.len() == MOST_SINCE {
            self.forget_gets();
        }
        if !self.gets.is_empty() {
            self.since_get.push(patch.clone());
        }
    }

    fn fetched(&mut self, now: Duration, status: u16, payload: &[u8]) -> Vec<TwinStep> {
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
        for patch in std::mem::take(&mut self.since_get) {
            self.doubt(patch);
        }
        self.forget_gets();
        let mut steps = Vec::new();
        // Pushes may have overtaken this answer, and led further than it.
        if self.desired.is_none() || version >= self.desired_version {
            self.desired = Some(desired.clone());
            self.desired_version = version;
            steps.push(TwinStep::Desired { properties: desired, version, stated: None });
        }
        if self.pushed_version > self.desired_version {
            // A push overtook this answer; what it brought is missing here.
            steps.extend(self.ask_because_of_push(now));
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
                    let patch = without_dollar(patch);
                    merge(desired, &patch);
                    self.desired_version = version;
                    let stated = Some(patch.into_iter().map(|(name, _)| name).collect());
                    return vec![TwinStep::Desired { properties: desired.clone(), version, stated }];
                }
                Err(error) => {
                    let fault = TwinStep::Fault(error.to_string());
                    return std::iter::once(fault).chain(self.ask_because_of_push(now)).collect();
                }
            }
        }
        self.pushed_version = self.pushed_version.max(version);
        self.ask_because_of_push(now).into_iter().collect()
    }

    /// Asks for the twin, unless it is asked for already. A hub that pushes nonsense without end does not have it fetched
    /// without end.
    fn ask_because_of_push(&mut self, now: Duration) -> Option<TwinStep> {
        if self.get.deadline().is_some() {
            return None;
        }
        let (count, since) = &mut self.eager;
        if now >= *since + EAGER_WITHIN {
            (*count, *since) = (0, now);
        }
        *count += 1;
        if *count <= EAGER {
            Some(self.ask(now))
        } else {
            self.get.failed(now);
            None
        }
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
                self.alone.retain(|key| !patch.contains_key(key));
                self.next_patch(now)
            }
            429 | 500.. => {
                self.patch.failed(now);
                // What is turned away for the load was not taken; another error may have come after that.
                if !matches!(status, 429 | 503) {
                    self.note_for_get(&patch);
                    self.doubt(patch);
                }
                vec![TwinStep::Fault(format!(
                    "the hub answered {status} to the report of properties; it is repeated"
                ))]
            }
            _ => {
                self.patch.succeeded();
                let mut names = patch.keys().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
                if patch.len() > NAMED {
                    names += &format!(" and {} more", patch.len() - NAMED);
                }
                let words: String = String::from_utf8_lossy(payload).chars().take(200).collect();
                let mut fault = format!("the hub refused the report of {names} with {status} {words}");
                if patch.len() > 1 && patch.keys().all(|key| !self.is_spare(key)) {
                    fault += "; each is reported for itself now";
                    self.alone.extend(patch.into_iter().map(|(key, _)| key));
                } else {
                    for (key, _) in patch {
                        self.refuse(key);
                    }
                }
                let mut steps = vec![TwinStep::Fault(fault)];
                steps.extend(self.next_patch(now));
                steps
            }
        }
    }

    /// It is not reported again as it is.
    fn refuse(&mut self, key: String) {
        self.alone.remove(&key);
        let value = self.wish(&key).unwrap_or(&Value::Null).clone();
        self.refused.insert(key, value);
    }

    fn is_spare(&self, key: &str) -> bool {
        self.spare.as_ref().is_some_and(|spare| spare.contains_key(key)) && !self.wanted.contains_key(key)
    }

    /// What the hub should hold under this name.
    fn wish(&self, key: &str) -> Option<&Value> {
        self.wanted.get(key).or_else(|| self.spare.as_ref()?.get(key))
    }

    /// The properties that the hub does not hold as they are wanted, or perhaps not: those that are to go, as the others
    /// may need their room, those that matter, and the rest.
    fn outstanding(&self) -> impl Iterator<Item = (&String, &Value)> {
        let left = self.reported.iter().filter(|(key, value)| {
            self.spare.is_some() && value.get("ac").is_some() && self.wish(key).is_none()
        });
        let gone = left.map(|(key, _)| (key, &Value::Null));
        let spare = self.spare.iter().flatten().filter(|(key, _)| !self.wanted.contains_key(*key));
        gone.chain(&self.wanted).chain(spare).filter(|(key, wish)| {
            let known = self.reported.get(*key).unwrap_or(&Value::Null);
            (known != *wish || self.doubtful.contains(*key)) && self.refused.get(*key) != Some(*wish)
        })
    }

    /// The next report that is due, and the names of those properties that no report can hold.
    fn outstanding_patch(&self) -> (Map<String, Value>, Vec<String>) {
        let (mut patch, mut oversized) = (Map::new(), Vec::new());
        let mut left = LARGEST_PATCH;
        let mut spare = None;
        for (key, wish) in self.outstanding() {
            let change = replace_value(self.reported.get(key).unwrap_or(&Value::Null), wish);
            let size = key.len() + change.to_string().len() + 8;
            if size > LARGEST_PATCH {
                oversized.push(key.clone());
                continue;
            }
            let ends = size > left || *spare.get_or_insert(self.is_spare(key)) != self.is_spare(key);
            if ends || !patch.is_empty() && self.alone.contains(key) {
                break;
            }
            left -= size;
            patch.insert(key.clone(), change);
            if self.alone.contains(key) {
                break;
            }
        }
        (patch, oversized)
    }

    fn next_patch(&mut self, now: Duration) -> Vec<TwinStep> {
        if self.desired.is_none() || !matches!(self.patch.state, RequestState::Idle) {
            return Vec::new();
        }
        let (patch, oversized) = self.outstanding_patch();
        let mut steps = Vec::new();
        for key in oversized {
            steps.push(TwinStep::Fault(format!("{key} is too large to be reported")));
            self.refuse(key);
        }
        if patch.is_empty() {
            return steps;
        }
        let request_id = self.request_id();
        let topic = DeviceTopic::ReportedPatch { request_id: request_id.clone() }.to_string();
        // A map of JSON values always serialises.
        let payload = serde_json::to_vec(&patch).unwrap_or_default();
        self.patch.state = RequestState::Asked { request_id, deadline: now + ANSWER_TIMEOUT, content: patch };
        steps.push(TwinStep::Publish(Publish { topic, payload }));
        steps
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
