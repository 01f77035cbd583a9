//! The configuration file, `tracker.toml`. Every key is described in `config/tracker.toml` and in the README.

mod alerts;
mod delivery_mode;
mod endpoint;
mod error;
mod interval;
mod tables;
mod written;

use std::path::Path;

use crate::instruments::SensorsConfig;
use crate::platform::plain_file;

pub use alerts::Alerts;
pub use delivery_mode::DeliveryMode;
pub use endpoint::Endpoint;
pub use error::ConfigError;
pub use interval::Interval;
pub use tables::{ClockConfig, ConnectionConfig, DpsConfig, IdentityConfig, StateConfig, TelemetryConfig};
use written::{Problem, Written};

/// A larger file is no configuration.
const LARGEST: u64 = 1024 * 1024;

/// The whole file.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to register.
    pub dps: DpsConfig,
    /// Who the device is.
    pub identity: IdentityConfig,
    /// How to reach the cloud.
    pub connection: ConnectionConfig,
    /// What is measured.
    pub sensors: SensorsConfig,
    /// How often it is measured before the device twin says otherwise, and what raises an alert.
    pub telemetry: TelemetryConfig,
    /// Whose time is believed.
    pub clock: ClockConfig,
    /// How readings share messages, until the device twin says otherwise.
    pub delivery: DeliveryMode,
    /// What is kept over a restart.
    pub state: StateConfig,
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = plain_file::read_text(path, LARGEST)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
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
        let written: Written = toml::from_str(text).map_err(|error| ConfigError::Parse {
            path: path.into(),
            source: without_secret(text, &error),
        })?;
        Self::check(written).map_err(|(key, why)| ConfigError::Value { path: path.into(), key, why })
    }

    fn check(written: Written) -> Result<Self, Problem> {
        Ok(Self {
            dps: written::dps(written.dps)?,
            identity: written::identity(written.identity)?,
            connection: written::connection(written.connection)?,
            sensors: written::sensors(written.sensors)?,
            telemetry: written::telemetry(written.telemetry)?,
            clock: written.clock,
            delivery: written.delivery,
            state: written::state(written.state)?,
        })
    }
}

/// An error of TOML shows its line, which may have a PIN in it, or a key that was named in place of the configuration; it
/// keeps the whole file besides, and says a value of the wrong type again.
fn without_secret(text: &str, error: &toml::de::Error) -> Box<dyn std::error::Error + Send + Sync> {
    let start = error.span().map_or(0, |span| span.start);
    let before = text.get(..start).unwrap_or(text).split('\n').count();
    let line = text.split('\n').nth(before - 1).unwrap_or_default().to_ascii_lowercase();
    let holds_key = text.contains("PRIVATE KEY");
    let message = match error.message() {
        value if value.starts_with("invalid ") && !value.starts_with("invalid key") => {
            "another kind of value is expected"
        }
        message => message,
    };
    if message.contains("pkcs11:") && !holds_key {
        message.into()
    } else if holds_key || line.contains("pkcs11") || line.contains("pin") {
        let secret = if holds_key {
            "is not shown because the file has a private key in it"
        } else {
            "is not shown because it may have a PIN in it"
        };
        format!("line {before}, which {secret}: {message}").into()
    } else {
        error.to_string().into()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

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
        assert_eq!(config.telemetry.interval(), Duration::from_mins(1));
    }

    #[test]
    fn a_gateway_takes_the_place_of_every_host_at_the_configured_port() {
        let with =
            |more: &str| Config::parse(Path::new("tracker.toml"), &format!("{MINIMAL}{more}")).unwrap();
        let goes = |config: Config| {
            let Endpoint { host, port } = config.connection.endpoint("hub");
            (host, port)
        };
        assert_eq!(goes(with("")), ("hub".into(), 8883));
        assert_eq!(goes(with("[connection]\ngateway = \"edge\"\nport = 99")), ("edge".into(), 99));
        assert_eq!(goes(with("[connection]\ngateway = \"edge:7\"\nport = 99")), ("edge".into(), 7));
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
        let crossed = with("[telemetry.alerts]\ntemperature_low = 9\ntemperature_high = 8");
        assert!(
            crossed.ends_with(
                "telemetry.alerts.temperature_low: 9 is above telemetry.alerts.temperature_high, which is 8: every \
                 reading would be an alert; exchange them"
            ),
            "{crossed}"
        );
        assert!(
            with("[telemetry.alerts]\nhumidity_low = 80.5\nhumidity_high = 20")
                .contains("humidity_low: 80.5 is above")
        );
        for bound in ["nan", "inf", "-inf"] {
            let error = with(&format!("[telemetry.alerts]\nhumidity_high = {bound}"));
            assert!(
                error.contains("telemetry.alerts.humidity_high: ") && error.contains("is no bound"),
                "{error}"
            );
        }
        let same = format!("{MINIMAL}[telemetry.alerts]\ntemperature_low = 8\ntemperature_high = 8");
        Config::parse(Path::new("tracker.toml"), &same).unwrap();
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
        for broken in [
            with(&format!("{uri}\"\"\"")),
            with("a.key").replace("\"a.key\"", uri),
            with("pkcs11:token=t?pinvalue=1234"),
            with("pkcs11:token=t;pin:1234"),
            with("pkcs12:token=t?pin-value=1234"),
            with("a.key") + "pin-value = \"1234\"",
            with("a.key") + "PIN = 1234",
            with(uri) + "interval = 5",
            with("a.key").replace("a.pem", uri),
        ] {
            let error = Config::parse(Path::new("tracker.toml"), &broken).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("1234"), "{broken}: {error:?}");
        }
        let other = error(&(with("a.key") + "pin-value = \"1\""));
        assert!(
            other.contains(
                "line 6, which is not shown because it may have a PIN in it: unknown field `pin-value`"
            ),
            "{other}"
        );
    }
}
