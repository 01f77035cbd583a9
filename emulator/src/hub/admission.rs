//! Who is taken for a device, and who may connect as one: what the credentials of every transport are judged by.

use std::{borrow::Cow, sync::Arc};

use super::{
    Authentication, AuthenticationType, DeviceStatus, Hub, HubError,
    connection::{Attachment, Subscriptions, pair},
    module_id::split_address,
    notice::{Notice, NoticeKind},
    registry::{Entry, Registry},
    renewal::Renewal,
};
use crate::{
    events::{DisconnectReason, EventKind},
    security::{
        access::Right,
        keys::SymmetricKey,
        sas::{SasError, SasToken},
        x509::{Certificate, Flaw, NONE_PRESENTED, Path, paths},
    },
};
use chrono::{DateTime, Utc};
use thiserror::Error;

/// What somebody shows who wants to be taken for a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    /// A shared access signature; an empty one is none.
    pub token: Option<&'a [u8]>,
    /// Of the TLS handshake, the leaf first.
    pub certificates: &'a [Arc<Certificate>],
}

/// What is known of a device whose credentials are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Authenticated {
    /// When the token expires, if one was needed.
    pub token_expiry: Option<DateTime<Utc>>,
}

/// A name that a token may have in place of the hub's: the key says well enough whose it is.
const LOCAL: &str = "localhost";

/// How a device connects.
#[derive(Clone, Copy, Debug)]
pub(super) struct Joining<'a> {
    /// Whether subscriptions of the connection before are forgotten, and those of this one when it ends.
    pub clean_session: bool,
    /// The Plug and Play model that it announces.
    pub model_id: Option<&'a str>,
}

/// Why somebody is not taken for a device, or does not connect as one. Azure answers all of them over MQTT with return code 5
/// and no more; the words are for the operator.
#[derive(Debug, Error)]
pub(crate) enum NotAdmitted {
    #[error("the client identifier is \"{client_id}\", the user name says \"{device_id}\"")]
    ClientId { client_id: String, device_id: String },
    #[error(transparent)]
    Unknown(#[from] HubError),
    #[error("the device is disabled")]
    Disabled,
    #[error("{}, and the identity is one with certificates", NONE_PRESENTED)]
    NoCertificate,
    #[error("no shared access signature was sent, and the identity is one with symmetric keys")]
    NoToken,
    #[error(transparent)]
    Token(#[from] SasError),
    #[error("the policy \"{0}\" of the token lacks the right DeviceConnect")]
    Policy(String),
    #[error(
        "the common name of the certificate presented is \"{common_name}\", not the device ID, nor {{device ID}}/{{module ID}} for a module"
    )]
    CommonName { common_name: String },
    #[error(
        "the chain presented ends with \"{top}\", and the hub trusts no CA in it: the identity is one with certificates \
         of a certificate authority"
    )]
    Untrusted { top: String },
    #[error("the identity has authentication.type none: it cannot connect")]
    NoAuthentication,
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
    /// Judges what somebody shows who wants to be taken for a device, for one request.
    pub(crate) fn authenticate(
        &self,
        device_id: &str,
        shown: Shown<'_>,
    ) -> Result<Authenticated, NotAdmitted> {
        let paths = self.paths(device_id, shown.certificates);
        let registry = self.0.registry.lock();
        self.judge(&registry, device_id, shown, &paths)
    }

    /// Lets a device in, or says why not. One that is connected already is taken over.
    pub(super) fn admit(
        &self,
        device_id: &str,
        shown: Shown<'_>,
        joining: Joining<'_>,
    ) -> Result<Attachment, NotAdmitted> {
        let paths = self.paths(device_id, shown.certificates);
        let mut registry = self.0.registry.lock();
        let connection_id = registry.next_connection_id();
        let Authenticated { token_expiry } = self.judge(&registry, device_id, shown, &paths)?;
        let entry = registry.entry(device_id)?;
        if let Some(old) = entry.connection.take() {
            old.close(DisconnectReason::TakenOver);
            entry.queue.release(old.id);
        }
        let kept = entry.kept_session.take().filter(|_| !joining.clean_session);
        if !joining.clean_session {
            entry.kept_session = Some(kept.clone().unwrap_or_default());
        }
        let (handle, mut attachment) = pair(connection_id, kept);
        attachment.token_expiry = token_expiry;
        attachment.renewal_due = entry.renewal.as_ref().and_then(Renewal::wakes);
        let now = self.0.clock.now();
        entry.connection = Some(handle);
        entry.connection_updated = now;
        entry.last_activity = now;
        if let Some(model_id) = joining.model_id {
            model_id.clone_into(&mut entry.twin.model_id);
        }
        registry.touch(device_id);
        registry.settle_messages(device_id, now);
        self.tell_of_connection(&mut registry, NoticeKind::Connected, device_id);
        drop(registry);
        self.announce_arrival();
        self.0
            .events
            .tell(EventKind::DeviceConnected { hub: self.0.name.clone(), device_id: device_id.to_owned() });
        Ok(attachment)
    }

    /// Whether what is shown is that of a device, or of a module whose device may connect. `paths` are those upwards from the
    /// leaf.
    fn judge(
        &self,
        registry: &Registry,
        device_id: &str,
        shown: Shown<'_>,
        paths: &[Path],
    ) -> Result<Authenticated, NotAdmitted> {
        let entry = registry.get(device_id)?;
        let (owner, module_id) = split_address(device_id);
        let owner = module_id.and_then(|_| registry.get(owner).ok()).map(|owner| &owner.identity);
        let is_disabled = |status: DeviceStatus| status == DeviceStatus::Disabled;
        if is_disabled(entry.identity.status) || owner.is_some_and(|owner| is_disabled(owner.status)) {
            return Err(NotAdmitted::Disabled);
        }
        let now = self.0.clock.now();
        let leaf = || shown.certificates.first().ok_or(NotAdmitted::NoCertificate);
        let authentication = &entry.identity.authentication;
        let mut token_expiry = None;
        match authentication.kind {
            AuthenticationType::Sas => {
                let owner = owner.map(|owner| &owner.authentication.symmetric_key);
                let keys = owner.into_iter().chain([&authentication.symmetric_key]);
                let token = self.check_token(
                    shown.token.unwrap_or_default(),
                    device_id,
                    keys.flat_map(SymmetricKey::iter),
                )?;
                token.check_expiry(now)?;
                token_expiry = token.expiry();
            }
            AuthenticationType::SelfSigned => {
                let leaf = leaf()?;
                check_thumbprint(leaf, authentication)?;
                leaf.check_validity(now).map_err(NotAdmitted::Validity)?;
            }
            AuthenticationType::CertificateAuthority => self.check_chain(device_id, leaf()?, paths, now)?,
            AuthenticationType::None => return Err(NotAdmitted::NoAuthentication),
        }
        Ok(Authenticated { token_expiry })
    }

    /// The paths upwards from the leaf of a device that is known by its chain. Signatures take their time; other devices are
    /// served meanwhile.
    fn paths(&self, device_id: &str, presented: &[Arc<Certificate>]) -> Vec<Path> {
        let kind = |entry: &Entry| entry.identity.authentication.kind;
        let is_by_chain = self.0.registry.lock().get(device_id).map(kind).ok()
            == Some(AuthenticationType::CertificateAuthority);
        match presented {
            [leaf, above @ ..] if is_by_chain => paths(leaf, above, &self.trusted(), &self.0.good_signatures),
            _ => Vec::new(),
        }
    }

    /// Whether a leaf is that of a device, or of a module (`{device}/{module}`), and one of the CAs above it is trusted. The leaf alone is enough where the hub has
    /// the CA itself.
    fn check_chain(
        &self,
        device_id: &str,
        leaf: &Certificate,
        paths: &[Path],
        now: DateTime<Utc>,
    ) -> Result<(), NotAdmitted> {
        let common_name = leaf.common_name.clone().unwrap_or_default();
        if common_name != client_id(device_id) {
            return Err(NotAdmitted::CommonName { common_name });
        }
        leaf.check_validity(now).map_err(NotAdmitted::Validity)?;
        let trusted = self.trusted();
        let is_trusted = |certificate: &Arc<Certificate>| trusted.iter().any(|known| known.is(certificate));
        let mut flaw = None;
        for path in paths {
            let Some(anchor) = path.certificates.iter().skip(1).position(is_trusted) else { continue };
            let mut used = path.certificates.iter().take(anchor + 2);
            match used.try_for_each(|certificate| certificate.check_validity(now)) {
                Ok(()) => return Ok(()),
                Err(found) => flaw = Some(found),
            }
        }
        if let Some(flaw) = flaw {
            return Err(NotAdmitted::Validity(flaw));
        }
        let top = paths.first().and_then(|path| path.certificates.last());
        Err(NotAdmitted::Untrusted { top: top.map(|top| top.info.subject_name.clone()).unwrap_or_default() })
    }

    fn tell_of_connection(&self, registry: &mut Registry, kind: NoticeKind, device_id: &str) {
        let count = registry.next_connection_change();
        self.notify(registry, device_id, &Notice::connection(kind, self.0.began, count));
    }

    /// A device with symmetric keys shows a token: one for `{hub}/devices/{device}` made with its own key,
    /// or one of a policy that may connect devices, as gateways do, for it or for all that it is below. The token of a module
    /// is for `{hub}/devices/{device}/modules/{module}`, made with its own key or that of its device, whose it is.
    fn check_token<'k>(
        &self,
        token: &[u8],
        device_id: &str,
        keys: impl Iterator<Item = &'k str>,
    ) -> Result<SasToken, NotAdmitted> {
        if token.is_empty() {
            return Err(NotAdmitted::NoToken);
        }
        let text = std::str::from_utf8(token).map_err(|_| SasError::Scheme)?;
        let token = SasToken::parse(text)?;
        if token.policy.is_some() {
            let policy = self.0.access.signer(&token)?;
            let [classic, device, service] = self.names();
            let path = std::iter::once("devices").chain(device_id.split('/'));
            token.check_scope(&[LOCAL, &service, &device, &classic], path)?;
            if !policy.rights.contains(&Right::DeviceConnect) {
                return Err(NotAdmitted::Policy(policy.name.clone()));
            }
        } else {
            let resources = self.names().into_iter().chain([LOCAL.to_owned()]);
            let resources: Vec<_> = resources.map(|name| format!("{name}/devices/{device_id}")).collect();
            token.check_resource(resources.iter().map(String::as_str))?;
            token.check_signature(keys)?;
        }
        Ok(token)
    }

    /// Wakes those who wait for a device to be there.
    pub(super) fn announce_arrival(&self) {
        self.0.arrivals.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Keeps the subscriptions of a client that connected with clean session 0, for its next connection.
    pub(super) fn keep_session(&self, device_id: &str, connection_id: u64, subscriptions: &Subscriptions) {
        let mut registry = self.0.registry.lock();
        if let Some(entry) = registry.connected(device_id, connection_id)
            && let Some(kept) = &mut entry.kept_session
        {
            kept.clone_from(subscriptions);
        }
    }

    /// The session of a device has ended.
    pub(super) fn depart(&self, device_id: &str, connection_id: u64, reason: DisconnectReason) {
        let mut registry = self.0.registry.lock();
        if let Some(entry) = registry.connected(device_id, connection_id) {
            entry.connection = None;
            entry.connection_updated = self.0.clock.now();
            entry.queue.release(connection_id);
            registry.touch(device_id);
            registry.settle_messages(device_id, self.0.clock.now());
            self.tell_of_connection(&mut registry, NoticeKind::Disconnected, device_id);
        }
        drop(registry);
        self.0.events.tell(EventKind::DeviceDisconnected {
            hub: self.0.name.clone(),
            device_id: device_id.to_owned(),
            reason,
        });
    }
}

/// What a device, or a module, is called in CONNECT and in its certificate.
pub(super) fn client_id(address: &str) -> Cow<'_, str> {
    match split_address(address) {
        (device_id, Some(module_id)) => Cow::Owned(format!("{device_id}/{module_id}")),
        (device_id, None) => Cow::Borrowed(device_id),
    }
}

fn check_thumbprint(leaf: &Certificate, authentication: &Authentication) -> Result<(), NotAdmitted> {
    let thumbprints = &authentication.x509_thumbprint;
    let matches = [&thumbprints.primary_thumbprint, &thumbprints.secondary_thumbprint]
        .into_iter()
        .flatten()
        .any(|known| {
            known.eq_ignore_ascii_case(&leaf.info.sha256_thumbprint)
                || known.eq_ignore_ascii_case(&leaf.info.sha1_thumbprint)
        });
    if matches {
        return Ok(());
    }
    Err(NotAdmitted::Thumbprint { presented: leaf.info.sha256_thumbprint.clone() })
}
