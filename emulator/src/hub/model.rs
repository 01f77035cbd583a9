//! The resources of the hub's service API, in its shapes.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    clock::wire_time,
    security::keys::{KeyLength, SymmetricKey},
};

use super::{ConfigurationInfo, HubError};

/// A device identity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Case-sensitive.
    pub device_id: String,
    /// Differs between a device and one of the same name made after its deletion.
    pub generation_id: String,
    /// Changes with every change of the identity.
    pub etag: String,
    /// Whether it is connected now.
    pub connection_state: ConnectionState,
    /// Whether it may connect.
    pub status: DeviceStatus,
    /// Why it is disabled, in the operator's words.
    pub status_reason: Option<String>,
    /// When `connection_state` changed.
    #[serde(with = "wire_time")]
    pub connection_state_updated_time: DateTime<Utc>,
    /// When `status` changed.
    #[serde(with = "wire_time")]
    pub status_updated_time: DateTime<Utc>,
    /// When it last connected, sent or received.
    #[serde(with = "wire_time")]
    pub last_activity_time: DateTime<Utc>,
    /// Messages waiting for it.
    pub cloud_to_device_message_count: usize,
    /// How it proves who it is.
    pub authentication: Authentication,
    /// Edge or not.
    pub capabilities: DeviceCapabilities,
    /// Of an edge device its own scope, of another one that of the edge device it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_scope: Option<String>,
    /// The scope of the edge device above it; az wants the list where there is none, too.
    #[serde(default)]
    pub parent_scopes: Vec<String>,
}

/// A module identity: a part of a device that signs in, and has a twin, of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Module {
    /// Case-sensitive.
    pub module_id: String,
    /// Who looks after it, in the words of whoever made it.
    pub managed_by: Option<String>,
    /// The device that it belongs to.
    pub device_id: String,
    /// Differs between a module and one of the same name made after its deletion.
    pub generation_id: String,
    /// Changes with every change of the identity.
    pub etag: String,
    /// Whether it is connected now.
    pub connection_state: ConnectionState,
    /// When `connection_state` changed.
    #[serde(with = "wire_time")]
    pub connection_state_updated_time: DateTime<Utc>,
    /// When it last connected, sent or received.
    #[serde(with = "wire_time")]
    pub last_activity_time: DateTime<Utc>,
    /// Messages waiting for it: none, as modules are sent none.
    pub cloud_to_device_message_count: usize,
    /// How it proves who it is.
    pub authentication: Authentication,
}

/// What a device can do beyond being a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeviceCapabilities {
    /// It is an IoT Edge device.
    #[serde(default)]
    pub iot_edge: bool,
}

/// Whether a device may connect to its hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeviceStatus {
    /// It may.
    #[default]
    Enabled,
    /// It is refused with CONNACK 5.
    Disabled,
}

/// Whether a device is connected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConnectionState {
    /// It is.
    Connected,
    /// It is not.
    #[default]
    Disconnected,
}

/// How a device proves who it is to the hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Authentication {
    /// Which of the members counts.
    #[serde(rename = "type")]
    pub kind: AuthenticationType,
    /// For [`AuthenticationType::Sas`]; no keys otherwise.
    #[serde(default)]
    pub symmetric_key: SymmetricKey,
    /// For [`AuthenticationType::SelfSigned`].
    #[serde(default)]
    pub x509_thumbprint: X509Thumbprint,
}

/// The kinds of authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum AuthenticationType {
    /// By a shared access signature made with one of two symmetric keys.
    Sas,
    /// By a chain up to a CA certificate that the hub trusts; the common name of the leaf is the device ID. This is what DPS
    /// creates for devices that it gives certificates.
    CertificateAuthority,
    /// None: the device can't connect.
    None,
    /// By the thumbprint of the leaf, whoever signed it. This is what DPS creates for every other X.509 attestation.
    SelfSigned,
}

/// The leafs a device may show: SHA-1 (40 digits) or SHA-256 (64 digits), hexadecimal, without regard to case.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct X509Thumbprint {
    /// The one in use.
    pub primary_thumbprint: Option<String>,
    /// The one to come, or to go.
    pub secondary_thumbprint: Option<String>,
}

impl Authentication {
    /// By one thumbprint, entered in both places as DPS does.
    pub fn self_signed(thumbprint: impl Into<String>) -> Self {
        let thumbprint = Some(thumbprint.into());
        Self {
            kind: AuthenticationType::SelfSigned,
            symmetric_key: SymmetricKey::default(),
            x509_thumbprint: X509Thumbprint {
                primary_thumbprint: thumbprint.clone(),
                secondary_thumbprint: thumbprint,
            },
        }
    }

    /// By a chain to a CA that the hub trusts.
    pub fn certificate_authority() -> Self {
        Self {
            kind: AuthenticationType::CertificateAuthority,
            symmetric_key: SymmetricKey::default(),
            x509_thumbprint: X509Thumbprint::default(),
        }
    }

    /// By nothing: it can't connect.
    pub fn none() -> Self {
        Self { kind: AuthenticationType::None, ..Self::certificate_authority() }
    }

    /// By symmetric keys; those that are absent are made when the identity is.
    pub fn sas(symmetric_key: SymmetricKey) -> Self {
        Self { kind: AuthenticationType::Sas, symmetric_key, x509_thumbprint: X509Thumbprint::default() }
    }

    /// Checks what was given, makes the keys that are asked for, and takes what is absent from `stored`.
    pub(super) fn complete(self, stored: Option<&Self>) -> Result<Self, HubError> {
        let invalid = |what: &str| HubError::ArgumentInvalid(what.to_owned());
        Ok(match self.kind {
            AuthenticationType::Sas => Self::sas(
                self.symmetric_key
                    .complete(stored.map(|stored| &stored.symmetric_key), KeyLength::Hub)
                    .map_err(|key| {
                        HubError::ArgumentInvalid(format!(
                            "symmetricKey.{key} is not 16 to 64 bytes in base64"
                        ))
                    })?,
            ),
            AuthenticationType::SelfSigned => {
                let X509Thumbprint { primary_thumbprint, secondary_thumbprint } = &self.x509_thumbprint;
                if primary_thumbprint.is_none() && secondary_thumbprint.is_none() {
                    return Err(invalid(
                        "authentication.type selfSigned needs a thumbprint in x509Thumbprint",
                    ));
                }
                for thumbprint in [primary_thumbprint, secondary_thumbprint].into_iter().flatten() {
                    if !matches!(thumbprint.len(), 40 | 64)
                        || !thumbprint.chars().all(|c| c.is_ascii_hexdigit())
                    {
                        return Err(invalid(
                            "a thumbprint has 40 (SHA-1) or 64 (SHA-256) hexadecimal digits",
                        ));
                    }
                }
                Self { symmetric_key: SymmetricKey::default(), ..self }
            }
            AuthenticationType::CertificateAuthority | AuthenticationType::None => Self {
                kind: self.kind,
                symmetric_key: SymmetricKey::default(),
                x509_thumbprint: X509Thumbprint::default(),
            },
        })
    }
}

/// A twin, of a device or of a module, as the service shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Twin {
    /// As on the identity.
    pub device_id: String,
    /// Whose it is, if it is that of a module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module_id: Option<String>,
    /// Of the twin; changes with every change of tags or desired properties.
    pub etag: String,
    /// Of the identity.
    pub device_etag: String,
    /// As on the identity.
    pub status: DeviceStatus,
    /// As on the identity; absent while there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
    /// As `statusUpdatedTime` on the identity.
    #[serde(with = "wire_time")]
    pub status_update_time: DateTime<Utc>,
    /// As on the identity.
    pub connection_state: ConnectionState,
    /// As on the identity.
    #[serde(with = "wire_time")]
    pub last_activity_time: DateTime<Utc>,
    /// As on the identity.
    pub cloud_to_device_message_count: usize,
    /// As on the identity.
    pub authentication_type: AuthenticationType,
    /// As on the identity.
    pub x509_thumbprint: X509Thumbprint,
    /// The Plug and Play model the device announced when it connected; empty if none.
    pub model_id: String,
    /// Rises with every change.
    pub version: u64,
    /// Seen by the service alone.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub tags: Map<String, Value>,
    /// Desired and reported properties.
    pub properties: TwinProperties,
    /// Edge or not.
    pub capabilities: DeviceCapabilities,
    /// The configurations that target it, by ID.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub configurations: BTreeMap<String, ConfigurationInfo>,
    /// As on the identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_scope: Option<String>,
    /// As on the identity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_scopes: Vec<String>,
}

/// The two sections of properties, each with `$version` and `$metadata`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TwinProperties {
    /// What the service wants.
    pub desired: Map<String, Value>,
    /// What the device says.
    pub reported: Map<String, Value>,
}

impl Twin {
    /// `$version` of the desired properties.
    pub fn desired_version(&self) -> u64 {
        version(&self.properties.desired)
    }

    /// `$version` of the reported properties.
    pub fn reported_version(&self) -> u64 {
        version(&self.properties.reported)
    }
}

fn version(section: &Map<String, Value>) -> u64 {
    section.get("$version").and_then(Value::as_u64).unwrap_or_default()
}
