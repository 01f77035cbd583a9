//! The smaller tables of the configuration file, with every value known to be good.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tracker_protocol::GLOBAL_DPS_HOST;

use super::alerts::Alerts;
use super::endpoint::Endpoint;
use super::interval::Interval;
use super::last_interval::LastInterval;
use super::pace::Intervals;
use super::proxy::{Proxy, Transport};
use crate::identity::operational::Operational;
use crate::identity::{Identity, IdentityError, KeyLocation, WithoutCertificate};

/// `[dps]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpsConfig {
    /// Names the DPS instance, for example `0ne00A1B2C3`; on its overview page in the portal.
    pub id_scope: String,
    /// Host name of the device endpoint.
    #[serde(default = "default_dps_host")]
    pub host: String,
    /// TCP port of HTTPS there, which TPMs alone use.
    #[cfg(feature = "sas")]
    #[serde(default = "default_https_port")]
    pub https_port: u16,
}

/// `[identity]`
#[derive(Debug, Clone)]
pub struct IdentityConfig {
    /// PEM file: the leaf first, then every intermediate CA up to one that DPS knows.
    pub certificate: PathBuf,
    /// The private key of the leaf: a PEM file, or a `pkcs11:` URI.
    pub key: KeyLocation,
    /// The hub is shown the leaf alone: it knows the device by a thumbprint, and not by a CA.
    pub leaf_alone_at_hub: bool,
    /// Azure issues the certificate that the hub is shown; `None` where it is shown [`IdentityConfig::certificate`].
    pub operational: Option<Operational>,
    /// The device has no certificate. [`IdentityConfig::certificate`] and [`IdentityConfig::key`] are both the file with its
    /// symmetric key then: what is looked at for a change.
    pub without_certificate: Option<WithoutCertificate>,
}

impl IdentityConfig {
    /// Loads and checks who the device is. See [`Identity::load`].
    pub fn load(&self, state_directory: &Path) -> Result<Identity, IdentityError> {
        match &self.without_certificate {
            Some(given) => Identity::without_certificate(given, &self.certificate, state_directory),
            None => Identity::load(&self.certificate, &self.key, state_directory),
        }
    }
}

/// `[connection]`
#[derive(Debug, Clone)]
pub struct ConnectionConfig {
    /// PEM file with the root certificates that the servers' certificates are checked against; without it the
    /// operating system's store is used.
    pub roots: Option<PathBuf>,
    /// Through which all traffic goes.
    pub gateway: Option<Endpoint>,
    /// Seconds without traffic after which the device pings.
    pub keep_alive: u16,
    /// TCP port of DPS and hub.
    pub port: u16,
    /// What MQTT is carried by.
    pub transport: Transport,
    /// Through which everything is dialled.
    pub proxy: Option<Proxy>,
    /// How the hub is spoken to.
    pub profile: Profile,
}

/// `connection.profile`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// MQTT 3.1.1, as every hub did until 2026; DPS is not asked.
    #[default]
    Classic,
    /// As DPS says of the hub that it assigns: MQTT 3.1.1, or 5. It is asked by an API version that is a preview.
    Assigned,
}

/// `[telemetry]`
#[derive(Debug, Clone, Default)]
pub struct TelemetryConfig {
    /// Between readings, until the twin's `telemetryInterval` says otherwise.
    pub interval: Interval,
    /// Bounds that name an alert.
    pub alerts: Alerts,
    /// Between readings in some states, until the twin's `intervals` says otherwise.
    pub intervals: Intervals,
    /// Between reports of place and temperature in the twin, until the twin's `lastInterval` says otherwise.
    pub last_interval: LastInterval,
}

/// `[clock]`
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClockConfig {
    /// The machine has a battery-backed clock, or one that somebody sets: believe it although the kernel does not say
    /// that it is synchronised.
    pub trust_system: bool,
}

/// `[state]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StateConfig {
    /// Assignment, settings and unsent readings.
    pub directory: PathBuf,
    /// Megabytes (MiB) that unsent readings may take; beyond that the history becomes coarser.
    pub journal_size_mib: u32,
}

#[cfg(feature = "sas")]
fn default_https_port() -> u16 {
    443
}

fn default_dps_host() -> String {
    GLOBAL_DPS_HOST.into()
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        // Carriers forget an idle connection after some five minutes, load balancers after four.
        let transport = Transport::default();
        Self {
            roots: None,
            gateway: None,
            keep_alive: 230,
            port: transport.port(),
            transport,
            proxy: None,
            profile: Profile::Classic,
        }
    }
}

impl Default for StateConfig {
    fn default() -> Self {
        Self { directory: "/var/lib/container-tracker".into(), journal_size_mib: 64 }
    }
}

impl ConnectionConfig {
    /// Where connections to `host` really go: there, or to the gateway.
    pub fn endpoint(&self, host: &str) -> Endpoint {
        self.gateway.clone().unwrap_or_else(|| Endpoint { host: host.into(), port: self.port })
    }

    /// Where HTTPS to DPS really goes: there, or to the gateway.
    #[cfg(feature = "tpm")]
    pub fn https_endpoint(&self, dps: &DpsConfig) -> Endpoint {
        let host = self.gateway.as_ref().map_or(&dps.host, |gateway| &gateway.host);
        Endpoint { host: host.clone(), port: dps.https_port }
    }

    /// How traffic goes, in words, where that is not the usual way. No password is part of it.
    pub fn way(&self) -> Option<String> {
        match (self.transport, &self.proxy) {
            (Transport::Mqtt, None) => None,
            (transport, None) => Some(transport.to_string()),
            (transport, Some(proxy)) => Some(format!("{transport} by the proxy {}", proxy.endpoint)),
        }
    }

    /// Where TCP to `host` is made: at the proxy, if there is one.
    pub fn first_hop(&self, host: &str) -> Endpoint {
        self.proxy.as_ref().map_or_else(|| self.endpoint(host), |proxy| proxy.endpoint.clone())
    }
}

impl TelemetryConfig {
    /// The interval as a duration.
    pub fn interval(&self) -> Duration {
        self.interval.duration()
    }
}
