//! A device's request for a new certificate, between the answer that it is taken and the certificates: a pure function of
//! time and what is asked.
//!
//! ```text
//!  ask ─▶ 202, pending ─ due ─▶ issued or refused ─ device subscribed ─▶ 200 or 4xx, delivered
//!             │ replace: forgotten, another takes its place           └ the same request again: 202, and the same 200
//!             └ expires: forgotten
//! ```

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use tracker_protocol::hub::{CredentialErrorInfo, IssueAccepted, IssueRequest, RENEWING_API_VERSION};

use crate::{clock::wire_time, id::guid};

/// How long a hub remembers a request that it can't answer.
const REMEMBERED: TimeDelta = TimeDelta::hours(12);

/// Lengths of a request ID.
const REQUEST_ID: std::ops::RangeInclusive<usize> = 4..=36;

/// Why a hub issues no certificate: Azure's number and words.
#[derive(Debug)]
pub(super) struct CredentialRefusal {
    /// Six digits, the first three as in HTTP.
    pub code: u32,
    pub message: String,
    /// Seconds.
    pub retry_after: Option<u64>,
    pub info: Option<Box<CredentialErrorInfo>>,
}

impl CredentialRefusal {
    pub(super) fn new(code: u32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), retry_after: None, info: None }
    }
}

/// The newest request of a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Renewal {
    pub request_id: String,
    /// As it was sent.
    pub csr: String,
    pub correlation_id: String,
    expires: DateTime<Utc>,
    /// When the certificates are there; `None` if they never are, by a fault.
    due: Option<DateTime<Utc>>,
    is_delivered: bool,
    /// What was issued: base64 of DER each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificates: Option<Vec<String>>,
}

/// Whether a text can be the ID of a request: 4 to 36 letters, digits and dashes, no dash first or last.
pub(super) fn is_request_id(text: &str) -> bool {
    REQUEST_ID.contains(&text.len())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether an API version knows of renewal.
pub(super) fn renews(api_version: Option<&str>) -> bool {
    // Versions begin with their date.
    api_version.is_some_and(|version| version.get(..10) >= RENEWING_API_VERSION.get(..10))
}

/// Takes a request in the place of `known`, or again, or says why not. `delay`: until the certificates are there; `None`
/// if they never are. `older_numbers`: a conflict is 409004, as it was seen in January 2026, and not 409005.
pub(super) fn ask(
    known: &mut Option<Renewal>,
    request_id: &str,
    asked: IssueRequest,
    now: DateTime<Utc>,
    delay: Option<TimeDelta>,
    older_numbers: bool,
) -> Result<IssueAccepted, CredentialRefusal> {
    known.take_if(|renewal| renewal.is_over(now));
    if let Some(renewal) = known.as_mut()
        && renewal.request_id == request_id
        && renewal.csr == asked.csr
        && (!renewal.is_delivered || renewal.certificates.is_some())
    {
        if renewal.is_delivered {
            renewal.is_delivered = false;
            renewal.due = Some(now);
        }
        return Ok(renewal.accepted());
    }
    let pending = known.as_ref().filter(|renewal| !renewal.is_delivered);
    match (pending, asked.replace.as_deref()) {
        (None, None) | (_, Some("*")) => {}
        (Some(pending), Some(named)) if pending.request_id == named => {}
        (Some(pending), None) => return Err(pending.conflict(older_numbers)),
        (_, Some(named)) => {
            let info = CredentialErrorInfo { request_id: Some(named.to_owned()), ..Default::default() };
            return Err(CredentialRefusal {
                info: Some(Box::new(info)),
                ..CredentialRefusal::new(412_001, "replace names a request that is not pending")
            });
        }
    }
    let renewal = known.insert(Renewal {
        request_id: request_id.to_owned(),
        csr: asked.csr,
        correlation_id: guid(),
        expires: now + REMEMBERED,
        due: delay.map(|delay| now + delay),
        is_delivered: false,
        certificates: None,
    });
    Ok(renewal.accepted())
}

impl Renewal {
    /// When it has to be looked after; `None` if nothing comes of time.
    pub(super) fn wakes(&self) -> Option<DateTime<Utc>> {
        self.due.filter(|_| !self.is_delivered)
    }

    /// Whether its answer is to be given now.
    pub(super) fn is_due(&self, now: DateTime<Utc>) -> bool {
        !self.is_over(now) && self.wakes().is_some_and(|due| due <= now)
    }

    /// What was issued before, for a request that is made again.
    pub(super) fn certificates(&self) -> Option<&Vec<String>> {
        self.certificates.as_ref()
    }

    /// The answer goes out.
    pub(super) fn deliver(&mut self, certificates: Option<Vec<String>>) {
        self.is_delivered = true;
        self.certificates = certificates;
    }

    pub(super) fn info(&self) -> CredentialErrorInfo {
        CredentialErrorInfo {
            correlation_id: Some(self.correlation_id.clone()),
            request_id: Some(self.request_id.clone()),
            operation_expires: Some(wire_time::print(self.expires)),
            ..CredentialErrorInfo::default()
        }
    }

    fn is_over(&self, now: DateTime<Utc>) -> bool {
        self.expires <= now
    }

    fn accepted(&self) -> IssueAccepted {
        IssueAccepted {
            correlation_id: self.correlation_id.clone(),
            operation_expires: wire_time::print(self.expires),
        }
    }

    fn conflict(&self, older_numbers: bool) -> CredentialRefusal {
        let code = if older_numbers { 409_004 } else { 409_005 };
        CredentialRefusal {
            info: Some(Box::new(self.info())),
            ..CredentialRefusal::new(code, "another request of this device is pending")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn asked(csr: &str, replace: Option<&str>) -> IssueRequest {
        IssueRequest { id: "d".into(), csr: csr.into(), replace: replace.map(str::to_owned) }
    }

    fn ask_for(
        known: &mut Option<Renewal>,
        id: &str,
        request: IssueRequest,
        now: i64,
    ) -> Result<IssueAccepted, u32> {
        let delay = Some(TimeDelta::seconds(5));
        ask(known, id, request, at(now), delay, false).map_err(|refusal| refusal.code)
    }

    #[test]
    fn one_request_is_pending_at_a_time_unless_it_is_replaced() {
        let mut known = None;
        let first = ask_for(&mut known, "rid-1", asked("a", None), 0).expect("taken");
        assert_eq!(first.operation_expires, "1970-01-01T12:00:00.0000000Z");
        assert_eq!(ask_for(&mut known, "rid-1", asked("a", None), 1), Ok(first.clone()), "the same again");
        assert_eq!(ask_for(&mut known, "rid-2", asked("a", None), 1), Err(409_005));
        assert_eq!(ask_for(&mut known, "rid-1", asked("b", None), 1), Err(409_005), "another request");
        let older = ask(&mut known, "rid-2", asked("a", None), at(1), None, true).expect_err("pending");
        assert_eq!(older.code, 409_004);
        assert_eq!(older.info.and_then(|info| info.request_id).as_deref(), Some("rid-1"));
        assert_eq!(ask_for(&mut known, "rid-2", asked("a", Some("rid-9")), 1), Err(412_001));
        let second = ask_for(&mut known, "rid-2", asked("a", Some("rid-1")), 2).expect("replaced");
        assert_ne!(second, first);
        ask_for(&mut known, "rid-3", asked("a", Some("*")), 3).expect("replaced");
        assert_eq!(known.expect("pending").request_id, "rid-3");
    }

    #[test]
    fn an_answer_is_given_when_it_is_due_and_again_to_the_same_request() {
        let mut known = None;
        ask_for(&mut known, "rid-1", asked("a", None), 0).expect("taken");
        let due =
            |known: &Option<Renewal>, now| known.as_ref().is_some_and(|renewal| renewal.is_due(at(now)));
        assert!(!due(&known, 4));
        assert!(due(&known, 5));
        known.as_mut().expect("pending").deliver(Some(vec!["leaf".into()]));
        assert!(!due(&known, 6), "once");
        ask_for(&mut known, "rid-1", asked("a", None), 60).expect("taken again");
        assert!(due(&known, 60));
        assert_eq!(known.as_ref().and_then(Renewal::certificates).map(Vec::len), Some(1));
        known.as_mut().expect("pending").deliver(Some(vec!["leaf".into()]));
        ask_for(&mut known, "rid-2", asked("a", None), 61).expect("the first is done with");
        assert!(!due(&known, 61));
    }

    #[test]
    fn a_request_is_forgotten_when_it_expires() {
        let mut known = None;
        ask_for(&mut known, "rid-1", asked("a", None), 0).expect("taken");
        let hours = 12 * 3600;
        assert!(!known.as_ref().expect("pending").is_due(at(hours)));
        assert_eq!(ask_for(&mut known, "rid-2", asked("a", Some("rid-1")), hours), Err(412_001));
        ask_for(&mut known, "rid-2", asked("a", None), hours).expect("nothing is pending");
    }

    #[test]
    fn request_ids_are_of_4_to_36_letters_digits_and_dashes() {
        for good in ["abcd", "a--1", "0123456789abcdef0123456789abcdef0123"] {
            assert!(is_request_id(good), "{good}");
        }
        for bad in
            ["", "abc", "-abc", "abc-", "ab_d", "ab d", "äbcd", "0123456789abcdef0123456789abcdef01234"]
        {
            assert!(!is_request_id(bad), "{bad}");
        }
    }
}
