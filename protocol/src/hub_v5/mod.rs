//! A hub of the second kind (`connectionProfile` `mqttV5`, a preview) as a device sees it over MQTT 5: topics, the kinds of
//! messages, their protocol buffers, and what goes around them.
//!
//! ```text
//!              topic                     property `type`          correlation data          body
//!  device ─▶ ih/{id}/srv/presence       birth:1                  nonce of the birth        Birth
//!         ─▶ ih/{id}/srv/twin           get:1 │ reported-patch:1 one for each request      TwinGet │ ReportedPatch
//!         ─▶ ih/{id}/srv/methods        probe-ack:1 │ result:1 │ abandon:1   that of the probe
//!         ─▶ ih/{id}/srv/telemetry      (not required)           the message's own         anything
//!     hub ─▶ ih/{id}/dev/presence       birth-ack:1              that of the birth         BirthAck
//!         ─▶ ih/{id}/dev/twin           get-response:1 │ reported-patch-response:1 │ twin-push:1 │ desired-patch:1
//!         ─▶ ih/{id}/dev/methods        probe:1 │ exec:1         one for each call         Probe │ Exec
//! ```
//!
//! Both directions are here, as for hubs of the first kind: [`DeviceMessage`] is what devices send, [`CloudMessage`] what
//! hubs send. What a device says when is in [`client`].

pub mod client;
mod correlation;
mod envelope;
mod messages;
mod topic;
mod username;

pub use correlation::Correlation;
pub use envelope::{CloudMessage, DeviceMessage, Envelope, Received};
pub use messages::{
    Abandon, AbandonReason, Birth, BirthAck, DesiredPatch, Exec, MethodResult, Probe, ProbeAck, ProbeAnswer,
    Ready, RejectReason, Rejected, ReportedPatch, ReportedPatchResponse, ReportedResult, Section, Sections,
    Timestamp, TwinGet, TwinGetResponse, TwinPush,
};
pub use topic::{Channel, Direction, Topic, device_filter};
pub use username::ConnectUsername;

/// The name of the user property that says what a message is.
pub const TYPE_PROPERTY: &str = "type";

/// Content type of everything but telemetry.
pub const CONTENT_TYPE: &str = "application/protobuf";

/// The [`TYPE_PROPERTY`] that C clients give telemetry; .NET clients give none.
pub const TELEMETRY_TYPE: &str = "telemetry:1";

/// Most bytes a packet may have (limits of the broker, of 2023).
pub const MAX_PACKET: usize = 512 * 1024;

/// Longest keep-alive that the broker takes, in seconds.
pub const MAX_KEEP_ALIVE: u16 = 1160;

/// Longest session expiry that the broker grants, in seconds.
pub const MAX_SESSION_EXPIRY: u32 = 8 * 60 * 60;

/// How long a device waits for each step of the start: CONNACK, SUBACK, the acknowledgement of its birth.
pub const START_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(1);
