//! The way in for tests and simulation: an emulator on free ports, set up call by call.

use std::{net::IpAddr, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    clock::{Clock, SystemClock},
    emulator::Emulator,
    hub::Retention,
    net::tls::TlsVersions,
    options::EmulatorOptions,
    services::StartError,
};

impl Emulator {
    /// Prepares an emulator for tests and simulation: a free port on loopback, one hub `hub-1`, and a DPS that
    /// assigns at once and asks for a second between polls.
    pub fn builder() -> EmulatorBuilder {
        let options = EmulatorOptions {
            port: 0,
            service_port: Some(0),
            retry_after: Duration::from_secs(1),
            assigning_time: Duration::ZERO,
            issuing_time: Duration::ZERO,
            // No more than subscribers have.
            retention: Retention { bytes: 8 * 1024 * 1024, ..Retention::default() },
            ..EmulatorOptions::default()
        };
        EmulatorBuilder { options, clock: Arc::new(SystemClock) }
    }
}

/// Prepares an emulator; made by [`Emulator::builder`].
#[derive(Clone)]
pub struct EmulatorBuilder {
    options: EmulatorOptions,
    clock: Arc<dyn Clock>,
}

impl EmulatorBuilder {
    /// Listens on this address.
    #[must_use]
    pub fn listen_address(mut self, address: IpAddr) -> Self {
        self.options.listen_address = address;
        self
    }

    /// Listens on this port; 0 picks a free one.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.options.port = port;
        self
    }

    /// Serves the service side on this port; 0 picks a free one.
    #[must_use]
    pub fn service_port(mut self, port: u16) -> Self {
        self.options.service_port = Some(port);
        self
    }

    /// Serves AMQP on this port, too; 0 picks a free one.
    #[must_use]
    pub fn amqp_port(mut self, port: u16) -> Self {
        self.options.amqp_port = Some(port);
        self
    }

    /// Keeps everything that has to outlive a restart in this directory.
    #[must_use]
    pub fn state_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.state_directory = Some(directory.into());
        self
    }

    /// The files that routes lead to are below this directory.
    #[must_use]
    pub fn files_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.options.files_directory = Some(directory.into());
        self
    }

    /// The wait after a delivery that failed for the first time; those after it grow from it.
    #[must_use]
    pub fn first_redelivery(mut self, wait: Duration) -> Self {
        self.options.first_redelivery = wait;
        self
    }

    /// The ID scope of the provisioning service.
    #[must_use]
    pub fn id_scope(mut self, id_scope: impl Into<String>) -> Self {
        self.options.id_scope = id_scope.into();
        self
    }

    /// The hubs to make and link, instead of the one of the options; names without a dot get `.azure-devices.net`,
    /// and `hub-5=mqtt5` is one at which devices speak MQTT 5.
    #[must_use]
    pub fn hubs<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.options.hub_names = names.into_iter().map(Into::into).collect();
        self
    }

    /// What DPS asks devices to wait before they poll, in whole seconds, and how long it takes to assign.
    #[must_use]
    pub fn dps_timing(mut self, retry_after: Duration, assigning_time: Duration) -> Self {
        self.options.retry_after = retry_after;
        self.options.assigning_time = assigning_time;
        self
    }

    /// Has DPS tell devices every hub's name of TLS 1.3, `{hub}.device.azure-devices.net`.
    #[must_use]
    pub fn assign_device_names(mut self) -> Self {
        self.options.assign_device_names = true;
        self
    }

    /// Speaks these versions of TLS only.
    #[must_use]
    pub fn tls(mut self, versions: TlsVersions) -> Self {
        self.options.tls = versions;
        self
    }

    /// Makes a certificate policy, and a CA for it: enrollments that name it give their devices certificates that live for
    /// `validity`, whole seconds of at most 90 days.
    #[must_use]
    pub fn certificate_policy(mut self, name: impl Into<String>, validity: Duration) -> Self {
        self.options.certificate_policies.push((name.into(), validity));
        self
    }

    /// How long hubs take to renew a certificate; they do it at once unless told otherwise.
    #[must_use]
    pub fn issuing_time(mut self, time: Duration) -> Self {
        self.options.issuing_time = time;
        self
    }

    /// Answers requests for certificates with the error numbers of January 2026.
    #[must_use]
    pub fn older_renewal_errors(mut self) -> Self {
        self.options.older_renewal_errors = true;
        self
    }

    /// Issues certificates for EC P-384 keys alone.
    #[must_use]
    pub fn p384_only(mut self) -> Self {
        self.options.p384_only = true;
        self
    }

    /// Has an RSA certificate too, for clients that take no other.
    #[must_use]
    pub fn rsa(mut self) -> Self {
        self.options.rsa = true;
        self
    }

    /// The partitions of the hubs' built-in endpoints, 2 to 32; 4 unless told otherwise.
    #[must_use]
    pub fn partitions(mut self, count: u16) -> Self {
        self.options.partitions = count;
        self
    }

    /// What the hubs' built-in endpoints keep; a day, and 8 MiB of each hub, unless told otherwise.
    #[must_use]
    pub fn retention(mut self, retention: Retention) -> Self {
        self.options.retention = retention;
        self
    }

    /// A further DNS name or IP address for the server certificate.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.options.extra_server_names.push(name.into());
        self
    }

    /// Judges certificates and stamps records by this clock.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Starts the emulator on the current tokio runtime.
    pub async fn start(self) -> Result<Emulator, StartError> {
        Emulator::prepare_with(self.options, self.clock)?.listen().await
    }
}
