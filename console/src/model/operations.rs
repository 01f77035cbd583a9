//! What can be asked of devices, hubs and the provisioning service.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Targets;

/// A change of desired properties, in Azure's shape.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TwinPatch {
    /// `{"desired": {…}}`; null takes a property away.
    pub properties: DesiredPatch,
    /// Only if the twin still has this entity tag.
    pub etag: Option<String>,
}

/// The part of a twin that is changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DesiredPatch {
    /// An object.
    #[cfg_attr(test, schema(value_type = Object))]
    pub desired: serde_json::Map<String, Value>,
}

/// A direct method to be called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MethodCall {
    /// Of the method.
    pub name: String,
    /// Any JSON.
    #[serde(default)]
    #[cfg_attr(test, schema(value_type = Object))]
    pub payload: Value,
    /// How long the device has, 5 to 300; 30 without.
    pub timeout_seconds: Option<u64>,
}

/// What the device answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct MethodAnswer {
    /// Its own status.
    pub status: i64,
    /// Any JSON.
    #[cfg_attr(test, schema(value_type = Object))]
    pub payload: Value,
}

/// A message from the cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceMessage {
    /// Text.
    pub body: String,
    /// Application properties.
    #[serde(default)]
    pub properties: BTreeMap<String, String>,
}

/// Somebody has taken note of an alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Acknowledgement {
    /// Of the alarm.
    pub alarm: String,
    /// Who: a name, up to 64 characters.
    pub by: String,
}

/// Whether a device may connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeviceStatusWish {
    /// `enabled` or `disabled`.
    pub status: ProvisioningStatus,
}

/// Whether an enrollment lets devices in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProvisioningWish {
    /// `enabled` or `disabled`.
    pub provisioning_status: ProvisioningStatus,
}

/// `enabled` or `disabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum ProvisioningStatus {
    /// It is.
    Enabled,
    /// It is not.
    Disabled,
}

/// Another hub for a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Move {
    /// Host name.
    pub hub: String,
}

/// Devices whose identities and registrations are to go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deprovision {
    /// Which.
    pub devices: Targets,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Deprovisioned {
    /// So many were.
    pub count: usize,
    /// Those that were not.
    pub failures: Vec<Unmoved>,
}

/// One that was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Unmoved {
    /// Which.
    pub device: String,
    /// Why, in a sentence.
    pub message: String,
}

/// How simulated time is to pass. What is absent stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TimeWish {
    /// Simulated hours a second.
    pub speed: Option<f64>,
    /// Whether it is to stand still.
    pub is_paused: Option<bool>,
}

/// The trips of a container, as it reported them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Trips {
    /// Reports as docs/trips.md has them, the newest first; with `isUnderWay` where it goes on.
    #[cfg_attr(test, schema(value_type = Vec<Object>))]
    pub trips: Vec<Value>,
}

/// Whether what was received is what was measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// Whole, and signed.
    Untouched,
    /// Something was changed, or is missing.
    Changed,
    /// Whole as far as one sees, and nobody has signed.
    Unsigned,
    /// The device keeps no evidence.
    NoEvidence,
}

/// Of the tamper check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// In a word.
    pub verdict: Verdict,
    /// As `verify` prints them.
    pub lines: Vec<String>,
}
