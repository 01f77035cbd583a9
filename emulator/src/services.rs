//! The services as they are before a port is opened: DPS with its hubs, and what they share.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use thiserror::Error;

use crate::{
    clock::Clock,
    dps::{Dps, DpsError, DpsParts, KeptDps},
    events::EventBus,
    faults::Faults,
    hub::{EndpointSettings, RenewalSettings},
    issuance::{IssuanceError, Namespace},
    lock::Changes,
    net::tls::{ServerIdentity, ServerIdentityError},
    options::EmulatorOptions,
    state::{Kept, StateError},
    storage::Storage,
};

/// The name of the one namespace.
const NAMESPACE: &str = "emulator-namespace";

/// In the state directory: files that devices upload, and that jobs read and write.
const STORAGE: &str = "storage";

/// DPS with its hubs, and what they share.
pub(crate) struct Services {
    pub identity: Arc<ServerIdentity>,
    pub dps: Dps,
    pub events: EventBus,
    pub faults: Faults,
    pub changes: Changes,
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
    /// A certificate policy could not be made, or what was kept of the namespace is not readable.
    #[error(transparent)]
    Issuance(#[from] IssuanceError),
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

impl Services {
    /// Makes the services of these options, as they were `kept`.
    pub(crate) fn new(
        options: &EmulatorOptions,
        clock: Arc<dyn Clock>,
        kept: Kept,
    ) -> Result<Self, StartError> {
        let id_scope = options.id_scope.clone();
        if id_scope.is_empty() || !id_scope.chars().all(|c| c.is_ascii_alphanumeric()) {
            return Err(StartError::IdScope(id_scope));
        }
        let host_name = format!("{}.azure-devices-provisioning.net", options.dps_name).to_ascii_lowercase();
        let mut names = options.extra_server_names.clone();
        names.push(host_name.clone());
        let mut identity = ServerIdentity::new(kept.authority.as_ref(), names)?;
        if options.rsa {
            identity = identity.with_rsa(kept.rsa_authority.as_ref())?;
        }
        let identity = Arc::new(identity);
        let events = EventBus::new(options.event_capacity.max(1), Arc::clone(&clock));
        let faults = Faults::default();
        faults.set_seed(options.faults_seed);
        let changes = Changes::default();
        let kept_dps = kept.dps.unwrap_or_else(KeptDps::new);
        let namespace = namespace(options, &clock, &changes, &kept_dps)?;
        let dps = Dps::new(DpsParts {
            id_scope,
            retry_after: options.retry_after,
            assigning_time: if options.assign_at_once {
                std::time::Duration::ZERO
            } else {
                options.assigning_time
            },
            assign_at_once: options.assign_at_once,
            clock,
            events: events.clone(),
            faults: faults.clone(),
            identity: Arc::clone(&identity),
            telemetry_capacity: options.telemetry_capacity.max(1),
            files: options.files_directory.clone().unwrap_or_default(),
            storage: Storage::new(
                options.state_directory.as_ref().map(|state| state.join(STORAGE)),
                kept_dps.storage_key().map(str::to_owned),
            ),
            first_redelivery: options.first_redelivery,
            changes: changes.clone(),
            host_name,
            assign_device_names: options.assign_device_names,
            namespace,
            renewal: RenewalSettings {
                issuing_time: options.issuing_time,
                older_numbers: options.older_renewal_errors,
            },
            endpoint: EndpointSettings { partitions: options.partitions, retention: options.retention },
            kept: kept_dps,
        })?;
        for (name, hub) in kept.hubs {
            dps.restore_hub(&name, hub)?;
        }
        for hub in &options.hub_names {
            dps.take_hub(hub)?;
        }
        Ok(Self { identity, dps, events, faults, changes })
    }
}

/// The namespace as it was kept, with the policies that the options ask for.
fn namespace(
    options: &EmulatorOptions,
    clock: &Arc<dyn Clock>,
    changes: &Changes,
    kept: &KeptDps,
) -> Result<Namespace, IssuanceError> {
    let clock = Arc::clone(clock);
    let namespace = Namespace::new(NAMESPACE, options.p384_only, clock, changes.clone(), kept.namespace())?;
    for (name, validity) in &options.certificate_policies {
        if namespace.policy(name).is_err() {
            namespace.create_policy(name, None, *validity)?;
        }
    }
    Ok(namespace)
}
