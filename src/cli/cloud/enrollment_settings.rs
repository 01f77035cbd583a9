//! What individual enrollments and groups have in common.

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::json_argument::object;

/// Options of `create` and `update`; what is not given stays as it is.
#[derive(Debug, clap::Args)]
pub(super) struct EnrollmentSettings {
    /// Whether devices may register.
    #[arg(long, visible_alias = "ps", value_enum, value_name = "STATUS")]
    provisioning_status: Option<ProvisioningStatus>,
    /// How a hub is chosen.
    #[arg(long, visible_alias = "ap", value_enum, value_name = "POLICY")]
    allocation_policy: Option<AllocationPolicy>,
    /// Host names of the hubs to choose from; all linked hubs when never given.
    #[arg(long, visible_alias = "ih", value_name = "HUB", num_args = 1..)]
    iot_hubs: Option<Vec<String>>,
    /// URL of the webhook that chooses, for the policy custom.
    #[arg(long, visible_alias = "wh", value_name = "URL")]
    webhook_url: Option<String>,
    /// API version that the webhook is told.
    #[arg(long, visible_alias = "av", value_name = "VERSION", requires = "webhook_url")]
    api_version: Option<String>,
    /// What a later registration does to the device's hub and twin.
    #[arg(long, visible_alias = "rp", value_enum, value_name = "POLICY")]
    reprovision_policy: Option<ReprovisionPolicy>,
    /// Whether devices are marked as IoT Edge devices.
    #[arg(long, visible_alias = "ee", value_name = "true|false")]
    edge_enabled: Option<bool>,
    /// The policy by which devices that ask for it are issued certificates; "" for none.
    #[arg(long, visible_alias = "certificate-policy-name", value_name = "POLICY")]
    certificate_policy: Option<String>,
    /// Desired properties of new twins, JSON or a file.
    #[arg(long, visible_alias = "props", value_name = "JSON")]
    initial_twin_properties: Option<String>,
    /// Tags of new twins, JSON or a file.
    #[arg(long, visible_alias = "tags", value_name = "JSON")]
    initial_twin_tags: Option<String>,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum ProvisioningStatus {
    Enabled,
    Disabled,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "lower")]
enum AllocationPolicy {
    /// Evenly, by the registration ID.
    Hashed,
    /// The nearest hub.
    GeoLatency,
    /// The one hub of --iot-hubs.
    Static,
    /// A webhook decides.
    Custom,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
#[value(rename_all = "lower")]
enum ReprovisionPolicy {
    /// To another hub if need be, with its twin.
    ReprovisionAndMigrateData,
    /// To another hub if need be, with the initial twin.
    ReprovisionAndResetData,
    /// The first hub for ever.
    Never,
}

impl EnrollmentSettings {
    /// Puts what was given into an enrollment.
    pub(super) fn apply(&self, enrollment: &mut Map<String, Value>) -> anyhow::Result<()> {
        let mut set = |name: &str, value: Value| enrollment.insert(name.into(), value);
        if let Some(status) = self.provisioning_status {
            set("provisioningStatus", status.wire().into());
        }
        if let Some(policy) = self.allocation_policy {
            if matches!(policy, AllocationPolicy::Custom) && self.webhook_url.is_none() {
                bail!("--allocation-policy custom needs --webhook-url and --api-version");
            }
            set("allocationPolicy", policy.wire().into());
        }
        if let Some(hubs) = &self.iot_hubs {
            set("iotHubs", json!(hubs));
        }
        if let Some(url) = &self.webhook_url {
            let version = self.api_version.as_deref().unwrap_or("2019-03-31");
            set("customAllocationDefinition", json!({"webhookUrl": url, "apiVersion": version}));
        }
        if let Some(policy) = self.reprovision_policy {
            set("reprovisionPolicy", policy.wire());
        }
        if let Some(edge) = self.edge_enabled {
            set("capabilities", json!({"iotEdge": edge}));
        }
        if let Some(policy) = &self.certificate_policy {
            // Another policy may be one of another CA.
            for member in ["namespaceName", "certificateAuthorityName", "certificatePolicyName"] {
                set(member, Value::Null);
            }
            if !policy.is_empty() {
                set("certificatePolicyName", policy.clone().into());
            }
        }
        if self.initial_twin_properties.is_none() && self.initial_twin_tags.is_none() {
            return Ok(());
        }
        let given =
            |option, text: &Option<String>| text.as_ref().map(|text| object(option, text)).transpose();
        let properties = given("--initial-twin-properties", &self.initial_twin_properties)?;
        let tags = given("--initial-twin-tags", &self.initial_twin_tags)?;
        let twin = enrollment.entry("initialTwin").or_insert(Value::Null);
        if !twin.is_object() {
            *twin = json!({"tags": {}, "properties": {"desired": {}}});
        }
        if let Some(properties) = properties {
            twin["properties"] = json!({"desired": properties});
        }
        if let Some(tags) = tags {
            twin["tags"] = tags.into();
        }
        Ok(())
    }
}

impl ProvisioningStatus {
    fn wire(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
        }
    }
}

impl AllocationPolicy {
    fn wire(self) -> &'static str {
        match self {
            Self::Hashed => "hashed",
            Self::GeoLatency => "geoLatency",
            Self::Static => "static",
            Self::Custom => "custom",
        }
    }
}

impl ReprovisionPolicy {
    fn wire(self) -> Value {
        let (update, migrate) = match self {
            Self::ReprovisionAndMigrateData => (true, true),
            Self::ReprovisionAndResetData => (true, false),
            Self::Never => (false, false),
        };
        json!({"updateHubAssignment": update, "migrateDeviceData": migrate})
    }
}
