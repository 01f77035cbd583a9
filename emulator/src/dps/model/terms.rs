//! What every enrollment settles, be it of one device or of many: how they prove themselves, and what becomes of them.

use chrono::{DateTime, Utc};
use hyper::Uri;
use serde::{Deserialize, Serialize};

use super::AttestationMechanism;
use crate::{
    clock::wire_time,
    hub::{DeviceCapabilities, InitialTwin},
};

/// The part that groups and individual enrollments have in common.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EnrollmentTerms {
    /// How devices prove who they are: a group has signing certificates, CA references or keys to derive from; an
    /// individual enrollment has client certificates or keys.
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
    /// Whether devices may register. A disabled individual enrollment refuses its device even where a group would take
    /// it.
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
    /// The namespace that issues certificates; there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_name: Option<String>,
    /// The issuing CA that the policy is one of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_authority_name: Option<String>,
    /// By which policy devices that ask for it get certificates; none without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_policy_name: Option<String>,
}

impl EnrollmentTerms {
    /// Enabled, with everything else at the service's defaults.
    pub fn new(attestation: AttestationMechanism) -> Self {
        Self {
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
            namespace_name: None,
            certificate_authority_name: None,
            certificate_policy_name: None,
        }
    }

    /// The hubs that are named as candidates; none means all.
    pub(crate) fn named_hubs(&self) -> impl Iterator<Item = &str> {
        self.iot_hubs.iter().chain(&self.iot_hub_host_name).map(String::as_str)
    }

    /// Whether the allocation policy has what it needs; `Err` says what is missing.
    pub(crate) fn check_allocation(&self) -> Result<(), String> {
        match self.allocation_policy {
            AllocationPolicy::Hashed | AllocationPolicy::GeoLatency => Ok(()),
            // Without a hub it is kept, and places nobody.
            AllocationPolicy::Static if self.named_hubs().count() <= 1 => Ok(()),
            AllocationPolicy::Static => {
                Err("allocationPolicy static takes one hub, in iotHubs or iotHubHostName".into())
            }
            AllocationPolicy::Custom => match &self.custom_allocation_definition {
                Some(definition) => definition.check(),
                None => {
                    Err("allocationPolicy custom needs a customAllocationDefinition with a webhookUrl".into())
                }
            },
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

impl CustomAllocationDefinition {
    /// Whether the webhook can be called; `Err` says what its address has to be.
    fn check(&self) -> Result<(), String> {
        let uri: Option<Uri> = self.webhook_url.parse().ok();
        match uri.as_ref().map(|uri| (uri.scheme_str(), uri.host())) {
            Some((Some("http" | "https"), Some(_))) => Ok(()),
            _ => Err("customAllocationDefinition.webhookUrl has to be an http or https address".into()),
        }
    }
}
