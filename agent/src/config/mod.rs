//! The configuration file, `tracker.toml`. Every key is described in `config/tracker.toml` and in `docs/settings.md`.

mod alerts;
mod delivery_mode;
mod endpoint;
mod error;
mod explain;
#[cfg(test)]
pub(crate) mod for_tests;
mod interval;
mod last_interval;
mod pace;
mod proxy;
mod tables;
#[cfg(feature = "sas")]
mod without_certificate;
mod written;

use std::path::Path;

use crate::alarms::schema;
use crate::identity::operational::{OperationalError, Pairs};
use crate::instruments::SensorsConfig;
use crate::platform::plain_file;

pub use alerts::Alerts;
pub use delivery_mode::DeliveryMode;
pub use endpoint::Endpoint;
pub use error::ConfigError;
use explain::{decode, explain, misplaced};
pub use interval::Interval;
pub use last_interval::LastInterval;
pub use pace::{Intervals, Pace, Situation};
pub use proxy::{Login, Proxy, Transport};
pub use tables::{
    ClockConfig, ConnectionConfig, DpsConfig, IdentityConfig, Profile, StateConfig, TelemetryConfig,
};
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
    /// When a reading is an alarm, until the device twin says otherwise.
    pub alarms: schema::Alarms,
}

impl Config {
    /// Reads and checks a file. Relative paths in it are relative to the file.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let bytes = plain_file::read(path, LARGEST)
            .map_err(|source| ConfigError::Read { path: path.into(), source })?;
        let text = decode(&bytes).map_err(|why| ConfigError::Parse { path: path.into(), why })?;
        let mut config = Self::parse(path, text)?;
        // The parent of a mere name is empty, which is no directory to the system.
        let directory = path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."));
        config.identity.key.make_relative_to(directory);
        if let Some(operational) = &mut config.identity.operational {
            operational.make_relative_to(directory);
        }
        let paths = [&mut config.identity.certificate, &mut config.state.directory];
        let ConnectionConfig { roots, proxy, .. } = &mut config.connection;
        let login = proxy.as_mut().and_then(|proxy| proxy.login.as_mut());
        let paths =
            paths.into_iter().chain(roots.as_mut()).chain(login.map(|login| &mut login.password_file));
        let paths = paths.chain(config.sensors.paths());
        for relative in paths {
            *relative = directory.join(&relative);
        }
        Ok(config)
    }

    /// What Azure has issued to this device; `None` where nothing is to be issued. See [`Pairs::open`].
    pub fn pairs(&self) -> Result<Option<Pairs>, OperationalError> {
        Pairs::open(self.identity.operational.as_ref(), &self.state.directory)
    }

    /// Reads this text, checked. The path is for sentences about mistakes.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let written: Written = toml::from_str(text)
            .map_err(|error| ConfigError::Parse { path: path.into(), why: explain(text, &error) })?;
        if let Some(why) = misplaced(text) {
            return Err(ConfigError::Parse { path: path.into(), why });
        }
        Self::check(written).map_err(|(key, why)| ConfigError::Value { path: path.into(), key, why })
    }

    fn check(written: Written) -> Result<Self, Problem> {
        #[cfg(feature = "sas")]
        let without_certificate = without_certificate::identity(&written.identity)?;
        #[cfg(not(feature = "sas"))]
        let without_certificate = None;
        let identity = match without_certificate {
            Some(identity) => identity,
            None => written::identity(written.identity)?,
        };
        let connection = written::connection(written.connection)?;
        if identity.without_certificate.is_some() && connection.profile == Profile::Assigned {
            let why =
                "hubs of MQTT 5 know devices by certificates alone, and this one has none; leave it out";
            return Err(("connection.profile", why.into()));
        }
        Ok(Self {
            dps: written::dps(written.dps)?,
            identity,
            connection,
            sensors: written::sensors(written.sensors)?,
            telemetry: written::telemetry(written.telemetry)?,
            clock: written.clock,
            delivery: written.delivery,
            state: written::state(written.state)?,
            alarms: written::alarms(written.alarms)?,
        })
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
        assert_eq!((config.connection.transport, config.connection.proxy), (Transport::Mqtt, None));
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
        let websocket = |more: &str| goes(with(&format!("[connection]\ntransport = \"websocket\"\n{more}")));
        assert_eq!(websocket(""), ("hub".into(), 443));
        assert_eq!(websocket("port = 99"), ("hub".into(), 99));
        assert_eq!(websocket("gateway = \"edge\""), ("edge".into(), 443));
    }

    #[test]
    fn a_proxy_is_dialled_first_and_its_password_is_in_a_file_beside_the_configuration() {
        let text = format!(
            "{MINIMAL}[connection]\nproxy = \"http://ship@proxy:3128\"\nproxy_password_file = \"proxy.password\""
        );
        let config = Config::parse(Path::new("tracker.toml"), &text).unwrap();
        assert_eq!(config.connection.first_hop("hub").to_string(), "proxy:3128");
        assert_eq!(config.connection.endpoint("hub").to_string(), "hub:8883");
        let direct = Config::parse(Path::new("tracker.toml"), MINIMAL).unwrap();
        assert_eq!(direct.connection.first_hop("hub").to_string(), "hub:8883");
        let alone = error(&format!("{MINIMAL}[connection]\nproxy_password_file = \"proxy.password\""));
        assert!(alone.ends_with("connection.proxy_password_file: there is no connection.proxy"), "{alone}");
    }

    #[test]
    fn a_password_in_a_url_is_never_shown() {
        let url = "http://ship:s3cret@proxy:3128";
        for more in [
            format!("[connection]\nproxy = \"{url}\""),
            format!("[connection]\nproxy = {url}"),
            format!("[connection]\nproxy = [\"{url}\"]"),
            format!("[connection]\nproxy = \"{url}"),
            format!("[connection]\nproxie = \"{url}\""),
            format!("[connection]\n\"{url}\" = 1"),
            format!("[connection]\ngateway = \"{url}\""),
            "[connection]\ngateway = \"ship:s3cret@proxy\"".to_owned(),
            format!("[connection]\nprofile = \"{url}\""),
            format!("[connection]\ntransport = \"{url}\""),
            format!("[connection]\nport = \"{url}\""),
            format!("[connection]\nproxy = \"http://proxy:1\"\nport = \"{url}\""),
            "[connection]\nproxy = \"socks5://ship:s3cret@proxy\"".to_owned(),
        ] {
            let error = Config::parse(Path::new("tracker.toml"), &format!("{MINIMAL}{more}")).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{more}: {error:?}");
        }
    }

    #[test]
    fn how_the_hub_is_spoken_to_is_classic_unless_dps_is_to_be_asked() {
        let with = |more: &str| Config::parse(Path::new("tracker.toml"), &format!("{MINIMAL}{more}"));
        assert_eq!(with("").unwrap().connection.profile, Profile::Classic);
        let written = |word: &str| with(&format!("[connection]\nprofile = \"{word}\""));
        assert_eq!(written("classic").unwrap().connection.profile, Profile::Classic);
        assert_eq!(written("assigned").unwrap().connection.profile, Profile::Assigned);
        let why = written("mqttV5").unwrap_err().to_string();
        assert!(why.ends_with("unknown variant `mqttV5`, expected `classic` or `assigned`"), "{why}");
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
        let still = with("[telemetry.intervals]\nmoving = 300\nstill = 0");
        assert!(
            still.ends_with("telemetry.intervals: still: 0 is not a whole number of seconds from 1 to 86400"),
            "{still}"
        );
        let camel = with("[telemetry.intervals]\ninFence = 60");
        let words = "inFence: there is no such member; there are moving, still, in_fence, alarm";
        assert!(camel.ends_with(words), "{camel}");
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
        assert!(
            with("[alarms]\nprofile = \"brie\"")
                .contains(": alarms: profile: there is no \"brie\"; there are ")
        );
        assert!(
            with("[alarms.bounds.x]\nfield = \"light\"\nwarning = { high = inf }")
                .ends_with("alarms: bounds.x.warning.high: null is no number")
        );
        assert!(with("[sensor]\n").contains("unknown field `sensor`"));
        assert!(
            error("[dps]\nid_scope = \"a/b\"\n[identity]\ncertificate=\"a\"\nkey=\"a\"")
                .contains("is not an ID scope")
        );
        assert!(error("[dps]\n").contains("missing field `id_scope`"));
        let missing = Config::load(Path::new("/nowhere/tracker.toml")).unwrap_err().to_string();
        assert!(missing.starts_with("can't read the configuration /nowhere/tracker.toml"), "{missing}");
        assert!(missing.ends_with("; name it with --config"), "{missing}");
        let directory = Config::load(Path::new("/")).unwrap_err().to_string();
        assert_eq!(directory, "can't read the configuration /: it is a directory and no file");
    }

    #[test]
    fn what_is_not_toml_or_of_another_kind_is_told_in_one_line_and_in_words_for_people() {
        let cases = [
            ("[telemetry]\ninterval = '60'", "line 7: invalid type: string \"60\", expected a whole number"),
            (
                "[connection]\nport = 70000",
                "line 7: invalid value: integer `70000`, expected a whole number from 0 to 65535",
            ),
            (
                "[telemetry.alerts]\ntemperature_low = 'x'",
                "line 7: invalid type: string \"x\", expected a number",
            ),
            ("[clock]\ntrust_system = 'yes'", "line 7: invalid type: string \"yes\", expected true or false"),
            ("[sensors]\ngps = true", "line 7: invalid type: boolean `true`, expected a table"),
            (
                "[state]\ndirectory = /var",
                "line 7: `/var` is neither a number nor true or false; text stands in quotes",
            ),
            (
                "[clock]\ntrust_system = True",
                "line 7: `True` is neither a number nor true or false; text stands in quotes",
            ),
            ("[dps]", "line 6: duplicate key"),
            (
                "[sensor]\n",
                "line 6: unknown field `sensor`, expected one of `dps`, `identity`, `connection`, `sensors`, \
                            `telemetry`, `clock`, `delivery`, `state`, `alarms`",
            ),
        ];
        for (more, why) in cases {
            let told = error(&format!("{MINIMAL}{more}"));
            assert_eq!(told, format!("the configuration tracker.toml can't be used: {why}"), "{more}");
        }
        let scope = error("[dps]\nid_scope = 0ne1\n");
        assert!(
            scope.ends_with(": line 2: `0ne1` is neither a number nor true or false; text stands in quotes"),
            "{scope}"
        );
    }

    #[test]
    fn a_file_in_another_encoding_is_named_as_that() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tracker.toml");
        let why = |bytes: &[u8]| {
            std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), bytes).unwrap();
            Config::load(&path)
                .map_err(|error| error.to_string().split_once(" can't be used: ").unwrap().1.to_owned())
        };
        let utf16 = |mark: &str| -> Vec<u8> {
            format!("{mark}{MINIMAL}").encode_utf16().flat_map(u16::to_le_bytes).collect()
        };
        for mark in ["\u{feff}", ""] {
            let told = why(&utf16(mark)).unwrap_err();
            assert_eq!(told, "it is in UTF-16, as some editors on Windows save it; save it in UTF-8");
        }
        let latin = why(b"[dps]\nid_scope = \"\xe4\"\n").unwrap_err();
        assert_eq!(latin, "line 2: byte 0xE4 is not UTF-8; save the file in UTF-8");
        assert!(why(format!("\u{feff}{MINIMAL}").as_bytes()).is_ok(), "a mark of UTF-8 is nothing wrong");
    }

    #[test]
    fn every_relative_path_is_relative_to_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tracker.toml");
        let sensors = "[sensors.gps]\nport = \"tty\"\n[sensors.bme280]\nbus = \"i2c\"\n[sensors.door]\nchip = \"gpio\"\n\
                       [sensors.light]\nbus = \"/dev/i2c-1\"\n";
        #[expect(clippy::disallowed_methods, reason = "a test's own file")]
        std::fs::write(&file, MINIMAL.to_owned() + sensors).unwrap();
        let Config { identity, sensors, .. } = Config::load(&file).unwrap();
        let within = |name: &str| directory.path().join(name);
        assert_eq!(identity.certificate, within("a.pem"));
        assert_eq!(
            [sensors.gps.port, sensors.bme280.bus, sensors.door.chip, sensors.light.bus],
            [within("tty"), within("i2c"), within("gpio"), "/dev/i2c-1".into()]
        );
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
            with("a.key") + &format!("[telemetry]\ninterval = \"{uri}\""),
            with("a.key") + &format!("[clock]\ntrust_system = \"{uri}\""),
            with("a.key") + &format!("[telemetry]\n\"{uri}\" = 1"),
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

    #[test]
    fn what_azure_is_to_issue_is_off_and_each_mistake_in_it_has_its_sentence() {
        use crate::identity::operational::{KeyPlace, Operational};

        let with = |more: &str| format!("{MINIMAL}[identity.operational]\n{more}");
        let operational =
            |text: &str| Config::parse(Path::new("tracker.toml"), text).unwrap().identity.operational;
        assert_eq!(operational(MINIMAL), None);
        assert!(Config::parse(Path::new("tracker.toml"), MINIMAL).unwrap().pairs().unwrap().is_none());
        let file = operational(&with("issuer = \"dps\""));
        assert_eq!(file, Some(Operational { key: KeyPlace::File, renew_at: 0.8 }));
        let uri = "pkcs11:token=t?module-path=/lib/p11.so&pin-value=1234";
        let token = operational(&with(&format!("issuer = \"dps\"\nkey = \"{uri}\"\nrenew_at = 0.5")));
        let Some(Operational { key: KeyPlace::Token(named), renew_at: 0.5 }) = token else {
            panic!("{token:?}")
        };
        assert_eq!(named.to_string(), "pkcs11:token=t");
        for (more, words) in [
            ("", "missing field `issuer`"),
            ("issuer = \"est\"", "identity.operational.issuer: \"est\" issues no certificates; \"dps\" does"),
            (
                "issuer = \"dps\"\nrenew_at = 1",
                "identity.operational.renew_at: 1 is not between 0.1 and 0.95",
            ),
            ("issuer = \"dps\"\nrenew_at = nan", "identity.operational.renew_at: NaN is not between"),
            (
                "issuer = \"dps\"\nkey = \"my.key\"",
                "identity.operational.key: it is neither \"file\" nor a pkcs11: URI",
            ),
            (
                "issuer = \"dps\"\nkey = \"pkcs11:token=t\"",
                "identity.operational.key: the pkcs11: URI names no PKCS#11 library",
            ),
            (
                "issuer = \"dps\"\nkey = \"pkcs11:object=x?module-path=/l.so\"",
                "identity.operational.key: the agent makes keys in the token",
            ),
            ("issuer = \"dps\"\nkey = \"token=t?pin-value=1234\"", "identity.operational.key: it is neither"),
            ("issuer = \"dps\"\npath = 1", "unknown field `path`"),
        ] {
            let told = error(&with(more));
            assert!(told.contains(words) && !told.contains("1234"), "{told}");
        }
    }

    #[test]
    fn a_secret_that_was_put_into_the_file_is_never_shown() {
        let body = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg".repeat(3);
        let pem = format!("-----BEGIN PRIVATE KEY-----{body}-----END PRIVATE KEY-----");
        let lines = format!("\n{}\n{}\n", &body[..64], &body[64..]);
        let login =
            "HostName=x.azure-devices.net;SharedAccessKeyName=a;SharedAccessKey=MIGHAgEAMBMGByqGSM49Ag==";
        let alone = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawI=";
        let more = "[connection]\ngateway = \"edge\"\nroots = \"r.pem\"\n[telemetry]\ninterval = \"60\"\n";
        for whole in [format!("{MINIMAL}{more}"), format!("{MINIMAL}{}", more.replace("\"60\"", "60"))] {
            for place in ["0ne00A1B2C3", "a.pem", "a.key", "edge", "r.pem", "60"] {
                for secret in [&pem, &body, &lines, login, alone] {
                    let text = whole.replace(&format!("\"{place}\""), &format!("\"\"\"{secret}\"\"\""));
                    let Err(error) = Config::parse(Path::new("tracker.toml"), &text) else {
                        assert!(text == whole || *secret == *alone, "{place} takes it");
                        continue;
                    };
                    assert!(!format!("{error} {error:?}").contains("MIGHAgEA"), "{place}: {error}");
                }
            }
        }
        let path = format!("/home/operator/certificates/{}.pem", "5E0F".repeat(16));
        Config::parse(Path::new("tracker.toml"), &MINIMAL.replace("a.pem", &path)).unwrap();
        for (secret, what) in [(&*pem, "a private key"), (login, "a connection string")] {
            let told = error(&MINIMAL.replace("a.key", secret));
            assert!(
                told.contains(&format!("line 5, which is not shown, has {what} in it; a key belongs")),
                "{told}"
            );
            Config::parse(Path::new("tracker.toml"), &format!("{MINIMAL}# {secret}")).unwrap();
        }
        assert!(error(&format!("{MINIMAL}[connection]\ngateway = \"edge;x=1\"")).contains("is not host"));
        assert!(error(&MINIMAL.replace("\"\n[id", "\"\nhost = \"a;b\"\n[id")).contains("is not a host name"));
    }
}
