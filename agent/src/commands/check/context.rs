//! What checks share: the configuration, the clock, the running agent's own word, and what takes time to find out, which
//! the first check that wants it finds out for all.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::finding::Finding;
use super::receiver::Hearing;
use super::server::Server;
use crate::commands::known_dates::known_dates;
use crate::config::{Config, ConfigError, Transport};
use crate::identity::{Chain, IdentityError};
use crate::platform::clock::{Clock, SystemClock, TimeSource};
use crate::platform::state_directory::StateDirectory;
use crate::status::file::StatusFile;
use crate::status::report::{LastFix, SensorReport, StatusReport};
use crate::uplink::credentials::{Credentials, CredentialsError};

/// What checks share.
pub(crate) struct Context {
    /// The configuration file.
    pub(super) path: PathBuf,
    config: Result<Config, ConfigError>,
    /// Knows the time when NTP does, or when the receiver has told it.
    pub(crate) clock: Arc<dyn Clock>,
    /// What the agent that runs here says of itself.
    running: Option<StatusReport>,
    chain: OnceLock<Result<Chain, IdentityError>>,
    credentials: OnceLock<Result<Credentials, CredentialsError>>,
    server: OnceLock<Result<Server, Finding>>,
    connection: OnceLock<Result<TcpStream, Finding>>,
    tunnel: OnceLock<Result<TcpStream, Finding>>,
    receiver: OnceLock<Hearing>,
}

impl Context {
    pub(crate) fn new(path: &Path) -> Self {
        let config = Config::load(path);
        let trust_system = config.as_ref().is_ok_and(|config| config.clock.trust_system);
        let running = config.as_ref().ok().and_then(|config| running(&config.state.directory));
        let clock = Arc::new(SystemClock::new(trust_system));
        if let Some((utc, monotonic)) = running.as_ref().and_then(|status| time_of(status, clock.boot())) {
            clock.learn(utc, monotonic);
        }
        Self {
            path: path.into(),
            config,
            clock,
            running,
            chain: OnceLock::new(),
            credentials: OnceLock::new(),
            server: OnceLock::new(),
            connection: OnceLock::new(),
            tunnel: OnceLock::new(),
            receiver: OnceLock::new(),
        }
    }

    /// The configuration, or why there is none.
    pub(super) fn loaded(&self) -> Result<&Config, &ConfigError> {
        self.config.as_ref()
    }

    /// The configuration; without one nothing else can be looked at.
    pub(super) fn config(&self) -> Result<&Config, Finding> {
        self.loaded().map_err(|_| Finding::skip("there is no configuration"))
    }

    /// Whether there is a proxy.
    pub(super) fn has_proxy(&self) -> bool {
        self.loaded().is_ok_and(|config| config.connection.proxy.is_some())
    }

    /// Whether MQTT goes over WebSockets.
    pub(super) fn has_websocket(&self) -> bool {
        self.loaded().is_ok_and(|config| config.connection.transport == Transport::Websocket)
    }

    /// Whether the device proves who it is without a certificate.
    pub(super) fn has_no_certificate(&self) -> bool {
        self.loaded().is_ok_and(|config| config.identity.without_certificate.is_some())
    }

    /// Whether Azure is to issue certificates to this device.
    pub(super) fn is_issued(&self) -> bool {
        self.loaded().is_ok_and(|config| config.identity.operational.is_some())
    }

    /// The certificate file.
    pub(super) fn chain(&self) -> Result<&Result<Chain, IdentityError>, Finding> {
        let path = &self.config()?.identity.certificate;
        Ok(self.chain.get_or_init(|| Chain::read(path)))
    }

    /// Identity and TLS client. They are loaded once, as a token forgives only so many wrong logins.
    pub(super) fn credentials(&self) -> Result<&Result<Credentials, CredentialsError>, Finding> {
        let config = self.config()?;
        Ok(self.credentials.get_or_init(|| Credentials::load(config, self.clock.clone())))
    }

    /// Whom the agent talks to first.
    pub(super) fn server(&self) -> Result<&Server, Finding> {
        let config = self.config()?;
        self.server.get_or_init(|| Server::resolve(config)).as_ref().map_err(Clone::clone)
    }

    /// A TCP connection to [`Context::server`] or to the proxy.
    pub(super) fn connection(&self) -> Result<&TcpStream, Finding> {
        let server = self.server()?;
        self.connection.get_or_init(|| server.connect()).as_ref().map_err(Clone::clone)
    }

    /// The same, led on by the proxy where there is one: for one TLS handshake.
    pub(super) fn tunnel(&self) -> Result<&TcpStream, Finding> {
        let (config, server, connection) = (self.config()?, self.server()?, self.connection()?);
        self.tunnel.get_or_init(|| server.tunnel(config, connection)).as_ref().map_err(Clone::clone)
    }

    /// What comes from the GPS receiver, to whom nobody else must be listening.
    pub(super) fn receiver(&self) -> Result<&Hearing, Finding> {
        let config = self.config()?;
        let listen = || Hearing::listen(&config.sensors.gps, self.clock.clone(), &known_dates(config));
        Ok(self.receiver.get_or_init(listen))
    }

    /// Whether an agent works in the state directory now.
    pub(crate) fn agent_runs(&self) -> bool {
        self.running.is_some()
    }

    /// The running agent's word on a sensor: it holds the bus, and two at once would disturb it.
    pub(super) fn agents_word(&self, sensor: &str) -> Option<SensorReport> {
        let running = self.running.as_ref()?;
        Some(running.device.sensors.get(sensor).cloned().unwrap_or_default())
    }

    /// The running agent's last fix.
    pub(super) fn agents_fix(&self) -> Option<LastFix> {
        self.running.as_ref()?.device.last_fix
    }

    /// Whether an agent runs and says that nobody has told it the time.
    pub(super) fn agent_has_no_time(&self) -> bool {
        self.running.as_ref().is_some_and(|status| has_no_time(status, self.clock.boot()))
    }

    /// Whether the running agent has the time from its receiver, and so has [`Context::clock`].
    pub(super) fn agent_told_time(&self) -> bool {
        self.agent_runs() && self.clock.source() == TimeSource::Gps
    }
}

/// What GPS has told the running agent: the time, and the monotonic time of this boot to which it belongs.
fn time_of(status: &StatusReport, boot: &str) -> Option<(DateTime<Utc>, Duration)> {
    let is_from_gps = status.boot == boot && status.device.time_source == TimeSource::Gps;
    is_from_gps.then_some((status.device.time?.0, status.written_at()))
}

/// Whether the agent says in this boot that nobody has told it the time.
fn has_no_time(status: &StatusReport, boot: &str) -> bool {
    status.boot == boot && status.device.time_source == TimeSource::None
}

/// The status of the agent that works in this directory, empty when it can't be read; `None` when none does.
fn running(state_directory: &Path) -> Option<StatusReport> {
    let works = StateDirectory::new(state_directory).is_locked() == Some(true);
    works.then(|| StatusFile::read(state_directory).ok().flatten().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn takes_the_agents_word_on_the_time_when_it_has_it_from_gps_in_this_boot() {
        let status = |source: &str| -> StatusReport {
            serde_json::from_value(json!({
                "boot": "b", "timeSource": source, "time": "2026-11-21T09:47:01.250Z", "writtenAtUptime": 61.25,
            }))
            .unwrap()
        };
        let (utc, uptime) = time_of(&status("gps"), "b").unwrap();
        assert_eq!(utc.to_rfc3339(), "2026-11-21T09:47:01.250+00:00");
        assert_eq!(uptime, Duration::from_millis(61_250));
        assert_eq!(time_of(&status("gps"), "another boot"), None);
        assert_eq!(time_of(&status("kernel"), "b"), None, "the kernel is asked itself");
        assert_eq!(time_of(&StatusReport::default(), "b"), None);
        // It may not ask the kernel.
        assert!(has_no_time(&status("none"), "b") && !has_no_time(&status("gps"), "b"));
        assert!(!has_no_time(&status("none"), "another boot"));
        assert!(!has_no_time(&StatusReport::default(), "b"), "its status can't be read");
    }

    #[test]
    fn what_one_check_has_found_out_is_not_found_out_again() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let mut file = std::fs::File::create(directory.path().join(name)).unwrap();
            std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        };
        write(
            "tracker.toml",
            "[dps]\nid_scope = \"0ne00000001\"\n[identity]\ncertificate = \"chain.pem\"\nkey = \"device.key\"\n",
        );
        let context = Context::new(&directory.path().join("tracker.toml"));
        let why =
            || context.credentials().ok().and_then(|found| found.as_ref().err().map(ToString::to_string));
        let missing = why().unwrap();
        assert!(missing.starts_with("can't read the certificate "), "{missing}");
        write("chain.pem", "no certificate at all");
        assert_eq!(why(), Some(missing), "a token would have been logged in to again");
    }
}
