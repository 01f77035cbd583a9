//! Enrollments: who may register, and what becomes of them.

use chrono::{DateTime, Utc};
use hyper::Uri;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tracker_protocol::dps::RegistrationState;

use super::AttestationMechanism;
use crate::{
    clock::wire_time,
    hub::{DeviceCapabilities, InitialTwin},
};

/// An enrollment of many devices that share a certificate above their leafs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentGroup {
    /// At most 128 of letters, digits, `-` `.` `_` `:`; compared without regard to case.
    pub enrollment_group_id: String,
    /// Signing certificates or CA references.
    pub attestation: AttestationMechanism,
    /// Marks edge devices.
    #[serde(default)]
    pub capabilities: DeviceCapabilities,
    /// The one hub to use, as an older way to say `iotHubs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iot_hub_host_name: Option<String>,
    /// The twin a new device identity begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_twin: Option<InitialTwin>,
    /// Set by the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Whether devices may register.
    #[serde(default)]
    pub provisioning_status: ProvisioningStatus,
    /// What a later registration does to the hub assignment and the twin.
    #[serde(default)]
    pub reprovision_policy: ReprovisionPolicy,
    /// Set by the service.
    #[serde(default, with = "wire_time::option", skip_serializing_if = "Option::is_none")]
    pub created_date_time_utc: Option<DateTime<Utc>>,
    /// Set by the service.
    #[serde(default, with = "wire_time::option", skip_serializing_if = "Option::is_none")]
    pub last_updated_date_time_utc: Option<DateTime<Utc>>,
    /// How a hub is chosen.
    #[serde(default)]
    pub allocation_policy: AllocationPolicy,
    /// Candidate hubs by host name; all linked hubs when empty.
    #[serde(default)]
    pub iot_hubs: Vec<String>,
    /// For [`AllocationPolicy::Custom`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_allocation_definition: Option<CustomAllocationDefinition>,
}

/// An enrollment of one device; it goes before every group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndividualEnrollment {
    /// The registration ID: the common name of the leaf. Compared without regard to case.
    pub registration_id: String,
    /// Device ID at the hub, if it is to differ from the registration ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The registration record; read only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registration_state: Option<RegistrationState>,
    /// Free for the owner's notes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optional_device_information: Option<Value>,
    /// Client certificates.
    pub attestation: AttestationMechanism,
    /// Marks an edge device.
    #[serde(default)]
    pub capabilities: DeviceCapabilities,
    /// The one hub to use, as an older way to say `iotHubs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iot_hub_host_name: Option<String>,
    /// The twin a new device identity begins with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial_twin: Option<InitialTwin>,
    /// Set by the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Whether the device may register. A disabled enrollment refuses its device even where a group would take it.
    #[serde(default)]
    pub provisioning_status: ProvisioningStatus,
    /// What a later registration does to the hub assignment and the twin.
    #[serde(default)]
    pub reprovision_policy: ReprovisionPolicy,
    /// Set by the service.
    #[serde(default, with = "wire_time::option", skip_serializing_if = "Option::is_none")]
    pub created_date_time_utc: Option<DateTime<Utc>>,
    /// Set by the service.
    #[serde(default, with = "wire_time::option", skip_serializing_if = "Option::is_none")]
    pub last_updated_date_time_utc: Option<DateTime<Utc>>,
    /// How a hub is chosen.
    #[serde(default)]
    pub allocation_policy: AllocationPolicy,
    /// Candidate hubs by host name; all linked hubs when empty.
    #[serde(default)]
    pub iot_hubs: Vec<String>,
    /// For [`AllocationPolicy::Custom`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_allocation_definition: Option<CustomAllocationDefinition>,
}

impl EnrollmentGroup {
    /// An enabled group with everything at the service's defaults.
    pub fn new(enrollment_group_id: impl Into<String>, attestation: AttestationMechanism) -> Self {
        Self {
            enrollment_group_id: enrollment_group_id.into(),
            attestation,
            capabilities: DeviceCapabilities::default(),
            iot_hub_host_name: None,
            initial_twin: None,
            etag: None,
            provisioning_status: ProvisioningStatus::default(),
            reprovision_policy: ReprovisionPolicy::default(),
            created_date_time_utc: None,
            last_updated_date_time_utc: None,
            allocation_policy: AllocationPolicy::default(),
            iot_hubs: Vec::new(),
            custom_allocation_definition: None,
        }
    }
}

impl IndividualEnrollment {
    /// An enabled enrollment with everything at the service's defaults.
    pub fn new(registration_id: impl Into<String>, attestation: AttestationMechanism) -> Self {
        Self {
            registration_id: registration_id.into(),
            device_id: None,
            registration_state: None,
            optional_device_information: None,
            attestation,
            capabilities: DeviceCapabilities::default(),
            iot_hub_host_name: None,
            initial_twin: None,
            etag: None,
            provisioning_status: ProvisioningStatus::default(),
            reprovision_policy: ReprovisionPolicy::default(),
            created_date_time_utc: None,
            last_updated_date_time_utc: None,
            allocation_policy: AllocationPolicy::default(),
            iot_hubs: Vec::new(),
            custom_allocation_definition: None,
        }
    }
}

/// Whether an enrollment lets its devices register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProvisioningStatus {
    /// They may.
    #[default]
    Enabled,
    /// They are refused with the status `disabled`.
    Disabled,
}

/// What a later registration of the same device does. Both true by default: "migrate".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReprovisionPolicy {
    /// The hub is chosen anew; false keeps the first one ("never").
    #[serde(default = "yes")]
    pub update_hub_assignment: bool,
    /// The twin moves along; false makes it anew from the initial twin ("reset").
    #[serde(default = "yes")]
    pub migrate_device_data: bool,
}

impl Default for ReprovisionPolicy {
    fn default() -> Self {
        Self { update_hub_assignment: true, migrate_device_data: true }
    }
}

fn yes() -> bool {
    true
}

/// How the hub of a device is chosen among the candidates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AllocationPolicy {
    /// By a stable hash of the registration ID over the weights of the hubs.
    #[default]
    Hashed,
    /// The nearest hub.
    GeoLatency,
    /// The hub that the enrollment names.
    Static,
    /// A webhook decides.
    Custom,
}

/// The webhook of [`AllocationPolicy::Custom`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CustomAllocationDefinition {
    /// Where the request goes.
    pub webhook_url: String,
    /// The API version of the request.
    pub api_version: String,
}

/// Whether a text can be the address of a webhook; `Err` says what it has to be.
pub(crate) fn check_webhook_url(url: &str) -> Result<(), String> {
    let uri: Option<Uri> = url.parse().ok();
    match uri.as_ref().map(|uri| (uri.scheme_str(), uri.host())) {
        Some((Some("http" | "https"), Some(_))) => Ok(()),
        _ => Err("customAllocationDefinition.webhookUrl has to be an http or https address".into()),
    }
}
