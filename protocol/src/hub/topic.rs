//! Topics between a device and its hub: telemetry, messages from the cloud, device twin, direct methods.

use std::fmt;
use std::str::FromStr;

use crate::{ParseError, PropertyBag, percent, query};

/// Answers to twin requests.
pub const TWIN_RESPONSE_FILTER: &str = "$iothub/twin/res/#";
/// Changes of desired properties.
pub const TWIN_DESIRED_FILTER: &str = "$iothub/twin/PATCH/properties/desired/#";
/// Calls of direct methods.
pub const METHOD_FILTER: &str = "$iothub/methods/POST/#";
/// Answers to requests for certificates.
pub const CREDENTIALS_FILTER: &str = "$iothub/credentials/res/#";

const TWIN_GET: &str = "$iothub/twin/GET/?";
const TWIN_REPORTED: &str = "$iothub/twin/PATCH/properties/reported/?";
const TWIN_DESIRED: &str = "$iothub/twin/PATCH/properties/desired/?";
const TWIN_RESPONSE: &str = "$iothub/twin/res/";
const METHOD_REQUEST: &str = "$iothub/methods/POST/";
const METHOD_RESPONSE: &str = "$iothub/methods/res/";
const ISSUE_CERTIFICATE: &str = "$iothub/credentials/POST/issueCertificate/?";
const CREDENTIAL_RESPONSE: &str = "$iothub/credentials/res/";

/// Content type and encoding of a JSON body, but for the encoding's value. The dollar is unencoded, which is the form
/// that Azure's documents give for routing by body; encoded it is two bytes longer, each time.
const JSON_PROPERTIES: &str = "$.ct=application%2Fjson&$.ce=";

/// The topic of telemetry with a JSON body, as short as may be and in one piece of memory: [`DeviceTopic::Telemetry`] with
/// `$.ct`, `$.ce` and `others`, in this order. Keys of `others` and the content encoding are written as they are, and
/// must need no encoding; values of `others` are encoded.
pub fn json_telemetry(device_id: &str, content_encoding: &str, others: &[(&str, &str)]) -> String {
    use fmt::Write as _;
    // What must be encoded is rare: commas between alerts, colons of a time.
    let more: usize = others.iter().map(|(key, value)| key.len() + value.len() + 8).sum();
    let mut topic = String::with_capacity(device_id.len() + JSON_PROPERTIES.len() + 33 + more);
    for part in ["devices/", device_id, "/messages/events/", JSON_PROPERTIES, content_encoding] {
        topic.push_str(part);
    }
    for (key, value) in others {
        // Memory does not refuse.
        let _ = write!(topic, "&{key}={}", percent::encode(value));
    }
    topic
}

/// A topic on which a device publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceTopic {
    /// `devices/{id}/messages/events/{properties}`
    Telemetry {
        /// Not URL-encoded in the topic.
        device_id: String,
        /// System and application properties.
        properties: PropertyBag,
    },
    /// `$iothub/twin/GET/?$rid={rid}`
    TwinGet {
        /// Echoed in the response.
        request_id: String,
    },
    /// `$iothub/twin/PATCH/properties/reported/?$rid={rid}`; the body is a JSON merge patch.
    ReportedPatch {
        /// Echoed in the response.
        request_id: String,
    },
    /// `$iothub/methods/res/{status}/?$rid={rid}`
    MethodResponse {
        /// Any number the device chooses; by convention as in HTTP.
        status: i32,
        /// Of the request.
        request_id: String,
    },
    /// `$iothub/credentials/POST/issueCertificate/?$rid={rid}`; the body is an [`IssueRequest`](crate::hub::IssueRequest).
    IssueCertificate {
        /// Echoed in the answers: 4 to 36 letters, digits and dashes, no dash first or last.
        request_id: String,
    },
}

/// A topic on which a hub publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloudTopic {
    /// `$iothub/twin/res/{status}/?$rid={rid}[&$version={version}]`
    TwinResponse {
        /// 200 for a GET, 204 for an accepted patch, or an error.
        status: u16,
        /// Of the request.
        request_id: String,
        /// New version of the reported properties, after a patch.
        version: Option<u64>,
    },
    /// `$iothub/twin/PATCH/properties/desired/?$version={version}`
    DesiredPatch {
        /// Version of the desired properties after the change.
        version: u64,
    },
    /// `$iothub/methods/POST/{name}/?$rid={rid}`
    MethodRequest {
        /// Name of the method.
        name: String,
        /// Opaque; goes back with the response.
        request_id: String,
    },
    /// `$iothub/credentials/res/{status}/?$rid={rid}`
    CredentialResponse {
        /// 202 when the request is taken, 200 with the certificates, or an error.
        status: u16,
        /// Of the request.
        request_id: String,
    },
    /// `devices/{id}/messages/devicebound/{properties}`
    DeviceBound {
        /// Not URL-encoded in the topic.
        device_id: String,
        /// System and application properties.
        properties: PropertyBag,
    },
}

impl fmt::Display for DeviceTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Telemetry { device_id, properties } => {
                write!(f, "devices/{device_id}/messages/events/{properties}")
            }
            Self::TwinGet { request_id } => write!(f, "{TWIN_GET}$rid={request_id}"),
            Self::ReportedPatch { request_id } => write!(f, "{TWIN_REPORTED}$rid={request_id}"),
            Self::MethodResponse { status, request_id } => {
                write!(f, "{METHOD_RESPONSE}{status}/?$rid={request_id}")
            }
            Self::IssueCertificate { request_id } => write!(f, "{ISSUE_CERTIFICATE}$rid={request_id}"),
        }
    }
}

impl fmt::Display for CloudTopic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwinResponse { status, request_id, version } => {
                write!(f, "{TWIN_RESPONSE}{status}/?$rid={request_id}")?;
                match version {
                    Some(version) => write!(f, "&$version={version}"),
                    None => Ok(()),
                }
            }
            Self::DesiredPatch { version } => write!(f, "{TWIN_DESIRED}$version={version}"),
            Self::MethodRequest { name, request_id } => {
                write!(f, "{METHOD_REQUEST}{name}/?$rid={request_id}")
            }
            Self::CredentialResponse { status, request_id } => {
                write!(f, "{CREDENTIAL_RESPONSE}{status}/?$rid={request_id}")
            }
            Self::DeviceBound { device_id, properties } => {
                write!(f, "devices/{device_id}/messages/devicebound/{properties}")
            }
        }
    }
}

/// A field of the query, or an error that names it.
struct Fields<'a> {
    what: &'static str,
    topic: &'a str,
    query: &'a str,
}

impl Fields<'_> {
    fn error(&self, why: impl Into<String>) -> ParseError {
        ParseError::new(self.what, self.topic, why)
    }

    fn text(&self, key: &str) -> Result<String, ParseError> {
        query::value(self.query, key)
            .map(str::to_owned)
            .ok_or_else(|| self.error(format!("{key} is missing")))
    }

    fn number<T: FromStr>(&self, key: &str) -> Result<Option<T>, ParseError> {
        query::value(self.query, key)
            .map(|text| {
                text.parse().map_err(|_| self.error(format!("{key}={text} is not a number it can be")))
            })
            .transpose()
    }

    /// Splits `{status}/?{query}`.
    fn status<T: FromStr>(&mut self) -> Result<T, ParseError> {
        let (status, query) =
            self.query.split_once("/?").ok_or_else(|| self.error("no /? after the status"))?;
        self.query = query;
        status.parse().map_err(|_| self.error(format!("{status:?} is not a status")))
    }
}

/// `devices/{id}/messages/{direction}[/{properties}]`, the direction compared without regard to case.
fn message(
    what: &'static str,
    topic: &str,
    direction: &str,
) -> Option<Result<(String, PropertyBag), ParseError>> {
    let (device_id, rest) = topic.strip_prefix("devices/")?.split_once("/messages/")?;
    let (word, bag) = rest.split_once('/').unwrap_or((rest, ""));
    if !word.eq_ignore_ascii_case(direction) {
        return None;
    }
    if device_id.is_empty() {
        return Some(Err(ParseError::new(what, topic, "the device ID is empty")));
    }
    Some(bag.parse().map(|properties| (device_id.to_owned(), properties)))
}

impl FromStr for DeviceTopic {
    type Err = ParseError;

    fn from_str(topic: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "hub topic of a device";
        let fields = |query| Fields { what: WHAT, topic, query };
        if let Some(query) = topic.strip_prefix(TWIN_GET) {
            Ok(Self::TwinGet { request_id: fields(query).text("$rid")? })
        } else if let Some(query) = topic.strip_prefix(TWIN_REPORTED) {
            Ok(Self::ReportedPatch { request_id: fields(query).text("$rid")? })
        } else if let Some(rest) = topic.strip_prefix(METHOD_RESPONSE) {
            let mut fields = fields(rest);
            Ok(Self::MethodResponse { status: fields.status()?, request_id: fields.text("$rid")? })
        } else if let Some(query) = topic.strip_prefix(ISSUE_CERTIFICATE) {
            Ok(Self::IssueCertificate { request_id: fields(query).text("$rid")? })
        } else if let Some(parsed) = message(WHAT, topic, "events") {
            let (device_id, properties) = parsed?;
            Ok(Self::Telemetry { device_id, properties })
        } else {
            Err(ParseError::new(WHAT, topic, "it is none of telemetry, twin, method response or credentials"))
        }
    }
}

impl FromStr for CloudTopic {
    type Err = ParseError;

    fn from_str(topic: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "hub topic for a device";
        let fields = |query| Fields { what: WHAT, topic, query };
        if let Some(rest) = topic.strip_prefix(TWIN_RESPONSE) {
            let mut fields = fields(rest);
            Ok(Self::TwinResponse {
                status: fields.status()?,
                request_id: fields.text("$rid")?,
                version: fields.number("$version")?,
            })
        } else if let Some(query) = topic.strip_prefix(TWIN_DESIRED) {
            let fields = fields(query);
            let version = fields.number("$version")?.ok_or_else(|| fields.error("$version is missing"))?;
            Ok(Self::DesiredPatch { version })
        } else if let Some(rest) = topic.strip_prefix(METHOD_REQUEST) {
            let mut fields = fields(rest);
            let (name, query) =
                rest.split_once("/?").ok_or_else(|| fields.error("no /? after the method"))?;
            if name.is_empty() {
                return Err(fields.error("the method has no name"));
            }
            fields.query = query;
            Ok(Self::MethodRequest { name: name.into(), request_id: fields.text("$rid")? })
        } else if let Some(rest) = topic.strip_prefix(CREDENTIAL_RESPONSE) {
            let mut fields = fields(rest);
            Ok(Self::CredentialResponse { status: fields.status()?, request_id: fields.text("$rid")? })
        } else if let Some(parsed) = message(WHAT, topic, "devicebound") {
            let (device_id, properties) = parsed?;
            Ok(Self::DeviceBound { device_id, properties })
        } else {
            Err(ParseError::new(WHAT, topic, "it is none of twin, method, credentials or message"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telemetry_with_properties() {
        let topic = DeviceTopic::Telemetry {
            device_id: "sensor-thl-001".into(),
            properties: PropertyBag::new().with("$.ct", "application/json").with("note", "a b"),
        };
        let text = "devices/sensor-thl-001/messages/events/%24.ct=application%2Fjson&note=a%20b";
        assert_eq!(topic.to_string(), text);
        assert_eq!(text.parse(), Ok(topic));
        assert!("devices/d/messages/events".parse::<DeviceTopic>().is_ok(), "the trailing slash is optional");
    }

    #[test]
    fn json_telemetry_says_the_same_in_fewer_bytes() {
        let short = json_telemetry("sensor-thl-001", "utf-8", &[]);
        assert_eq!(short, "devices/sensor-thl-001/messages/events/$.ct=application%2Fjson&$.ce=utf-8");
        let others =
            [("$.mid", "89abcdef-1"), ("alert", "temperatureHigh,humidityHigh"), ("note", "a b&c=1")];
        let mut properties =
            PropertyBag::new().with(PropertyBag::CONTENT_TYPE, "application/json").with("$.ce", "gzip");
        for (key, value) in others {
            properties.insert(key, Some(value.into()));
        }
        let long = DeviceTopic::Telemetry { device_id: "d".into(), properties };
        let short = json_telemetry("d", "gzip", &others);
        assert!(short.len() < long.to_string().len());
        assert_eq!(short.parse(), Ok(long));
    }

    #[test]
    fn a_device_bound_message_as_the_hub_sends_it() {
        let text = "devices/d/messages/deviceBound/%24.mid=7&%24.to=%2Fdevices%2Fd%2Fmessages%2Fdevicebound&iothub-ack=full";
        let CloudTopic::DeviceBound { device_id, properties } = text.parse().unwrap() else { panic!() };
        assert_eq!(device_id, "d");
        assert_eq!(properties.get("$.to"), Some("/devices/d/messages/devicebound"));
    }

    #[test]
    fn a_certificate_is_asked_for_and_answered() {
        let topic = DeviceTopic::IssueCertificate { request_id: "ab-12".into() };
        assert_eq!(topic.to_string(), "$iothub/credentials/POST/issueCertificate/?$rid=ab-12");
        assert_eq!(topic.to_string().parse(), Ok(topic));
        let topic = CloudTopic::CredentialResponse { status: 202, request_id: "ab-12".into() };
        assert_eq!(topic.to_string(), "$iothub/credentials/res/202/?$rid=ab-12");
        // As some hubs were seen to say it.
        assert_eq!("$iothub/credentials/res/202/?$rid=ab-12&$version=1".parse(), Ok(topic));
    }

    #[test]
    fn errors_say_what_is_missing() {
        let error = |topic: &str| topic.parse::<CloudTopic>().unwrap_err().to_string();
        assert!(error("$iothub/twin/res/200/?version=1").contains("$rid is missing"));
        assert!(error("$iothub/twin/res/ok/?$rid=1").contains("\"ok\" is not a status"));
        assert!(error("$iothub/twin/PATCH/properties/desired/?x=1").contains("$version is missing"));
        assert!(error("$iothub/methods/POST//?$rid=1").contains("the method has no name"));
        assert!(error("devices/d/messages/devicebound/%FF=1").contains("does not decode to UTF-8"));
        assert!(error("elsewhere").contains("none of twin, method, credentials or message"));
    }
}
