//! The CA certificates that a hub was given: identities of type `certificateAuthority` connect with what they have signed.
//! At Azure they belong to the hub's resource, and possession of their keys is proved; here they are taken as they come.

use std::{collections::BTreeMap, sync::Arc};

use super::{Hub, HubError};
use crate::{
    lock::lock,
    security::x509::{Certificate, X509CertificateInfo},
};

/// The longest name of one.
const LONGEST_NAME: usize = 64;

impl Hub {
    /// Trusts a CA certificate, root or intermediate: PEM, or base64 of DER or of PEM. One of this name is replaced.
    pub fn trust_authority(&self, name: &str, certificate: &str) -> Result<X509CertificateInfo, HubError> {
        let may_be_in_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(may_be_in_name) {
            return Err(HubError::ArgumentInvalid(format!(
                "the name of a CA certificate is 1 to {LONGEST_NAME} letters, digits, '-', '.' and '_'"
            )));
        }
        let certificate = Certificate::from_text(certificate)
            .map_err(|error| HubError::ArgumentInvalid(format!("certificate: {error}")))?;
        if !certificate.is_authority() {
            return Err(HubError::ArgumentInvalid(format!(
                "\"{}\" is not a CA certificate: its basic constraints or its key usage do not let it sign others",
                certificate.info.subject_name
            )));
        }
        let info = certificate.info.clone();
        lock(&self.0.authorities).insert(name.to_owned(), Arc::new(certificate));
        self.0.changes.count();
        Ok(info)
    }

    /// Trusts it no more; tells whether it was there.
    pub fn distrust_authority(&self, name: &str) -> bool {
        let was_there = lock(&self.0.authorities).remove(name).is_some();
        self.0.changes.count();
        was_there
    }

    /// The CA certificates that the hub was given, by name. It trusts the issuing CAs of the namespace besides.
    pub fn authorities(&self) -> BTreeMap<String, X509CertificateInfo> {
        let authorities = lock(&self.0.authorities);
        authorities.iter().map(|(name, known)| (name.clone(), known.info.clone())).collect()
    }

    /// All CAs whose leafs may open the hub.
    pub(super) fn trusted(&self) -> Vec<Arc<Certificate>> {
        let mut trusted = self.0.namespace.trusted();
        trusted.extend(lock(&self.0.authorities).values().cloned());
        trusted
    }
}
