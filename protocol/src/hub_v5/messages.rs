//! The protocol buffers of a hub of MQTT 5 (packages of presence, twin and direct methods, version 1). Field numbers are
//! what matters on the wire; a member that is zero, false or empty is left out there.

use prost::{Enumeration, Message, Oneof};

/// `birth:1`: a device is there, with these versions of its twin in memory.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Birth {
    /// The broker has kept the session from before.
    #[prost(bool, tag = "1")]
    pub session_present: bool,
    /// Of the reported properties that the device knows; 0 if none.
    #[prost(uint64, tag = "10")]
    pub reported_version: u64,
    /// Of the desired properties that the device knows; 0 if none.
    #[prost(uint64, tag = "11")]
    pub desired_version: u64,
    /// Send the desired properties if their version is another.
    #[prost(bool, tag = "12")]
    pub push_desired: bool,
    /// Send the reported properties if their version is another.
    #[prost(bool, tag = "13")]
    pub push_reported: bool,
}

/// `birth-ack:1`. The numbers of the two versions are swapped against [`Birth`].
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct BirthAck {
    /// Of the desired properties, now.
    #[prost(uint64, tag = "10")]
    pub desired_version: u64,
    /// Of the reported properties, now.
    #[prost(uint64, tag = "11")]
    pub reported_version: u64,
}

/// Which part of a twin is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum Sections {
    /// Is refused.
    Unspecified = 0,
    /// Desired properties.
    Desired = 1,
    /// Reported properties.
    Reported = 2,
    /// Both.
    Both = 3,
}

/// `get:1`: asks for the twin.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct TwinGet {
    /// What is asked for.
    #[prost(enumeration = "Sections", tag = "1")]
    pub sections: i32,
    /// Leave the desired properties out if this is their version; 0: never.
    #[prost(uint64, tag = "2")]
    pub if_not_match_desired: u64,
    /// Leave the reported properties out if this is their version; 0: never.
    #[prost(uint64, tag = "3")]
    pub if_not_match_reported: u64,
}

/// `get-response:1`: the twin as far as it was asked for. Versions are always there.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TwinGetResponse {
    /// Of the desired properties.
    #[prost(uint64, tag = "1")]
    pub desired_version: u64,
    /// Of the reported properties.
    #[prost(uint64, tag = "2")]
    pub reported_version: u64,
    /// A JSON object.
    #[prost(bytes = "vec", optional, tag = "3")]
    pub desired_payload: Option<Vec<u8>>,
    /// A JSON object.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub reported_payload: Option<Vec<u8>>,
}

/// `reported-patch:1`: changes reported properties.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ReportedPatch {
    /// The version that the device has in mind: applied only if it is the present one. There is no form without it.
    #[prost(uint64, tag = "1")]
    pub if_match: u64,
    /// A JSON merge patch.
    #[prost(bytes = "vec", tag = "2")]
    pub payload: Vec<u8>,
}

/// What became of a reported patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum ReportedResult {
    /// Says nothing.
    Unspecified = 0,
    /// Applied.
    Ok = 1,
    /// The version is another.
    VersionMismatch = 2,
    /// The body is no merge patch, or breaks a rule of properties.
    PayloadInvalid = 3,
    /// The properties would be too large.
    PayloadTooLarge = 4,
    /// The hub's own fault; the patch may be sent again.
    InternalError = 5,
}

/// `reported-patch-response:1`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct ReportedPatchResponse {
    /// What became of it.
    #[prost(enumeration = "ReportedResult", tag = "1")]
    pub result: i32,
    /// The new version if it was applied, else the present one.
    #[prost(uint64, tag = "2")]
    pub version: u64,
}

/// One section of a twin, whole.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Section {
    /// Of the section.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// A JSON object.
    #[prost(bytes = "vec", tag = "2")]
    pub payload: Vec<u8>,
}

/// `twin-push:1`: follows the acknowledgement of a birth that asked for it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TwinPush {
    /// The desired properties.
    #[prost(message, optional, tag = "1")]
    pub desired: Option<Section>,
    /// The reported properties.
    #[prost(message, optional, tag = "2")]
    pub reported: Option<Section>,
}

/// `desired-patch:1`: desired properties have changed. Without a body it only tells the version.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DesiredPatch {
    /// After the change.
    #[prost(uint64, tag = "1")]
    pub version: u64,
    /// A JSON merge patch.
    #[prost(bytes = "vec", tag = "2")]
    pub payload: Vec<u8>,
}

/// `probe:1`: can the device take a call of this method?
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Probe {
    /// Of the method.
    #[prost(string, tag = "1")]
    pub method_name: String,
    /// How long the caller waits for the answer, in seconds.
    #[prost(uint32, tag = "2")]
    pub response_timeout_seconds: u32,
}

/// `probe-ack:1`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ProbeAck {
    /// Whether it can.
    #[prost(oneof = "ProbeAnswer", tags = "1, 2")]
    pub answer: Option<ProbeAnswer>,
}

/// Whether a device can take a call.
#[derive(Clone, PartialEq, Eq, Oneof)]
pub enum ProbeAnswer {
    /// It can.
    #[prost(message, tag = "1")]
    Ready(Ready),
    /// It can't.
    #[prost(message, tag = "2")]
    Rejected(Rejected),
}

/// The token under which the call is expected.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Ready {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub ready_id: Vec<u8>,
}

/// Why a device takes no call.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Rejected {
    /// The reason.
    #[prost(enumeration = "RejectReason", tag = "1")]
    pub reason: i32,
}

/// Why a device takes no call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum RejectReason {
    /// Not said.
    Unspecified = 0,
    /// It has no such method.
    MethodNotFound = 1,
    /// The caller does not wait long enough for this method.
    InsufficientTime = 2,
    /// As many calls as it takes are under way.
    DeviceBusy = 3,
}

/// `exec:1`: the call itself.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Exec {
    /// Of the device's answer to the probe.
    #[prost(bytes = "vec", tag = "1")]
    pub ready_id: Vec<u8>,
    /// The argument, JSON by convention.
    #[prost(bytes = "vec", tag = "2")]
    pub params: Vec<u8>,
    /// When the hub sent it, for information.
    #[prost(message, optional, tag = "3")]
    pub exec_start: Option<Timestamp>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Eq, Message)]
pub struct Timestamp {
    /// Since 1970-01-01T00:00:00Z.
    #[prost(int64, tag = "1")]
    pub seconds: i64,
    /// Fraction of a second, 0 to 999,999,999.
    #[prost(int32, tag = "2")]
    pub nanos: i32,
}

/// `result:1`: what the method answers.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct MethodResult {
    /// By convention as in HTTP.
    #[prost(int32, tag = "1")]
    pub status: i32,
    /// JSON by convention.
    #[prost(bytes = "vec", tag = "2")]
    pub body: Vec<u8>,
}

/// `abandon:1`: the device has given up a call that it was ready for.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Abandon {
    /// Of its answer to the probe.
    #[prost(bytes = "vec", tag = "1")]
    pub ready_id: Vec<u8>,
    /// Why.
    #[prost(enumeration = "AbandonReason", tag = "2")]
    pub reason: i32,
}

/// Why a call was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum AbandonReason {
    /// Not said.
    Unspecified = 0,
    /// The call did not come in time.
    ReadyWaitTimeout = 1,
    /// It came too late to be answered in time.
    InsufficientTime = 2,
}
