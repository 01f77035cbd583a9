//! The file as it is written, before its values are known to be good: what TOML can say, table by table, and how it becomes
//! what the program works with. The first value that is not good is told by its key.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::Value;
use tracker_protocol::hub::MAX_KEEP_ALIVE;

use super::alerts::Alerts;
use super::delivery_mode::DeliveryMode;
use super::endpoint::Endpoint;
use super::endpoint::is_host;
use super::explain::shown;
use super::interval::Interval;
use super::last_interval::LastInterval;
use super::pace::Intervals;
use super::proxy::{Proxy, Transport};
use super::tables::{
    ClockConfig, ConnectionConfig, DpsConfig, IdentityConfig, Profile, StateConfig, TelemetryConfig,
};
use crate::alarms::schema::Alarms as AlarmRules;
use crate::identity::operational::{KeyPlace, Operational};
use crate::identity::{KeyLocation, KeyUriError};
use crate::instruments::SensorsConfig;

/// A value that is not good: `table.key`, and what is wrong and what would be right.
pub(super) type Problem = (&'static str, String);

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    pub(super) dps: DpsConfig,
    pub(super) identity: WrittenIdentity,
    #[serde(default)]
    pub(super) connection: WrittenConnection,
    #[serde(default)]
    pub(super) sensors: SensorsConfig,
    #[serde(default)]
    pub(super) telemetry: WrittenTelemetry,
    #[serde(default)]
    pub(super) clock: ClockConfig,
    #[serde(default)]
    pub(super) delivery: DeliveryMode,
    #[serde(default)]
    pub(super) state: StateConfig,
    #[serde(default)]
    pub(super) alarms: Option<Value>,
}

/// See [`IdentityConfig`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenIdentity {
    pub(super) certificate: Option<PathBuf>,
    pub(super) key: Option<KeyLocation>,
    #[cfg(feature = "sas")]
    pub(super) registration_id: Option<String>,
    #[cfg(feature = "sas")]
    pub(super) symmetric_key: Option<PathBuf>,
    #[cfg(feature = "sas")]
    pub(super) tpm: Option<String>,
    #[serde(default)]
    pub(super) leaf_alone_at_hub: bool,
    pub(super) operational: Option<WrittenOperational>,
}

/// See [`Operational`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WrittenOperational {
    issuer: String,
    #[serde(default = "in_file")]
    key: String,
    #[serde(default = "renew_at")]
    renew_at: f64,
}

/// See [`ConnectionConfig`].
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WrittenConnection {
    roots: Option<PathBuf>,
    /// `host` or `host:port`.
    gateway: Option<String>,
    keep_alive: u16,
    /// By default that of the transport.
    port: Option<u16>,
    transport: Transport,
    /// `http://[user@]host:port`.
    proxy: Option<String>,
    proxy_password_file: Option<PathBuf>,
    profile: Profile,
}

/// See [`TelemetryConfig`].
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct WrittenTelemetry {
    /// Seconds.
    interval: u32,
    alerts: Alerts,
    intervals: Option<Value>,
    /// Seconds.
    last_interval: u32,
}

impl Default for WrittenConnection {
    fn default() -> Self {
        let ConnectionConfig { keep_alive, transport, profile, .. } = ConnectionConfig::default();
        Self {
            roots: None,
            gateway: None,
            keep_alive,
            port: None,
            transport,
            proxy: None,
            proxy_password_file: None,
            profile,
        }
    }
}

impl Default for WrittenTelemetry {
    fn default() -> Self {
        let TelemetryConfig { interval, alerts, intervals: _, last_interval } = TelemetryConfig::default();
        let last_interval = last_interval.seconds();
        Self { interval: interval.seconds(), alerts, intervals: None, last_interval }
    }
}

pub(super) fn dps(written: DpsConfig) -> Result<DpsConfig, Problem> {
    let DpsConfig { id_scope, host, .. } = &written;
    if id_scope.is_empty() || !id_scope.chars().all(|c| c.is_ascii_alphanumeric()) {
        let why = format!(
            "{} is not an ID scope; it looks like 0ne00A1B2C3, see the overview of your DPS",
            shown(id_scope)
        );
        return Err(("dps.id_scope", why));
    }
    if !is_host(host) || host.contains(':') {
        return Err((
            "dps.host",
            format!("{} is not a host name; it goes without scheme and port", shown(host)),
        ));
    }
    Ok(written)
}

pub(super) fn identity(written: WrittenIdentity) -> Result<IdentityConfig, Problem> {
    let WrittenIdentity { certificate, key, leaf_alone_at_hub, operational: issued, .. } = written;
    let missing = |key: &'static str| move || (key, "it is missing, and names a file".to_owned());
    let certificate = certificate.ok_or_else(missing("identity.certificate"))?;
    let key = key.ok_or_else(missing("identity.key"))?;
    // The name of a file is shown, and such a URI may have a PIN in it.
    let scheme = certificate.to_string_lossy();
    if scheme.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("pkcs11:")) {
        return Err(("identity.certificate", "it is a file; identity.key alone can be a pkcs11: URI".into()));
    }
    let operational = issued.map(operational).transpose()?;
    Ok(IdentityConfig { certificate, key, leaf_alone_at_hub, operational, without_certificate: None })
}

/// Where keys of issued certificates are without a word on it.
const FILE: &str = "file";

fn in_file() -> String {
    FILE.into()
}

fn renew_at() -> f64 {
    0.8
}

fn operational(written: WrittenOperational) -> Result<Operational, Problem> {
    const KEY: &str = "identity.operational.key";
    let WrittenOperational { issuer, key, renew_at } = written;
    if issuer != "dps" {
        let why = format!("{} issues no certificates; \"dps\" does, as its enrollment says", shown(&issuer));
        return Err(("identity.operational.issuer", why));
    }
    if !(0.1..=0.95).contains(&renew_at) {
        let why = format!("{renew_at} is not between 0.1 and 0.95; it is the part of a certificate's life");
        return Err(("identity.operational.renew_at", why));
    }
    if key == FILE {
        return Ok(Operational { key: KeyPlace::File, renew_at });
    }
    let uri = match KeyLocation::try_from(key) {
        Ok(KeyLocation::Token(uri)) => uri,
        // Nothing of it is shown: it may have a PIN in it.
        Ok(KeyLocation::File(_)) | Err(KeyUriError::NoUri) => {
            let why =
                "it is neither \"file\" nor a pkcs11: URI; the agent makes these keys, and names their files";
            return Err((KEY, why.into()));
        }
        Err(error) => return Err((KEY, error.to_string())),
    };
    if uri.object.is_some() || uri.id.is_some() {
        let why = "the agent makes keys in the token, and names them itself (container-tracker-…); leave out object and id";
        return Err((KEY, why.into()));
    }
    Ok(Operational { key: KeyPlace::Token(uri), renew_at })
}

pub(super) fn connection(written: WrittenConnection) -> Result<ConnectionConfig, Problem> {
    let WrittenConnection { roots, gateway, keep_alive, port, transport, profile, .. } = written;
    let port = port.unwrap_or(transport.port());
    if !(10..=MAX_KEEP_ALIVE).contains(&keep_alive) {
        let why = format!("{keep_alive} s is not between 10 and {MAX_KEEP_ALIVE}");
        return Err(("connection.keep_alive", why));
    }
    let gateway = gateway.map(|gateway| Endpoint::parse(&gateway, port)).transpose();
    let gateway = gateway.map_err(|why| ("connection.gateway", why))?;
    let proxy = match (written.proxy, written.proxy_password_file) {
        (Some(proxy), file) => Some(Proxy::parse(&proxy, file)?),
        (None, None) => None,
        (None, Some(_)) => {
            return Err(("connection.proxy_password_file", "there is no connection.proxy".into()));
        }
    };
    Ok(ConnectionConfig { roots, gateway, keep_alive, port, transport, proxy, profile })
}

pub(super) fn sensors(written: SensorsConfig) -> Result<SensorsConfig, Problem> {
    match written.problem() {
        Some(problem) => Err(problem),
        None => Ok(written),
    }
}

pub(super) fn telemetry(written: WrittenTelemetry) -> Result<TelemetryConfig, Problem> {
    let WrittenTelemetry { interval: seconds, alerts, intervals, last_interval } = written;
    let interval = Interval::from_seconds(seconds.into()).ok_or_else(|| {
        let (shortest, longest) = (Interval::SHORTEST, Interval::LONGEST);
        ("telemetry.interval", format!("{seconds} s is not between {shortest} and {longest}"))
    })?;
    let read = |value| Intervals::read(&value, Intervals::KEYS).map_err(|why| ("telemetry.intervals", why));
    let intervals = intervals.map_or(Ok(Intervals::default()), read)?;
    let last_interval =
        LastInterval::from_seconds(last_interval.into()).map_err(|why| ("telemetry.last_interval", why))?;
    match alerts.problem() {
        Some(problem) => Err(problem),
        None => Ok(TelemetryConfig { interval, alerts, intervals, last_interval }),
    }
}

pub(super) fn alarms(written: Option<Value>) -> Result<AlarmRules, Problem> {
    let read = |value| AlarmRules::read(&value).map_err(|why| ("alarms", why));
    written.map_or(Ok(AlarmRules::NONE), read)
}

pub(super) fn state(written: StateConfig) -> Result<StateConfig, Problem> {
    if !(1..=16_384).contains(&written.journal_size_mib) {
        let why = format!("{} MiB is not between 1 and 16384", written.journal_size_mib);
        return Err(("state.journal_size_mib", why));
    }
    Ok(written)
}
