//! Shared access policies: who may do what at a service, by name and key.

use serde::{Deserialize, Serialize};

use crate::security::{
    keys::{KeyLength, SymmetricKey},
    sas::{SasError, SasToken},
};

/// What a policy allows; a call needs one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Right {
    RegistryRead,
    RegistryWrite,
    ServiceConnect,
    DeviceConnect,
    /// Everything at a provisioning service.
    Provisioning,
}

/// A policy with its keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessPolicy {
    pub name: String,
    pub rights: Vec<Right>,
    pub keys: SymmetricKey,
}

/// The policies of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AccessPolicies(Vec<AccessPolicy>);

/// The service's own owner.
pub(crate) const HUB_OWNER: &str = "iothubowner";
/// The service's own owner.
pub(crate) const DPS_OWNER: &str = "provisioningserviceowner";

impl AccessPolicies {
    /// The five a new hub comes with, with random keys.
    pub(crate) fn of_hub() -> Self {
        use Right::{DeviceConnect, RegistryRead, RegistryWrite, ServiceConnect};
        let policies: [(&str, &[Right]); 5] = [
            (HUB_OWNER, &[RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect]),
            ("service", &[ServiceConnect]),
            ("device", &[DeviceConnect]),
            ("registryRead", &[RegistryRead]),
            ("registryReadWrite", &[RegistryRead, RegistryWrite]),
        ];
        Self::new(&policies, KeyLength::Hub)
    }

    /// The one a new provisioning service comes with, with random keys.
    pub(crate) fn of_dps() -> Self {
        Self::new(&[(DPS_OWNER, &[Right::Provisioning])], KeyLength::Dps)
    }

    fn new(policies: &[(&str, &[Right])], length: KeyLength) -> Self {
        let policy = |(name, rights): &(&str, &[Right])| AccessPolicy {
            name: (*name).to_owned(),
            rights: rights.to_vec(),
            keys: SymmetricKey::generate(length),
        };
        Self(policies.iter().map(policy).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &AccessPolicy> {
        self.0.iter()
    }

    /// The policy that a token names and is signed with.
    pub(crate) fn signer(&self, token: &SasToken) -> Result<&AccessPolicy, SasError> {
        let policy = self.named_by(token)?;
        token.check_signature(policy.keys.iter()).map(|()| policy)
    }

    /// The same where the key's text counts as a key, too.
    pub(crate) fn signer_of_either(&self, token: &SasToken) -> Result<&AccessPolicy, SasError> {
        let policy = self.named_by(token)?;
        token.check_either_signature(policy.keys.iter()).map(|()| policy)
    }

    fn named_by(&self, token: &SasToken) -> Result<&AccessPolicy, SasError> {
        let name = token.policy.as_deref().ok_or(SasError::Field("skn"))?;
        self.0.iter().find(|policy| policy.name == name).ok_or(SasError::Signature)
    }
}

/// What a service client connects with.
///
/// A key belongs to one service alone, so `localhost` in place of the service's name says as much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionString {
    /// Host name of the service.
    pub service: String,
    /// The shared access policy.
    pub policy: String,
    /// With the service's own name, which has to lead to the emulator; with the port unless that is 443.
    pub named: String,
    /// With `localhost` and the port.
    pub local: String,
}

impl ConnectionString {
    /// Of the built-in endpoint of the hub that is called so there, as clients of Event Hubs take it.
    pub(crate) fn of_event_hub(host: &str, port: u16, hub: &str, policy: &AccessPolicy) -> Self {
        let rest = format!(
            "SharedAccessKeyName={};SharedAccessKey={};EntityPath={hub}",
            policy.name,
            policy.keys.iter().next().unwrap_or_default()
        );
        let suffix = match port {
            5671 => String::new(),
            other => format!(":{other}"),
        };
        Self {
            service: host.to_owned(),
            policy: policy.name.clone(),
            named: format!("Endpoint=sb://{host}{suffix}/;{rest}"),
            local: format!("Endpoint=sb://localhost{suffix}/;{rest}"),
        }
    }

    pub(crate) fn of(service: &str, port: u16, policy: &AccessPolicy) -> Self {
        let rest = format!(
            "SharedAccessKeyName={};SharedAccessKey={}",
            policy.name,
            policy.keys.iter().next().unwrap_or_default()
        );
        let suffix = match port {
            443 => String::new(),
            other => format!(":{other}"),
        };
        Self {
            service: service.to_owned(),
            policy: policy.name.clone(),
            named: format!("HostName={service}{suffix};{rest}"),
            local: format!("HostName=localhost{suffix};{rest}"),
        }
    }
}
