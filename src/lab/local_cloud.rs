//! A local cloud with a factory's certificates, and trackers that belong to it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_emulator::{AttestationMechanism, Emulator, EmulatorBuilder, EnrollmentGroup, Hub, InitialTwin};

use crate::alarms::schema::Alarms;
use crate::config::{
    ClockConfig, Config, ConnectionConfig, DeliveryMode, DpsConfig, Endpoint, IdentityConfig, StateConfig,
    TelemetryConfig, Transport,
};
use crate::instruments::SensorsConfig;
use crate::platform::plain_file;

/// The certificate that devices must trust, as a file.
pub const SERVER_CA_FILE: &str = "server-ca.pem";

/// The root that devices' certificates lead to, as a file.
const DEVICE_ROOT_FILE: &str = "device-root.pem";

/// Tags of every twin in the laboratory.
pub const INITIAL_TWIN_TAGS: &str = r#"{"environment": "simulation", "location": "in transit"}"#;

/// An emulator, a factory whose intermediate CA is enrolled there, and a place for files.
pub struct Cloud {
    /// DPS and hub.
    pub emulator: Emulator,
    /// The one hub.
    pub hub: Hub,
    factory: CertificateAuthority,
    directory: PathBuf,
}

impl Cloud {
    /// The hub's host name.
    pub const HUB: &str = "cheese-hub.azure-devices.net";

    /// Starts the emulator on a free port and enrolls the factory's intermediate CA. `interval` is the initial
    /// `telemetryInterval` in seconds.
    pub async fn start(directory: &Path, interval: u32) -> anyhow::Result<Self> {
        Self::start_with(Self::builder(), directory, interval).await
    }

    /// The emulator of [`Self::start`], to be changed before [`Self::start_with`].
    pub fn builder() -> EmulatorBuilder {
        Emulator::builder()
            .port(0)
            .hubs([Self::HUB])
            .dps_timing(Duration::from_secs(1), Duration::from_millis(500))
    }

    /// Starts this emulator, which must have the hub [`Self::HUB`].
    pub async fn start_with(
        emulator: EmulatorBuilder,
        directory: &Path,
        interval: u32,
    ) -> anyhow::Result<Self> {
        let root = CertificateAuthority::root("Laboratory Root CA", Validity::always())?;
        let factory = root.intermediate("Laboratory Intermediate CA", Validity::always())?;
        let emulator = emulator.start().await.context("the emulator does not start")?;
        let dps = emulator.dps();
        dps.certificates().upload_verified("laboratory-root", &root.certificate_pem())?;
        let attestation = AttestationMechanism::signing_certificate(factory.certificate_pem());
        let mut group = EnrollmentGroup::new("container-trackers", attestation);
        let tags = serde_json::from_str(INITIAL_TWIN_TAGS)?;
        group.terms.initial_twin =
            Some(InitialTwin::new(tags, json!({"telemetryInterval": interval, "firmware": "1.0.0"})));
        dps.groups().create(group)?;
        let hub = emulator.hub(Self::HUB).context("the emulator has no hub")?;
        write(&directory.join(SERVER_CA_FILE), &emulator.server_ca_pem(), 0o644)?;
        write(&directory.join(DEVICE_ROOT_FILE), &root.certificate_pem(), 0o644)?;
        Ok(Self { emulator, hub, factory, directory: directory.into() })
    }

    /// Makes the certificate of a new device, and its configuration.
    pub fn device(&self, registration_id: &str) -> anyhow::Result<Config> {
        self.device_valid(registration_id, Validity::always())
    }

    /// As [`Self::device`], whose MQTT is carried by this.
    pub fn device_by(&self, registration_id: &str, transport: Transport) -> anyhow::Result<Config> {
        let mut config = self.device(registration_id)?;
        config.connection.transport = transport;
        if transport == Transport::Websocket {
            let address = self.emulator.service_address();
            let address =
                address.context("the emulator has no port for WebSockets: its service side is off")?;
            config.connection.gateway = Some(Endpoint::local(address.port()));
        }
        Ok(config)
    }

    /// As [`Self::device`], with a certificate of this validity.
    pub fn device_valid(&self, registration_id: &str, validity: Validity) -> anyhow::Result<Config> {
        let credentials = self.factory.device(registration_id, validity)?;
        let directory = self.directory.join(registration_id);
        std::fs::create_dir_all(&directory)
            .with_context(|| format!("can't make the directory {}", directory.display()))?;
        write(&directory.join("device.pem"), &credentials.chain_pem, 0o644)?;
        write(&directory.join("device.key"), &credentials.key_pem, 0o600)?;
        let roots = self.directory.join(SERVER_CA_FILE);
        Ok(device_config(&directory, self.emulator.id_scope(), roots, self.emulator.port()))
    }

    /// Where its files are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The file with the root that devices' certificates lead to.
    pub(crate) fn device_root(&self) -> PathBuf {
        self.directory.join(DEVICE_ROOT_FILE)
    }

    /// The twin of a device.
    pub fn twin(&self, device_id: &str) -> Option<Value> {
        serde_json::to_value(self.hub.twin(device_id).ok()?).ok()
    }
}

/// A configuration with `device.pem` and `device.key` in `directory`, for an emulator on this machine.
pub fn device_config(directory: &Path, id_scope: &str, roots: PathBuf, port: u16) -> Config {
    Config {
        dps: DpsConfig { id_scope: id_scope.into(), host: tracker_protocol::GLOBAL_DPS_HOST.into() },
        identity: IdentityConfig {
            certificate: directory.join("device.pem"),
            key: directory.join("device.key").into(),
            leaf_alone_at_hub: false,
            operational: None,
        },
        connection: ConnectionConfig {
            roots: Some(roots),
            gateway: Some(Endpoint::local(port)),
            ..ConnectionConfig::default()
        },
        sensors: SensorsConfig::default(),
        telemetry: TelemetryConfig::default(),
        clock: ClockConfig { trust_system: true },
        delivery: DeliveryMode::default(),
        state: StateConfig { directory: directory.join("state"), ..StateConfig::default() },
        alarms: Alarms::NONE,
    }
}

/// Writes a file with these permissions from its first byte on.
pub(crate) fn write(path: &Path, content: &str, mode: u32) -> anyhow::Result<()> {
    let mut file =
        plain_file::create(path, mode).with_context(|| format!("can't write {}", path.display()))?;
    file.write_all(content.as_bytes()).with_context(|| format!("can't write {}", path.display()))
}
