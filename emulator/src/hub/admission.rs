//! Who may connect: the verdict at CONNECT.

use thiserror::Error;
use tracker_protocol::hub::HubUsername;

use super::{
    DeviceStatus, Hub, HubError,
    connection::{Orders, Subscriptions, pair},
};
use crate::{
    events::{DisconnectReason, EventKind},
    lock::lock,
    mqtt::Connect,
    x509::{Certificate, Flaw},
};

/// Why a CONNECT is refused. Azure answers all of them with return code 5 and no more; the words are for the
/// operator.
#[derive(Debug, Error)]
pub(super) enum Refusal {
    #[error("the client identifier is \"{client_id}\", the user name says \"{device_id}\"")]
    ClientId { client_id: String, device_id: String },
    #[error("module identities are not implemented by this emulator")]
    Module,
    #[error(transparent)]
    Unknown(#[from] HubError),
    #[error("the device is disabled")]
    Disabled,
    #[error("no client certificate was presented{}", if *with_password { "; SAS tokens are not implemented by this emulator" } else { "" })]
    NoCertificate { with_password: bool },
    #[error(
        "the thumbprint {presented} of the certificate presented is not one of this identity: after a new \
         certificate the device has to register at DPS"
    )]
    Thumbprint { presented: String },
    #[error("{0}")]
    Validity(Flaw),
    #[error("the will is on \"{0}\"; it may only be telemetry of this device")]
    Will(String),
}

impl Hub {
    /// Lets a device in, or says why not. One that is connected already is taken over.
    pub(super) fn admit(
        &self,
        connect: &Connect,
        user_name: &HubUsername,
        leaf: Option<&Certificate>,
    ) -> Result<Orders, Refusal> {
        let device_id = &user_name.device_id;
        if user_name.module_id.is_some() {
            return Err(Refusal::Module);
        }
        if connect.client_id != *device_id {
            let client_id = connect.client_id.clone();
            return Err(Refusal::ClientId {
                client_id,
                device_id: device_id.clone(),
            });
        }
        let now = self.0.clock.now();
        let mut registry = lock(&self.0.registry);
        let connection_id = registry.next_connection_id();
        let entry = registry.entry(device_id)?;
        if entry.identity.status == DeviceStatus::Disabled {
            return Err(Refusal::Disabled);
        }
        let Some(leaf) = leaf else {
            let with_password = connect
                .password
                .as_ref()
                .is_some_and(|password| !password.is_empty());
            return Err(Refusal::NoCertificate { with_password });
        };
        let thumbprints = &entry.identity.authentication.x509_thumbprint;
        let matches = [&thumbprints.primary_thumbprint, &thumbprints.secondary_thumbprint]
            .into_iter()
            .flatten()
            .any(|known| {
                known.eq_ignore_ascii_case(&leaf.info.sha256_thumbprint)
                    || known.eq_ignore_ascii_case(&leaf.info.sha1_thumbprint)
            });
        if !matches {
            return Err(Refusal::Thumbprint {
                presented: leaf.info.sha256_thumbprint.clone(),
            });
        }
        leaf.check_validity(now).map_err(Refusal::Validity)?;
        if let Some(old) = entry.connection.take() {
            old.close(DisconnectReason::TakenOver);
            entry.queue.release(old.id);
        }
        let kept = entry.kept_session.take().filter(|_| !connect.clean_session);
        if !connect.clean_session {
            entry.kept_session = Some(kept.clone().unwrap_or_default());
        }
        let (handle, orders) = pair(connection_id, kept);
        entry.connection = Some(handle);
        entry.connection_updated = now;
        entry.last_activity = now;
        if let Some(model_id) = &user_name.model_id {
            entry.twin.model_id.clone_from(model_id);
        }
        drop(registry);
        self.announce_arrival();
        self.0.events.tell(EventKind::DeviceConnected {
            hub: self.0.name.clone(),
            device_id: device_id.clone(),
        });
        Ok(orders)
    }

    /// Wakes those who wait for a device to be there.
    pub(super) fn announce_arrival(&self) {
        self.0
            .arrivals
            .send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Keeps the subscriptions of a client that connected with clean session 0, for its next connection.
    pub(super) fn keep_session(&self, device_id: &str, connection_id: u64, subscriptions: &Subscriptions) {
        let mut registry = lock(&self.0.registry);
        if let Some(entry) = registry.connected(device_id, connection_id)
            && let Some(kept) = &mut entry.kept_session
        {
            kept.clone_from(subscriptions);
        }
    }

    /// The session of a device has ended.
    pub(super) fn depart(&self, device_id: &str, connection_id: u64, reason: DisconnectReason) {
        let mut registry = lock(&self.0.registry);
        if let Some(entry) = registry.connected(device_id, connection_id) {
            entry.connection = None;
            entry.connection_updated = self.0.clock.now();
            entry.queue.release(connection_id);
        }
        drop(registry);
        self.0.events.tell(EventKind::DeviceDisconnected {
            hub: self.0.name.clone(),
            device_id: device_id.to_owned(),
            reason,
        });
    }
}
