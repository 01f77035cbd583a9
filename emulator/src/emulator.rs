//! The running emulator.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use thiserror::Error;

use crate::{
    clock::{Clock, SystemClock},
    dps::{Dps, DpsError, DpsParts, KeptDps},
    events::{Event, EventBus},
    faults::Faults,
    front::accept,
    hub::Hub,
    lock::Changes,
    net::{
        door::Listening,
        tls::{ServerIdentity, ServerIdentityError, server_config, service_config},
    },
    options::EmulatorOptions,
    rest,
    security::access::ConnectionString,
    state::{Keeper, StateDirectory, StateError, write_whole},
    subscription::Subscription,
};

/// The file that a device is to trust, in the directory given by the options.
const CA_FILE: &str = "server-ca.pem";

/// A local DPS with its hubs, listening.
///
/// Dropping it stops it without ceremony; [`Emulator::shutdown`] lets connections end in order.
pub struct Emulator {
    listening: Listening,
    service: Option<Listening>,
    keeper: Option<Keeper>,
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
    /// The state directory could not be used.
    #[error(transparent)]
    State(#[from] StateError),
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
    /// Starts an emulator with the options of a program, on the system's clock.
    pub async fn start(options: EmulatorOptions) -> Result<Self, StartError> {
        Self::start_with(options, Arc::new(SystemClock)).await
    }

    pub(crate) async fn start_with(
        options: EmulatorOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StartError> {
        let id_scope = options.id_scope;
        if id_scope.is_empty() || !id_scope.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(StartError::IdScope(id_scope));
        }
        let state = options.state_directory.map(StateDirectory::open).transpose()?;
        let kept = state.as_ref().map(StateDirectory::load).transpose()?.unwrap_or_default();
        let host_name = format!("{}.azure-devices-provisioning.net", options.dps_name).to_ascii_lowercase();
        let mut names = options.extra_server_names;
        names.push(host_name.clone());
        let identity = Arc::new(ServerIdentity::new(kept.authority.as_ref(), names)?);
        if let Some(directory) = &options.ca_directory {
            let path = directory.join(CA_FILE);
            write_whole(&path, identity.ca_pem().as_bytes(), false)
                .map_err(|source| StartError::WriteCa { path, source })?;
        }
        let events = EventBus::new(options.event_capacity.max(1), Arc::clone(&clock));
        let faults = Faults::default();
        let changes = Changes::default();
        let dps = Dps::new(DpsParts {
            id_scope,
            retry_after: options.retry_after,
            assigning_time: options.assigning_time,
            clock,
            events: events.clone(),
            faults: faults.clone(),
            identity: Arc::clone(&identity),
            telemetry_capacity: options.telemetry_capacity.max(1),
            changes: changes.clone(),
            host_name,
            kept: kept.dps.unwrap_or_else(KeptDps::new),
        })?;
        for (name, hub) in kept.hubs {
            dps.restore_hub(&name, hub)?;
        }
        for hub in &options.hub_names {
            // One that was kept is linked, or not any more, as it was.
            if dps.hub(hub).is_none() {
                dps.add_hub(hub)?;
            }
        }
        let config = Arc::new(server_config(Arc::clone(&identity), options.tls)?);
        let address = SocketAddr::new(options.listen_address, options.port);
        let max_connections = options.max_connections.max(1);
        let listening = accept(address, config, dps.clone(), events.clone(), max_connections)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let service = match options.service_port {
            Some(port) => {
                let address = SocketAddr::new(options.listen_address, port);
                let config = Arc::new(service_config(Arc::clone(&identity), options.tls)?);
                let listening = rest::listen(address, config, dps.clone(), max_connections).await;
                Some(listening.map_err(|source| StartError::Listen { address, source })?)
            }
            None => None,
        };
        let keeper = match state {
            Some(directory) => Some(Keeper::start(directory, dps.clone(), &identity, &changes)?),
            None => None,
        };
        tracing::info!(address = %listening.address, id_scope = dps.id_scope(), "the emulator listens");
        Ok(Self { listening, service, keeper, identity, dps, events, faults })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listening.address
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.listening.address.port()
    }

    /// Where the service side listens, if it does.
    pub fn service_address(&self) -> Option<SocketAddr> {
        self.service.as_ref().map(|service| service.address)
    }

    /// What service clients connect with: every policy of the provisioning service and of every hub. Empty without a
    /// service side.
    pub fn connection_strings(&self) -> Vec<ConnectionString> {
        let Some(address) = self.service_address() else {
            return Vec::new();
        };
        let port = address.port();
        let of_dps =
            self.dps.access().iter().map(|policy| ConnectionString::of(self.dps.host_name(), port, policy));
        let mut strings: Vec<_> = of_dps.collect();
        for hub in self.dps.hubs() {
            strings.extend(hub.access().iter().map(|policy| ConnectionString::of(hub.name(), port, policy)));
        }
        strings
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

    /// Ends all connections, keeps the state, and returns when the ports are free; within a second or two.
    pub async fn shutdown(self) {
        if let Some(service) = self.service {
            service.stop().await;
        }
        self.listening.stop().await;
        if let Some(keeper) = self.keeper {
            keeper.stop().await;
        }
    }
}
