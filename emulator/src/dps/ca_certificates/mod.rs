//! The CA certificates of the service, from the service side.

mod store;

pub use store::CaCertificate;
pub(super) use store::{CertificateStore, KeptCertificate};

use super::{Dps, DpsError};
use crate::etag::IfMatch;

/// The CA certificates of a provisioning service.
#[derive(Clone, Copy)]
pub struct Certificates<'a>(&'a Dps);

impl Dps {
    /// The CA certificates uploaded to the service.
    pub fn certificates(&self) -> Certificates<'_> {
        Certificates(self)
    }
}

impl Certificates<'_> {
    /// Uploads a CA certificate (PEM or base64), not verified yet: devices below it are refused until it is.
    pub fn upload(&self, name: &str, certificate: &str) -> Result<CaCertificate, DpsError> {
        self.0.0.store.change().certificates.upload(name, certificate, false, self.0.0.clock.now())
    }

    /// Uploads a CA certificate (PEM or base64) and declares it verified, as the portal's "set certificate status to
    /// verified on upload" does.
    pub fn upload_verified(&self, name: &str, certificate: &str) -> Result<CaCertificate, DpsError> {
        self.0.0.store.change().certificates.upload(name, certificate, true, self.0.0.clock.now())
    }

    /// Puts a CA certificate (PEM or base64) in the place of the one of this name, if that has the entity tag given: at
    /// no moment is there none.
    pub fn replace_if(
        &self,
        name: &str,
        certificate: &str,
        is_verified: bool,
        if_match: &IfMatch,
    ) -> Result<CaCertificate, DpsError> {
        let now = self.0.0.clock.now();
        self.0.0.store.change().certificates.replace(name, certificate, is_verified, if_match, now)
    }

    /// A new verification code: a certificate with this common name, signed by the CA, proves possession of its key.
    pub fn generate_verification_code(&self, name: &str) -> Result<String, DpsError> {
        self.generate_verification_code_if(name, &IfMatch::Any).map(|(_, code)| code)
    }

    /// The same if the entity tag is the one given; also the certificate with its new entity tag.
    pub fn generate_verification_code_if(
        &self,
        name: &str,
        if_match: &IfMatch,
    ) -> Result<(CaCertificate, String), DpsError> {
        let now = self.0.0.clock.now();
        self.0.0.store.change().certificates.verification_code(name, if_match, now)
    }

    /// Verifies a CA certificate by the proof (PEM or base64).
    pub fn verify(&self, name: &str, proof: &str) -> Result<CaCertificate, DpsError> {
        self.verify_if(name, proof, &IfMatch::Any)
    }

    /// The same if the entity tag is the one given.
    pub fn verify_if(&self, name: &str, proof: &str, if_match: &IfMatch) -> Result<CaCertificate, DpsError> {
        let now = self.0.0.clock.now();
        self.0.0.store.change().certificates.verify(name, proof, if_match, now)
    }

    /// One by its name.
    pub fn get(&self, name: &str) -> Result<CaCertificate, DpsError> {
        self.0.0.store.lock().certificates.get(name)
    }

    /// All in the order of their names.
    pub fn list(&self) -> Vec<CaCertificate> {
        self.0.0.store.lock().certificates.list()
    }

    /// Deletes one; groups that refer to it take nobody any more.
    pub fn delete(&self, name: &str) -> Result<(), DpsError> {
        self.delete_if(name, &IfMatch::Any)
    }

    /// The same if the entity tag is the one given.
    pub fn delete_if(&self, name: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        self.0.0.store.change().certificates.delete(name, if_match)
    }
}
