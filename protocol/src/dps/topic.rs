//! Topics on which a device asks DPS, and on which DPS answers.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::{ParseError, query};

/// What a device subscribes to before it asks anything.
pub const RESPONSE_FILTER: &str = "$dps/registrations/res/#";

const REGISTER: &str = "$dps/registrations/PUT/iotdps-register/";
const POLL: &str = "$dps/registrations/GET/iotdps-get-operationstatus/";
const RESPONSE: &str = "$dps/registrations/res/";

/// A topic on which a device asks DPS something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Register me; the body is a [`RegisterRequest`](super::RegisterRequest).
    Register {
        /// Chosen by the device, echoed in the response; unique within the connection.
        request_id: String,
    },
    /// How is my registration going? The body is not looked at.
    Poll {
        /// As for `Register`.
        request_id: String,
        /// The opaque ID from the answer to `Register`.
        operation_id: String,
    },
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Register { request_id } => write!(f, "{REGISTER}?$rid={request_id}"),
            Self::Poll { request_id, operation_id } => {
                write!(f, "{POLL}?$rid={request_id}&operationId={operation_id}")
            }
        }
    }
}

impl FromStr for Request {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why: &str| ParseError::new("DPS request topic", text, why);
        let field = |query, key: &str| {
            query::value(query, key).map(str::to_owned).ok_or_else(|| bad(&format!("{key} is missing")))
        };
        if let Some(query) = text.strip_prefix(REGISTER).and_then(|rest| rest.strip_prefix('?')) {
            Ok(Self::Register { request_id: field(query, "$rid")? })
        } else if let Some(query) = text.strip_prefix(POLL).and_then(|rest| rest.strip_prefix('?')) {
            Ok(Self::Poll { request_id: field(query, "$rid")?, operation_id: field(query, "operationId")? })
        } else {
            Err(bad("it is neither a registration nor a status request"))
        }
    }
}

/// The topic of an answer: `$dps/registrations/res/{status}/?$rid={rid}[&retry-after={seconds}]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// How the request fared, as in HTTP. 200 does not mean "assigned": the body decides.
    pub status: u16,
    /// The ID of the request.
    pub request_id: String,
    /// Ask again no sooner than this; whole seconds.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Response {
    /// `$rid` comes first: the parsers of some SDKs insist on it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{RESPONSE}{}/?$rid={}", self.status, self.request_id)?;
        match self.retry_after {
            Some(wait) => write!(f, "&retry-after={}", wait.as_secs()),
            None => Ok(()),
        }
    }
}

impl FromStr for Response {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why: String| ParseError::new("DPS response topic", text, why);
        let rest =
            text.strip_prefix(RESPONSE).ok_or_else(|| bad(format!("it does not begin with {RESPONSE}")))?;
        let (status, query) = rest.split_once("/?").ok_or_else(|| bad("no /? after the status".into()))?;
        let request_id = query::value(query, "$rid").ok_or_else(|| bad("$rid is missing".into()))?;
        let retry_after = query::value(query, "retry-after")
            .map(|seconds| {
                let number = !seconds.is_empty() && seconds.bytes().all(|byte| byte.is_ascii_digit());
                // What is too large for a number is still a wait, and a long one.
                let seconds = number.then(|| seconds.parse().unwrap_or(u64::MAX));
                seconds.ok_or_else(|| bad("retry-after is not a number of seconds".into()))
            })
            .transpose()?;
        Ok(Self {
            status: status.parse().map_err(|_| bad(format!("{status:?} is not a status code")))?,
            request_id: request_id.into(),
            retry_after: retry_after.map(Duration::from_secs),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn responses_parse_in_either_order() {
        let expected =
            Response { status: 202, request_id: "1".into(), retry_after: Some(Duration::from_secs(3)) };
        assert_eq!("$dps/registrations/res/202/?$rid=1&retry-after=3".parse(), Ok(expected.clone()));
        assert_eq!("$dps/registrations/res/202/?retry-after=3&$rid=1".parse(), Ok(expected.clone()));
        assert_eq!(expected.to_string(), "$dps/registrations/res/202/?$rid=1&retry-after=3");
    }

    #[test]
    fn errors_say_where() {
        let error = |text: &str| text.parse::<Response>().unwrap_err().to_string();
        assert!(error("$dps/registrations/res/abc/?$rid=1").contains("\"abc\" is not a status code"));
        assert!(error("$dps/registrations/res/200/?rid=1").contains("$rid is missing"));
        assert!(error("$dps/registrations/res/200/?$rid=1&retry-after=soon").contains("retry-after=soon"));
        assert!(error("$iothub/twin/res/200/?$rid=1").contains("does not begin with"));
    }
}
