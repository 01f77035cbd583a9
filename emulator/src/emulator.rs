//! The running emulator.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use thiserror::Error;

use crate::{
    clock::Clock,
    dps::{Dps, DpsError, DpsParts},
    events::{Event, EventBus},
    faults::Faults,
    hub::Hub,
    options::{EmulatorBuilder, EmulatorOptions},
    server::{Listening, accept},
    subscription::Subscription,
    tls::{ServerIdentity, ServerIdentityError, server_config},
};

/// The file that a device is to trust, in the directory given by the options.
const CA_FILE: &str = "server-ca.pem";

/// A local DPS with its hubs, listening.
///
/// Dropping it stops it without ceremony; [`Emulator::shutdown`] lets connections end in order.
pub struct Emulator {
    listening: Listening,
    identity: Arc<ServerIdentity>,
    dps: Dps,
    events: EventBus,
    faults: Faults,
}

/// The emulator did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port is taken, or not allowed.
    #[error(
        "cannot listen on {address}: {source}; is another emulator running? choose another port (0: any)"
    )]
    Listen {
        /// Address and port wanted.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The ID scope would not fit into a user name.
    #[error("\"{0}\" cannot be an ID scope: letters and digits, for example 0ne00000001")]
    IdScope(String),
    /// The server certificate could not be made.
    #[error(transparent)]
    Identity(#[from] ServerIdentityError),
    /// TLS could not be set up.
    #[error("TLS could not be set up: {0}")]
    Tls(#[from] rustls::Error),
    /// A hub's name is no name.
    #[error(transparent)]
    Hub(#[from] DpsError),
    /// The CA certificate could not be written.
    #[error("cannot write the server CA certificate to {path}: {source}")]
    WriteCa {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Emulator {
    /// Prepares an emulator for tests and simulation: a free port on loopback, one hub `hub-1`, and a DPS that
    /// assigns at once and asks for a second between polls.
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::new(EmulatorOptions {
            port: 0,
            ..EmulatorOptions::default()
        })
        .dps_timing(std::time::Duration::from_secs(1), std::time::Duration::ZERO)
    }

    /// Starts an emulator with the options of a program, on the system's clock.
    pub async fn start(options: EmulatorOptions) -> Result<Self, StartError> {
        EmulatorBuilder::new(options).start().await
    }

    pub(crate) async fn start_with(
        options: EmulatorOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let id_scope = options.id_scope;
        if id_scope.is_empty() || !id_scope.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(StartError::IdScope(id_scope));
        }
        let mut names = options.extra_server_names;
        names.push(format!("{}.azure-devices-provisioning.net", options.dps_name));
        let identity = Arc::new(ServerIdentity::new(names)?);
        if let Some(directory) = &options.ca_directory {
            let path = directory.join(CA_FILE);
            write_whole(&path, &identity.ca_pem()).map_err(|source| StartError::WriteCa { path, source })?;
        }
        let events = EventBus::new(options.event_capacity.max(1), Arc::clone(&clock));
        let faults = Faults::default();
        let dps = Dps::new(DpsParts {
            id_scope,
            retry_after: options.retry_after,
            assigning_time: options.assigning_time,
            clock,
            events: events.clone(),
            faults: faults.clone(),
            identity: Arc::clone(&identity),
            telemetry_capacity: options.telemetry_capacity.max(1),
        });
        for hub in &options.hub_names {
            dps.add_hub(hub)?;
        }
        let config = Arc::new(server_config(Arc::clone(&identity))?);
        let address = SocketAddr::new(options.listen_address, options.port);
        let max_connections = options.max_connections.max(1);
        let listening = accept(address, config, dps.clone(), events.clone(), max_connections)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        tracing::info!(address = %listening.address, id_scope = dps.id_scope(), "the emulator listens");
        Ok(Self {
            listening,
            identity,
            dps,
            events,
            faults,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.listening.address.port()
    }

    /// The CA certificate that devices have to trust, in PEM.
    pub fn server_ca_pem(&self) -> String {
        self.identity.ca_pem()
    }

    /// The ID scope that devices have to name.
    pub fn id_scope(&self) -> &str {
        self.dps.id_scope()
    }

    /// The service side of the provisioning service.
    pub fn dps(&self) -> &Dps {
        &self.dps
    }

    /// The service side of a hub, by its host name or the first label of it.
    pub fn hub(&self, name: &str) -> Option<Hub> {
        self.dps.hub(name)
    }

    /// What happens from now on.
    pub fn events(&self) -> Subscription<Event> {
        self.events.subscribe()
    }

    /// Misbehaviour on request.
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Ends all connections and returns when the port is free; within a second.
    pub async fn shutdown(self) {
        self.listening.stop().await;
    }
}

/// Writes beside the file and moves it into place: a reader sees the old certificate or the new one, never half.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory)?;
    }
    let beside = path.with_extension("pem.new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
