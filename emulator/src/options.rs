//! What an emulator is started with.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use crate::{hub::Retention, net::tls::TlsVersions};

/// The port of the service side unless another is asked for.
const DEFAULT_SERVICE_PORT: u16 = 8443;

/// The port of AMQP over TLS, by which clients look for it.
pub const AMQPS_PORT: u16 = 5671;

/// The options of an emulator, each with a default that suits a program people run: fill in what is to differ and
/// hand them to `Emulator::start`. Tests begin with `Emulator::builder` instead, whose defaults suit them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EmulatorOptions {
    /// Address to listen on; loopback only by default, because enrollments are open to whoever can reach the Rust API.
    pub listen_address: IpAddr,
    /// TCP port for DPS and all hubs; 0 picks a free one. Devices and SDKs expect 8883.
    pub port: u16,
    /// TCP port of the service side (REST over HTTPS); 0 picks a free one, `None` leaves the service side out. Node's
    /// service SDKs know only 443.
    pub service_port: Option<u16>,
    /// TCP port of AMQP 1.0 over TLS, for devices and services; 0 picks a free one, `None` leaves it out. Clients expect 5671,
    /// [`AMQPS_PORT`], and most know no other.
    pub amqp_port: Option<u16>,
    /// The ID scope of the provisioning service.
    pub id_scope: String,
    /// The name of the provisioning service: `{dps_name}.azure-devices-provisioning.net` is in the server certificate.
    pub dps_name: String,
    /// Hubs to make and link; names without a dot get `.azure-devices.net`. A hub that is given by its name of TLS 1.3,
    /// `hub-1.device.azure-devices.net`, is told to devices by that. `hub-5=mqtt5` makes one at which devices speak MQTT 5.
    pub hub_names: Vec<String>,
    /// What DPS asks devices to wait before they poll; whole seconds count. Azure says 3.
    pub retry_after: Duration,
    /// How long DPS answers "assigning" before it gives the result.
    pub assigning_time: Duration,
    /// Whether DPS answers a registration with its result, for measurements, and no device has to poll. Azure lets them poll.
    pub assign_at_once: bool,
    /// Whether DPS tells devices every hub's name of TLS 1.3, `{hub}.device.azure-devices.net`, in place of the classic one.
    pub assign_device_names: bool,
    /// The versions of TLS to speak; 1.2 and 1.3 under every name by default.
    pub tls: TlsVersions,
    /// Certificate policies of the namespace, made if they are not there: name, and how long their leafs live, whole seconds of
    /// at most 90 days.
    pub certificate_policies: Vec<(String, Duration)>,
    /// Whether certificates are issued for EC P-384 keys alone, as documents of March 2026 have it. Else for P-256 and RSA of
    /// 2048 bits and more too, as Azure's own tests ask for them.
    pub p384_only: bool,
    /// How long a hub takes from the answer that a request for a certificate is taken to the certificates. Azure takes from seconds
    /// to hours.
    pub issuing_time: Duration,
    /// Whether the errors of renewal have the numbers that were seen in January 2026, 409004 and 400037, and not those of later
    /// documents, 409005 and 400040.
    pub older_renewal_errors: bool,
    /// Shows clients that take no ECDSA certificates an RSA one, under an authority of its own; making the keys takes some
    /// tenths of a second. Azure shows RSA to all that take it.
    pub rsa: bool,
    /// Further DNS names or IP addresses for the server certificate.
    pub extra_server_names: Vec<String>,
    /// Directory (made if need be) where `server-ca.pem` is written, for devices to trust.
    pub ca_directory: Option<PathBuf>,
    /// Directory (made if need be) where everything is kept that has to outlive a restart, keys included; without one
    /// it is gone when the emulator stops.
    pub state_directory: Option<PathBuf>,
    /// Directory below which are the files that routes lead to; the current one if none is given.
    pub files_directory: Option<PathBuf>,
    /// The wait after a delivery to an endpoint that failed for the first time; the waits after it grow from it. Azure's is 10 s.
    pub first_redelivery: Duration,
    /// Connections served at a time, of devices and of services each; more wait.
    pub max_connections: usize,
    /// The partitions of every hub's built-in endpoint, 2 to 32.
    pub partitions: u16,
    /// What every hub's built-in endpoint keeps.
    pub retention: Retention,
    /// Messages kept for telemetry subscribers that fall behind or come back, of each hub; at most 8 MB of them.
    pub telemetry_capacity: usize,
    /// What the chance of faults that strike now and then is reckoned from.
    pub faults_seed: u64,
    /// Events kept for an event subscriber that falls behind.
    pub event_capacity: usize,
}

impl Default for EmulatorOptions {
    fn default() -> Self {
        Self {
            listen_address: IpAddr::from([127, 0, 0, 1]),
            port: tracker_protocol::MQTT_TLS_PORT,
            service_port: Some(DEFAULT_SERVICE_PORT),
            amqp_port: None,
            id_scope: "0ne00000001".into(),
            dps_name: "emulator-dps".into(),
            hub_names: vec!["hub-1".into()],
            retry_after: Duration::from_secs(3),
            assigning_time: Duration::from_secs(1),
            assign_at_once: false,
            assign_device_names: false,
            tls: TlsVersions::All,
            certificate_policies: Vec::new(),
            p384_only: false,
            issuing_time: Duration::from_secs(1),
            older_renewal_errors: false,
            rsa: false,
            extra_server_names: Vec::new(),
            ca_directory: None,
            state_directory: None,
            files_directory: None,
            first_redelivery: Duration::from_secs(10),
            max_connections: 10_000,
            partitions: 4,
            retention: Retention::default(),
            telemetry_capacity: 16_384,
            faults_seed: 0,
            event_capacity: 4_096,
        }
    }
}
