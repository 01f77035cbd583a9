//! The configuration file, `tracker.toml`. Every key is described in `config/tracker.toml` and in the README.

mod alerts;
mod delivery_mode;
mod endpoint;
mod error;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use tracker_protocol::hub::MAX_KEEP_ALIVE;
use tracker_protocol::{GLOBAL_DPS_HOST, MQTT_TLS_PORT};

use crate::identity::KeyLocation;
use crate::instruments::SensorsConfig;

pub use alerts::Alerts;
pub use delivery_mode::DeliveryMode;
pub use endpoint::Endpoint;
pub use error::ConfigError;

/// The whole file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where to register.
    pub dps: DpsConfig,
    /// Who the device is.
    pub identity: IdentityConfig,
    /// How to reach the cloud.
    #[serde(default)]
    pub connection: ConnectionConfig,
    /// What is measured.
    #[serde(default)]
    pub sensors: SensorsConfig,
    /// How often it is measured before the device twin says otherwise, and what raises an alert.
    #[serde(default)]
    pub telemetry: TelemetryConfig,
    /// Whose time is believed.
    #[serde(default)]
    pub clock: ClockConfig,
    /// How readings share messages, until the device twin says otherwise.
    #[serde(default)]
    pub delivery: DeliveryMode,
    /// What is kept over a restart.
    #[serde(default)]
    pub state: StateConfig,
}

/// `[dps]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DpsConfig {
    /// Names the DPS instance, for example `0ne00A1B2C3`; on its overview page in the portal.
    pub id_scope: String,
    /// Host name of the device endpoint.
    #[serde(default = "default_dps_host")]
    pub host: String,
}

/// `[identity]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityConfig {
    /// PEM file: the leaf first, then every intermediate CA up to one that DPS knows.
    pub certificate: PathBuf,
    /// The private key of the leaf: a PEM file, or a `pkcs11:` URI.
    pub key: KeyLocation,
}

/// `[connection]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionConfig {
    /// PEM file with the root certificates that the servers' certificates are checked against; without it the
    /// operating system's store is used.
    pub roots: Option<PathBuf>,
    /// `host` or `host:port` through which all traffic goes.
    pub gateway: Option<String>,
    /// Seconds without traffic after which the device pings.
    pub keep_alive: u16,
    /// TCP port of DPS and hub.
    pub port: u16,
}

/// `[telemetry]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Seconds between readings until the twin's `telemetryInterval` says otherwise.
    pub interval: u32,
    /// Bounds that name an alert.
    pub alerts: Alerts,
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

fn default_dps_host() -> String {
    GLOBAL_DPS_HOST.into()
}

impl Default for ConnectionConfig {
    fn default() -> Self {
        // Carriers forget an idle connection after some five minutes, load balancers after four.
        Self { roots: None, gateway: None, keep_alive: 230, port: MQTT_TLS_PORT }
    }
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { interval: 60, alerts: Alerts::default() }
    }
}

impl Default for StateConfig {
    fn default() -> Self {
        Self { directory: "/var/lib/container-tracker".into(), journal_size_mib: 64 }
    }
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let mut config = Self::parse(path, &text)?;
        let directory = path.parent().unwrap_or(Path::new(""));
        config.identity.key.make_relative_to(directory);
        let paths = [&mut config.identity.certificate, &mut config.state.directory];
        for relative in paths.into_iter().chain(config.connection.roots.as_mut()) {
            *relative = directory.join(&relative);
        }
        Ok(config)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text)
            .map_err(|error| ConfigError::Parse { path: path.into(), source: without_pin(text, error) })?;
        match config.problem() {
            Some((key, why)) => Err(ConfigError::Value { path: path.into(), key, why }),
            None => Ok(config),
        }
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        let Self { dps, connection, sensors, telemetry, state, .. } = self;
        if dps.id_scope.is_empty() || !dps.id_scope.chars().all(|c| c.is_ascii_alphanumeric()) {
            let why = format!(
                "{:?} is not an ID scope; it looks like 0ne00A1B2C3, see the overview of your DPS",
                dps.id_scope
            );
            return Some(("dps.id_scope", why));
        }
        if dps.host.is_empty() || dps.host.contains(['/', ':']) {
            return Some((
                "dps.host",
                format!("{:?} is not a host name; it goes without scheme and port", dps.host),
            ));
        }
        if !(10..=MAX_KEEP_ALIVE).contains(&connection.keep_alive) {
            let why = format!("{} s is not between 10 and {MAX_KEEP_ALIVE}", connection.keep_alive);
            return Some(("connection.keep_alive", why));
        }
        if let Some(gateway) = &connection.gateway
            && let Err(why) = Endpoint::parse(gateway, connection.port)
        {
            return Some(("connection.gateway", why));
        }
        if let Some(problem) = sensors.problem() {
            return Some(problem);
        }
        if !(1..=86_400).contains(&telemetry.interval) {
            return Some((
                "telemetry.interval",
                format!("{} s is not between 1 and 86400", telemetry.interval),
            ));
        }
        if !(1..=16_384).contains(&state.journal_size_mib) {
            let why = format!("{} MiB is not between 1 and 16384", state.journal_size_mib);
            return Some(("state.journal_size_mib", why));
        }
        None
    }
}

/// An error of TOML shows its line, which may have a PIN in it.
fn without_pin(text: &str, error: toml::de::Error) -> Box<dyn std::error::Error + Send + Sync> {
    if text.contains("pin-value") { error.message().into() } else { Box::new(error) }
}

impl ConnectionConfig {
    /// Where connections to `host` really go: there, or to the gateway.
    pub fn endpoint(&self, host: &str) -> Endpoint {
        let direct = Endpoint { host: host.into(), port: self.port };
        match &self.gateway {
            // It was checked when the configuration was read.
            Some(gateway) => Endpoint::parse(gateway, self.port).unwrap_or(direct),
            None => direct,
        }
    }
}

impl TelemetryConfig {
    /// The interval as a duration.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str =
        "[dps]\nid_scope = \"0ne00A1B2C3\"\n[identity]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n";

    fn error(text: &str) -> String {
        Config::parse(Path::new("tracker.toml"), text).unwrap_err().to_string()
    }

    #[test]
    fn the_minimal_file_gets_azures_defaults() {
        let config = Config::parse(Path::new("tracker.toml"), MINIMAL).unwrap();
        assert_eq!(config.dps.host, "global.azure-devices-provisioning.net");
        assert_eq!((config.connection.port, config.connection.keep_alive), (8883, 230));
        assert_eq!(config.telemetry.interval(), Duration::from_secs(60));
    }

    #[test]
    fn errors_name_the_key_and_the_mend() {
        let with = |more: &str| error(&format!("{MINIMAL}{more}"));
        assert!(
            with("[connection]\nkeep_alive = 5")
                .ends_with("connection.keep_alive: 5 s is not between 10 and 1177")
        );
        assert!(
            with("[telemetry]\ninterval = 0").ends_with("telemetry.interval: 0 s is not between 1 and 86400")
        );
        assert!(with("[sensors.bme280]\naddress = 0x40").contains("0x76 or 0x77, not at 0x40"));
        assert!(
            with("[connection]\ngateway = \"edge:0\"").contains("connection.gateway: \"edge:0\" is not host")
        );
        assert!(with("[sensor]\n").contains("unknown field `sensor`"));
        assert!(
            error("[dps]\nid_scope = \"a/b\"\n[identity]\ncertificate=\"a\"\nkey=\"a\"")
                .contains("is not an ID scope")
        );
        assert!(error("[dps]\n").contains("missing field `id_scope`"));
        let missing = Config::load(Path::new("/nowhere/tracker.toml")).unwrap_err().to_string();
        assert!(missing.starts_with("can't read the configuration /nowhere/tracker.toml"), "{missing}");
    }

    #[test]
    fn a_key_is_a_file_or_a_uri_and_a_pin_is_never_shown() {
        let with = |key: &str| MINIMAL.replace("a.key", key);
        let uri = "pkcs11:token=t?module-path=/lib/p11.so&pin-value=1234";
        let config = Config::parse(Path::new("tracker.toml"), &with(uri)).unwrap();
        assert_eq!(config.identity.key.to_string(), "pkcs11:token=t");
        assert!(!format!("{config:?}").contains("1234"));
        assert_eq!(
            error(&with(&format!("{uri}&pin-source=/x"))),
            "the configuration tracker.toml can't be used: the pkcs11: URI has pin-source and pin-value; one of \
             them is enough, and pin-source is the better one"
        );
        assert!(error(&with("pkcs11:token=t")).contains("names no PKCS#11 library; add ?module-path="));
        assert!(!error(&with(&format!("{uri}\"\"\""))).contains("1234"));
    }
}
