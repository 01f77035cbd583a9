//! The running emulator.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{
    task::{JoinHandle, JoinSet},
    time::MissedTickBehavior,
};

use crate::{
    clock::{Clock, SystemClock},
    dps::Dps,
    events::{Event, EventBus},
    faults::Faults,
    front::{accept, accept_amqp},
    hub::Hub,
    issuance::Namespace,
    memory::{Returns, give_back},
    net::{
        door::Listening,
        tls::{ServerIdentity, device_entrance, service_entrance},
    },
    options::EmulatorOptions,
    rest,
    security::access::ConnectionString,
    services::{Services, StartError},
    state::{Keeper, StateDirectory, write_whole},
    subscription::Subscription,
};

/// The file that a device is to trust, in the directory given by the options.
const CA_FILE: &str = "server-ca.pem";

/// The policy that readers of a built-in endpoint use.
const ENDPOINT_POLICY: &str = "service";

/// How often it is looked whether devices are silent.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// How often it is looked whether blocks of files have waited too long.
const SWEEP_INTERVAL: Duration = Duration::from_mins(10);

/// How often it is looked whether configurations, or jobs, have something to do.
const MANAGEMENT_INTERVAL: Duration = Duration::from_millis(100);

/// A local DPS with its hubs, listening.
///
/// Dropping it stops it without ceremony; [`Emulator::shutdown`] lets connections end in order.
pub struct Emulator {
    listening: Listening,
    service: Option<Listening>,
    amqp: Option<Listening>,
    keeper: Option<Keeper>,
    identity: Arc<ServerIdentity>,
    dps: Dps,
    events: EventBus,
    faults: Faults,
    watch: Watch,
    management: Watch,
}

/// Looks every second who has fallen silent, or more often who has to be managed, until it is dropped.
struct Watch(JoinHandle<()>);

impl Watch {
    fn start(dps: Dps, events: EventBus) -> Self {
        Self(tokio::spawn(async move {
            let mut returns = Returns::default();
            let mut every = tokio::time::interval(WATCH_INTERVAL);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut sweep = tokio::time::interval(SWEEP_INTERVAL);
            loop {
                tokio::select! {
                    _ = every.tick() => {}
                    _ = sweep.tick() => dps.storage().sweep(dps.clock().now()),
                }
                for hub in dps.hubs() {
                    hub.check_silence();
                    hub.expire_messages();
                    hub.check_messages();
                    hub.check_uploads();
                }
                if returns.are_due(events.farewells()) {
                    // It fails only if the emulator ends.
                    let _ = tokio::task::spawn_blocking(give_back).await;
                }
            }
        }))
    }

    /// Lets hubs manage their devices, on threads where nobody waits for them.
    fn manage(dps: Dps) -> Self {
        Self(tokio::spawn(async move {
            let mut every = tokio::time::interval(MANAGEMENT_INTERVAL);
            every.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut jobs = JoinSet::new();
            loop {
                every.tick().await;
                while jobs.try_join_next().is_some() {}
                for hub in dps.hubs() {
                    for id in hub.due_jobs() {
                        let hub = hub.clone();
                        jobs.spawn(async move { hub.run_job(&id).await });
                    }
                    if hub.has_stale_twins() {
                        // It fails only if the emulator ends.
                        let _ = tokio::task::spawn_blocking(move || hub.apply_configurations()).await;
                    }
                }
            }
        }))
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// An emulator before it listens: its services are there, as they were kept, to be set up further. Nothing has been
/// written yet; one that is dropped has changed nothing.
pub struct PreparedEmulator {
    options: EmulatorOptions,
    state: Option<StateDirectory>,
    services: Services,
}

impl PreparedEmulator {
    /// The service side of the provisioning service.
    pub fn dps(&self) -> &Dps {
        &self.services.dps
    }

    /// Listens, and then writes what the options ask for.
    pub async fn listen(self) -> Result<Emulator, StartError> {
        let Self { options, state, services } = self;
        let Services { identity, dps, events, faults, changes } = services;
        let entrance = device_entrance(&identity, options.tls)?;
        let address = SocketAddr::new(options.listen_address, options.port);
        let max_connections = options.max_connections.max(1);
        let listening = accept(address, entrance, dps.clone(), events.clone(), max_connections)
            .await
            .map_err(|source| StartError::Listen { address, source })?;
        let service = match options.service_port {
            Some(port) => {
                let address = SocketAddr::new(options.listen_address, port);
                let entrance = service_entrance(&identity, options.tls)?;
                let listening =
                    rest::listen(address, entrance, dps.clone(), events.clone(), max_connections).await;
                Some(listening.map_err(|source| StartError::Listen { address, source })?)
            }
            None => None,
        };
        let amqp = match options.amqp_port {
            Some(port) => {
                let address = SocketAddr::new(options.listen_address, port);
                let entrance = device_entrance(&identity, options.tls)?;
                let listening = accept_amqp(address, entrance, dps.clone(), max_connections).await;
                Some(listening.map_err(|source| StartError::Listen { address, source })?)
            }
            None => None,
        };
        let keeper = match state {
            Some(directory) => Some(Keeper::start(directory, dps.clone(), &identity, &changes)?),
            None => None,
        };
        if let Some(directory) = &options.ca_directory {
            let path = directory.join(CA_FILE);
            write_whole(&path, identity.ca_pem().as_bytes(), false)
                .map_err(|source| StartError::WriteCa { path, source })?;
        }
        for hub in dps.hubs() {
            hub.resume_deliveries();
        }
        tracing::info!(address = %listening.address, id_scope = dps.id_scope(), "the emulator listens");
        let (watch, management) = (Watch::start(dps.clone(), events.clone()), Watch::manage(dps.clone()));
        Ok(Emulator { listening, service, amqp, keeper, identity, dps, events, faults, watch, management })
    }
}

impl Emulator {
    /// Starts an emulator with the options of a program, on the system's clock.
    pub async fn start(options: EmulatorOptions) -> Result<Self, StartError> {
        Self::prepare(options)?.listen().await
    }

    /// Makes everything but the ports and the files: for programs that have to set up, and check, more before they begin.
    pub fn prepare(options: EmulatorOptions) -> Result<PreparedEmulator, StartError> {
        Self::prepare_with(options, Arc::new(SystemClock))
    }

    pub(crate) fn prepare_with(
        options: EmulatorOptions,
        clock: Arc<dyn Clock>,
    ) -> Result<PreparedEmulator, StartError> {
        let state = options.state_directory.clone().map(StateDirectory::open).transpose()?;
        let kept = state.as_ref().map(StateDirectory::load).transpose()?.unwrap_or_default();
        let services = Services::new(&options, clock, kept)?;
        Ok(PreparedEmulator { options, state, services })
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

    /// Where AMQP is served, if it is.
    pub fn amqp_address(&self) -> Option<SocketAddr> {
        self.amqp.as_ref().map(|amqp| amqp.address)
    }

    /// What service clients connect with: every policy of the provisioning service and of every hub, and behind them, where AMQP is
    /// served, the policy `service` for each hub's built-in endpoint. Empty without a service side.
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
        strings.extend(self.amqp_address().into_iter().flat_map(|address| self.endpoint_strings(address)));
        strings
    }

    /// What readers of the built-in endpoints connect with.
    fn endpoint_strings(&self, address: SocketAddr) -> Vec<ConnectionString> {
        let string = |hub: &Hub| {
            let policy = hub.access().iter().find(|policy| policy.name == ENDPOINT_POLICY)?;
            let entity = hub.name().split('.').next().unwrap_or_default();
            Some(ConnectionString::of_event_hub(&hub.event_hubs_host(), address.port(), entity, policy))
        };
        self.dps.hubs().iter().filter_map(string).collect()
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

    /// The namespace that issues certificates to devices.
    pub fn namespace(&self) -> &Namespace {
        self.dps.namespace()
    }

    /// The service side of a hub, by one of its host names or the first label of them.
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
        let others = [self.service, self.amqp].into_iter().flatten();
        for listening in others.chain([self.listening]) {
            listening.stop().await;
        }
        drop(self.watch);
        drop(self.management);
        for hub in self.dps.hubs() {
            hub.stop_deliveries();
        }
        if let Some(keeper) = self.keeper {
            keeper.stop().await;
        }
    }
}
