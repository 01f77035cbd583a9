//! The device's side of one connection: its birth, and what is then said of twin and methods.
//!
//! ```text
//!  Unborn ── birth-ack with our nonce ──▶ Born: readings, patches and calls
//!    │  ▲
//!    └──┘ no answer: the birth is said again
//! ```
//!
//! The twin itself is the business of [`hub::TwinClient`](crate::hub::TwinClient), which is the same for both kinds of hubs:
//! what is to be reported, what is repeated, what is refused. Here its requests are put into envelopes, and answers and pushes
//! out of them.

mod calls;

use std::time::Duration;

use super::{
    Birth, BirthAck, CloudMessage, Correlation, DesiredPatch, DeviceMessage, Envelope, Received,
    ReportedPatch, ReportedPatchResponse, ReportedResult, Section, Sections, TwinGet, TwinGetResponse,
    TwinPush,
};
use crate::hub::DeviceTopic;
use crate::{ParseError, Publish};
use calls::Calls;

/// A birth that is not acknowledged so long after it was last said is said again: nothing here is delivered for certain.
const BIRTH_AGAIN: Duration = Duration::from_secs(5);
/// The sections that a birth asks for come within this time after its acknowledgement, or are asked for.
const PUSH_WITHIN: Duration = Duration::from_secs(5);
/// Requests that may be answered; the oldest is forgotten for a new one.
const MOST_PENDING: usize = 8;
/// The twin begins anew at most so often within [`ANEW_WITHIN`] because of what the hub says.
const MOST_ANEW: u32 = 5;
const ANEW_WITHIN: Duration = Duration::from_mins(1);

/// A message to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// What it says.
    pub envelope: Envelope<DeviceMessage>,
    /// Seconds after which nobody waits for it any more.
    pub expiry: Option<u32>,
}

/// What to do next, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Publish this.
    Publish(Outgoing),
    /// The hub knows that the device is there: readings may follow.
    Born,
    /// An answer to a request of the twin client.
    Answer {
        /// As a hub of the first kind would have it.
        status: u16,
        /// Of the request.
        request_id: String,
        /// As a hub of the first kind would have it.
        payload: Vec<u8>,
    },
    /// Desired properties have changed.
    Desired {
        /// After the change.
        version: u64,
        /// A merge patch.
        payload: Vec<u8>,
    },
    /// What is known of the twin holds no longer: the twin client has to fetch it anew.
    Anew,
    /// A call; [`Client::answer`] takes the answer.
    Call {
        /// Whose answer it is.
        request: Correlation,
        /// Of the method.
        name: String,
        /// The argument.
        params: Vec<u8>,
    },
}

/// A request of the twin client, by its ID there.
#[derive(Debug)]
struct Pending {
    correlation: Correlation,
    request_id: String,
    is_get: bool,
}

/// One connection, as a pure function of (time, event).
#[derive(Debug)]
pub struct Client {
    nonce: Correlation,
    /// Correlations given so far: each is the nonce and a number.
    given: u128,
    is_born: bool,
    /// When the birth was last said.
    birth_at: Duration,
    /// The first request for the twin, which pushes answer, and until when.
    first: Option<String>,
    first_until: Option<Duration>,
    /// Sections that are to come, and that have.
    expected: (bool, bool),
    pushed: TwinPush,
    pending: Vec<Pending>,
    desired_version: u64,
    reported_version: u64,
    /// How often the twin began anew, and since when that is counted.
    anew: (u32, Duration),
    calls: Calls,
}

impl Client {
    /// A connection whose user name carries this nonce, with a device that has these methods.
    pub fn new(nonce: Correlation, methods: &'static [&'static str]) -> Self {
        Self {
            nonce,
            given: 0,
            is_born: false,
            birth_at: Duration::ZERO,
            first: None,
            first_until: None,
            expected: (false, false),
            pushed: TwinPush::default(),
            pending: Vec::new(),
            desired_version: 0,
            reported_version: 0,
            anew: (0, Duration::ZERO),
            calls: Calls::new(methods),
        }
    }

    /// Whether the hub knows that the device is there.
    pub fn is_born(&self) -> bool {
        self.is_born
    }

    /// Says that the device is there. It keeps no session of MQTT and no twin over a connection, so that it knows nothing.
    pub fn birth(&mut self, now: Duration) -> Outgoing {
        self.birth_at = now;
        let birth = Birth { push_desired: true, push_reported: true, ..Birth::default() };
        outgoing(self.nonce, DeviceMessage::Birth(birth))
    }

    /// When to call [`Client::tick`] if nothing happens before.
    pub fn deadline(&self) -> Option<Duration> {
        let birth = (!self.is_born).then(|| self.birth_at + BIRTH_AGAIN);
        [birth, self.first_until, self.calls.deadline()].into_iter().flatten().min()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        if !self.is_born && self.birth_at + BIRTH_AGAIN <= now {
            steps.push(Step::Publish(self.birth(now)));
        }
        if self.first_until.is_some_and(|until| until <= now) {
            self.first_until = None;
            if let Some(request_id) = self.first.take() {
                steps.push(Step::Publish(self.get(request_id)));
            }
        }
        steps.extend(self.calls.tick(now).into_iter().map(Step::Publish));
        steps
    }

    /// What the twin client wants published, in the words of this kind of hub.
    pub fn ask(&mut self, message: Publish) -> Vec<Outgoing> {
        match message.topic.parse() {
            // The birth has asked for it already.
            Ok(DeviceTopic::TwinGet { request_id }) if !self.is_born || self.first.is_some() => {
                self.first = Some(request_id);
                Vec::new()
            }
            Ok(DeviceTopic::TwinGet { request_id }) => vec![self.get(request_id)],
            Ok(DeviceTopic::ReportedPatch { request_id }) => {
                let patch = ReportedPatch { if_match: self.reported_version, payload: message.payload };
                vec![self.request(request_id, DeviceMessage::ReportedPatch(patch))]
            }
            // The twin client asks for nothing else.
            _ => Vec::new(),
        }
    }

    fn get(&mut self, request_id: String) -> Outgoing {
        let get = TwinGet { sections: Sections::Both.into(), ..TwinGet::default() };
        self.request(request_id, DeviceMessage::Get(get))
    }

    fn request(&mut self, request_id: String, message: DeviceMessage) -> Outgoing {
        let correlation = self.fresh();
        if self.pending.len() == MOST_PENDING {
            self.pending.remove(0);
        }
        let is_get = matches!(message, DeviceMessage::Get(_));
        self.pending.push(Pending { correlation, request_id, is_get });
        outgoing(correlation, message)
    }

    fn fresh(&mut self) -> Correlation {
        self.given += 1;
        Correlation(u128::from_be_bytes(self.nonce.0).wrapping_add(self.given).to_be_bytes())
    }

    /// What the hub has published, which `expiry` seconds after that nobody waits for any more.
    ///
    /// # Errors
    ///
    /// Where it can't be read. What is of an unknown kind, or for another connection, is passed over.
    pub fn receive(
        &mut self,
        now: Duration,
        received: Received<'_>,
        expiry: Option<u32>,
    ) -> Result<Vec<Step>, ParseError> {
        let Some(Envelope { correlation, message }) = CloudMessage::read(received)? else {
            return Ok(Vec::new());
        };
        let is_ours = correlation == self.nonce;
        Ok(match message {
            CloudMessage::BirthAck(ack) if is_ours && !self.is_born => self.born(now, ack),
            CloudMessage::TwinPush(push) if is_ours && self.is_born => self.pushed(now, push),
            CloudMessage::DesiredPatch(patch) if is_ours && self.is_born => self.desired(now, patch),
            CloudMessage::GetResponse(response) => self.got(correlation, response).into_iter().collect(),
            CloudMessage::ReportedPatchResponse(response) => {
                self.patched(now, correlation, response).into_iter().collect()
            }
            CloudMessage::Probe(probe) => {
                let ready = self.fresh();
                self.calls
                    .probe(now, correlation, ready, probe, expiry)
                    .map(Step::Publish)
                    .into_iter()
                    .collect()
            }
            CloudMessage::Exec(exec) => self.calls.exec(now, correlation, exec, expiry).into_iter().collect(),
            CloudMessage::BirthAck(_) | CloudMessage::TwinPush(_) | CloudMessage::DesiredPatch(_) => {
                Vec::new()
            }
        })
    }

    /// The answer to a call. `None`: nobody waits for it any more.
    pub fn answer(
        &mut self,
        now: Duration,
        request: Correlation,
        status: i32,
        body: Vec<u8>,
    ) -> Option<Outgoing> {
        self.calls.answer(now, request, status, body)
    }

    fn born(&mut self, now: Duration, ack: BirthAck) -> Vec<Step> {
        self.is_born = true;
        // The birth knew of no version.
        self.expected = (ack.desired_version != 0, ack.reported_version != 0);
        self.first_until = Some(now + PUSH_WITHIN);
        let mut steps = vec![Step::Born];
        steps.extend(self.answered_by_pushes());
        steps
    }

    fn pushed(&mut self, now: Duration, push: TwinPush) -> Vec<Step> {
        if self.first_until.is_none() {
            // Nobody has asked for it: the twin is another one.
            let is_news = |section: Option<&Section>, version| section.is_some_and(|s| s.version != version);
            let is_news = is_news(push.desired.as_ref(), self.desired_version)
                || is_news(push.reported.as_ref(), self.reported_version);
            return if is_news { self.begin_anew(now).into_iter().collect() } else { Vec::new() };
        }
        // One message may bring both, or each its own.
        self.pushed.desired = push.desired.or(self.pushed.desired.take());
        self.pushed.reported = push.reported.or(self.pushed.reported.take());
        self.answered_by_pushes().into_iter().collect()
    }

    /// The answer to the first request for the twin, once all is there that makes it.
    fn answered_by_pushes(&mut self) -> Option<Step> {
        let (desired, reported) = self.expected;
        let missing = desired && self.pushed.desired.is_none() || reported && self.pushed.reported.is_none();
        if missing {
            return None;
        }
        self.first_until = None;
        let TwinPush { desired, reported } = std::mem::take(&mut self.pushed);
        let (desired, reported) = (desired.unwrap_or_default(), reported.unwrap_or_default());
        let request_id = self.first.take()?;
        Some(self.fetched(request_id, desired, reported))
    }

    fn got(&mut self, correlation: Correlation, response: TwinGetResponse) -> Option<Step> {
        let request_id = self.answered(correlation, true)?;
        let TwinGetResponse { desired_version, reported_version, desired_payload, reported_payload } =
            response;
        let desired = Section { version: desired_version, payload: desired_payload.unwrap_or_default() };
        let reported = Section { version: reported_version, payload: reported_payload.unwrap_or_default() };
        Some(self.fetched(request_id, desired, reported))
    }

    /// The twin, as the twin client knows it.
    fn fetched(&mut self, request_id: String, desired: Section, reported: Section) -> Step {
        self.desired_version = desired.version;
        self.reported_version = reported.version;
        let [desired, reported] = [desired, reported].map(|section| with_version(&section));
        let payload = [b"{\"desired\":", &*desired, b",\"reported\":", &reported, b"}"].concat();
        Step::Answer { status: 200, request_id, payload }
    }

    fn answered(&mut self, correlation: Correlation, is_get: bool) -> Option<String> {
        let place = self.pending.iter().position(|p| p.correlation == correlation && p.is_get == is_get)?;
        Some(self.pending.remove(place).request_id)
    }

    fn desired(&mut self, now: Duration, patch: DesiredPatch) -> Vec<Step> {
        let DesiredPatch { version, payload } = patch;
        let follows = version == self.desired_version + 1;
        if version == self.desired_version && self.first.is_none() {
            return Vec::new();
        }
        // One without a body tells the version alone; one that is lower, that the twin was replaced. While the twin is under
        // way the twin client makes up its mind itself.
        if self.first.is_none() && (payload.is_empty() || version < self.desired_version) {
            return self.begin_anew(now).into_iter().collect();
        }
        if follows {
            self.desired_version = version;
        }
        vec![Step::Desired { version, payload }]
    }

    fn patched(
        &mut self,
        now: Duration,
        correlation: Correlation,
        response: ReportedPatchResponse,
    ) -> Option<Step> {
        let request_id = self.answered(correlation, false)?;
        let answer = |status, words: &str| {
            Some(Step::Answer { status, request_id: request_id.clone(), payload: words.into() })
        };
        match response.result() {
            ReportedResult::Ok => {
                self.reported_version = response.version;
                answer(204, "")
            }
            ReportedResult::VersionMismatch => {
                self.reported_version = response.version;
                // Somebody else has written there. What is to be reported depends on what it is now.
                self.begin_anew(now).or_else(|| answer(503, ""))
            }
            ReportedResult::PayloadInvalid => answer(400, "payload invalid"),
            ReportedResult::PayloadTooLarge => answer(413, "payload too large"),
            ReportedResult::InternalError | ReportedResult::Unspecified => answer(500, ""),
        }
    }

    /// Has the twin fetched anew, unless the hub has caused that too often.
    fn begin_anew(&mut self, now: Duration) -> Option<Step> {
        let (count, since) = &mut self.anew;
        if now >= *since + ANEW_WITHIN {
            (*count, *since) = (0, now);
        }
        *count += 1;
        (*count <= MOST_ANEW).then_some(Step::Anew)
    }
}

fn outgoing(correlation: Correlation, message: DeviceMessage) -> Outgoing {
    Outgoing { envelope: Envelope { correlation, message }, expiry: None }
}

/// A section with its version as the last of its members, as hubs of the first kind write it.
fn with_version(section: &Section) -> Vec<u8> {
    let Section { version, payload } = section;
    let payload = payload.trim_ascii();
    let payload = if payload.is_empty() { b"{}" } else { payload };
    let Some(members) = payload.strip_suffix(b"}") else {
        // No object: whoever reads it says so.
        return payload.to_vec();
    };
    let comma = if members.trim_ascii() == b"{" { "" } else { "," };
    [members, format!("{comma}\"$version\":{version}}}").as_bytes()].concat()
}

#[cfg(test)]
mod tests;
