//! A local cloud with a factory's certificates, and trackers that belong to it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tracker_emulator::pki::{CertificateAuthority, DeviceCredentials, Validity};
use tracker_emulator::{
    AttestationMechanism, Emulator, EmulatorBuilder, EnrollmentGroup, Hub, IfMatch, InitialTwin,
};

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

/// Where a directory that is kept has them.
const FACTORY_DIRECTORY: &str = "factory";
const CLOUD_DIRECTORY: &str = "cloud";

const ROOT_NAME: &str = "laboratory-root";
const INTERMEDIATE_NAME: &str = "Laboratory Intermediate CA";
const GROUP_ID: &str = "container-trackers";
const INTERVAL: &str = "telemetryInterval";

/// Tags of every twin in the laboratory.
pub const INITIAL_TWIN_TAGS: &str = r#"{"environment": "simulation", "location": "in transit"}"#;

/// An emulator, a factory whose intermediate CA is enrolled there, and a place for files.
pub struct Cloud {
    /// DPS and hub.
    pub emulator: Emulator,
    /// The one hub.
    pub hub: Hub,
    factory: Factory,
    directory: PathBuf,
    /// Whether devices have the credentials of before.
    is_kept: bool,
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
        Self::start_for(emulator, directory, Factory::new()?, interval).await
    }

    /// The same in a directory that is kept, with the factory and the state of before.
    pub(crate) async fn start_kept(
        emulator: EmulatorBuilder,
        directory: &Path,
        interval: u32,
    ) -> anyhow::Result<Self> {
        let factory = Factory::kept(&directory.join(FACTORY_DIRECTORY))?;
        let emulator = emulator.state_directory(directory.join(CLOUD_DIRECTORY));
        let cloud = Self::start_for(emulator, directory, factory, interval).await?;
        Ok(Self { is_kept: true, ..cloud })
    }

    async fn start_for(
        emulator: EmulatorBuilder,
        directory: &Path,
        factory: Factory,
        interval: u32,
    ) -> anyhow::Result<Self> {
        let emulator = emulator.start().await.context("the emulator does not start")?;
        let dps = emulator.dps();
        if dps.certificates().get(ROOT_NAME).is_err() {
            dps.certificates().upload_verified(ROOT_NAME, &factory.root_pem)?;
        }
        let attestation = AttestationMechanism::signing_certificate(factory.intermediate_pem.clone());
        let mut group = EnrollmentGroup::new(GROUP_ID, attestation);
        let tags = serde_json::from_str(INITIAL_TWIN_TAGS)?;
        group.terms.initial_twin = Some(InitialTwin::new(
            tags,
            json!({(INTERVAL): interval, "firmware": env!("CARGO_PKG_VERSION")}),
        ));
        if dps.groups().get(GROUP_ID).is_err() {
            dps.groups().create(group)?;
        }
        let hub = emulator.hub(Self::HUB).context("the emulator has no hub")?;
        write(&directory.join(SERVER_CA_FILE), &emulator.server_ca_pem(), 0o644)?;
        write(&directory.join(DEVICE_ROOT_FILE), &factory.root_pem, 0o644)?;
        Ok(Self { emulator, hub, factory, directory: directory.into(), is_kept: false })
    }

    /// Sets `telemetryInterval` for devices that are there and for those that come. How many of the former had another one.
    pub(crate) fn set_interval(&self, interval: u32) -> anyhow::Result<usize> {
        let dps = self.emulator.dps();
        let mut group = dps.groups().get(GROUP_ID)?;
        if let Some(initial) = &mut group.terms.initial_twin {
            initial.properties.desired.insert(INTERVAL.into(), interval.into());
        }
        dps.groups().update(group, &IfMatch::Any)?;
        let mut changed = 0;
        for device in self.hub.devices() {
            let id = &device.device_id;
            let twin = self.twin(id).unwrap_or_default();
            if twin["properties"]["desired"][INTERVAL] != interval {
                self.hub.update_twin_desired(id, json!({(INTERVAL): interval}))?;
                changed += 1;
            }
        }
        Ok(changed)
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
        let directory = self.directory.join(registration_id);
        if !(self.is_kept && has_credentials(&directory)) {
            save_credentials(&directory, &self.factory.authority.device(registration_id, validity)?)?;
        }
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

/// What signs the certificates of devices.
struct Factory {
    authority: CertificateAuthority,
    intermediate_pem: String,
    root_pem: String,
}

impl Factory {
    fn new() -> anyhow::Result<Self> {
        let root = CertificateAuthority::root("Laboratory Root CA", Validity::always())?;
        let authority = root.intermediate(INTERMEDIATE_NAME, Validity::always())?;
        let intermediate_pem = authority.certificate_pem();
        Ok(Self { authority, intermediate_pem, root_pem: root.certificate_pem() })
    }

    /// That of a directory, which is made if there is none.
    fn kept(directory: &Path) -> anyhow::Result<Self> {
        let [root, intermediate, key] =
            ["root.pem", "intermediate.pem", "intermediate.key"].map(|name| directory.join(name));
        // Written last, so that what is without it was never used.
        if !root.exists() {
            let made = Self::new()?;
            std::fs::create_dir_all(directory)
                .with_context(|| format!("can't make the directory {}", directory.display()))?;
            write(&key, &made.authority.key_pem(), 0o600)?;
            write(&intermediate, &made.intermediate_pem, 0o644)?;
            write(&root, &made.root_pem, 0o644)?;
            return Ok(made);
        }
        let read = |path: &Path| {
            std::fs::read_to_string(path).with_context(|| format!("can't read {}", path.display()))
        };
        let (root_pem, intermediate_pem) = (read(&root)?, read(&intermediate)?);
        let authority = CertificateAuthority::again(
            INTERMEDIATE_NAME,
            Validity::always(),
            &intermediate_pem,
            &read(&key)?,
        )
        .with_context(|| format!("{} is no key", key.display()))?;
        Ok(Self { authority, intermediate_pem, root_pem })
    }
}

/// Whether a device has what it shows in TLS. The key is written last.
pub(crate) fn has_credentials(directory: &Path) -> bool {
    directory.join("device.key").exists()
}

/// Writes what a device shows in TLS.
pub(crate) fn save_credentials(directory: &Path, credentials: &DeviceCredentials) -> anyhow::Result<()> {
    std::fs::create_dir_all(directory)
        .with_context(|| format!("can't make the directory {}", directory.display()))?;
    write(&directory.join("device.pem"), &credentials.chain_pem, 0o644)?;
    write(&directory.join("device.key"), &credentials.key_pem, 0o600)
}

/// A configuration with `device.pem` and `device.key` in `directory`, for an emulator on this machine.
pub fn device_config(directory: &Path, id_scope: &str, roots: PathBuf, port: u16) -> Config {
    Config {
        dps: DpsConfig {
            id_scope: id_scope.into(),
            host: tracker_protocol::GLOBAL_DPS_HOST.into(),
            #[cfg(feature = "tpm")]
            https_port: 443,
        },
        identity: IdentityConfig {
            without_certificate: None,
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
