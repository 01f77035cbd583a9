//! The emulator's own certificate authority and the one server certificate that serves every name.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError, RwLock},
    thread,
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256,
};
use rustls::{
    CipherSuite, SignatureScheme,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use thiserror::Error;
use tracker_certificates::{Document, Fields};

use super::rsa_key;
use crate::security::x509::Certificate;

/// Names that are always in the server certificate.
const STANDING_NAMES: [&str; 10] = [
    "localhost",
    "127.0.0.1",
    "::1",
    "global.azure-devices-provisioning.net",
    "*.azure-devices-provisioning.net",
    // A star stands for one label, and no more.
    "*.azure-devices.net",
    "*.device.azure-devices.net",
    "*.service.azure-devices.net",
    "*.servicebus.windows.net",
    "*.blob.core.windows.net",
];

/// The server certificate could not be made.
#[derive(Debug, Error)]
pub enum ServerIdentityError {
    /// A name is neither a DNS name nor an IP address.
    #[error("\"{name}\" cannot stand in the server certificate: {source}")]
    Name {
        /// The name as given.
        name: String,
        /// What is wrong with it.
        source: rcgen::Error,
    },
    /// Making a key or a certificate failed.
    #[error("making the server certificate failed: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The key made is not one TLS can use.
    #[error("TLS does not take the server key: {0}")]
    Key(#[from] rustls::Error),
}

/// The certificate authority, the names it answers for, and the certificate in use; beside them, where it is asked for,
/// the same with RSA keys.
pub(crate) struct ServerIdentity {
    ecdsa: Side,
    rsa: Option<Side>,
    names: Mutex<BTreeSet<String>>,
}

/// An authority, and the certificate that it has signed for a key.
struct Side {
    authority: Authority,
    key: KeyPair,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Side {
    fn new(
        authority: Authority,
        key: KeyPair,
        names: &BTreeSet<String>,
    ) -> Result<Self, ServerIdentityError> {
        let current = RwLock::new(issue(&authority, &key, names)?);
        Ok(Self { authority, key, current })
    }

    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn keep(&self) -> KeptAuthority {
        KeptAuthority {
            certificate: self.authority.pem.clone(),
            key: self.authority.issuer.key().serialize_pem(),
        }
    }
}

/// The authority with its key.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pem: String,
}

/// The authority as it is kept over a restart, in PEM.
#[derive(Clone)]
pub(crate) struct KeptAuthority {
    pub certificate: String,
    pub key: String,
}

impl Authority {
    fn restore(kept: &KeptAuthority) -> Result<Self, ServerIdentityError> {
        let keys = Document::read(kept.key.as_bytes()).and_then(|pem| pem.keys());
        let key = keys.ok().and_then(|keys| keys.into_iter().next());
        let key = KeyPair::try_from(key.ok_or(rcgen::Error::CouldNotParseKeyPair)?)?;
        let certificates = Document::read(kept.certificate.as_bytes()).and_then(|pem| pem.certificates());
        let certificate = certificates.ok().and_then(|certificates| certificates.into_iter().next());
        let certificate = certificate.ok_or(rcgen::Error::CouldNotParseCertificate)?;
        Ok(Self {
            issuer: Issuer::new(params_of(&certificate)?, key),
            certificate,
            pem: kept.certificate.clone(),
        })
    }

    fn generate(key: KeyPair) -> Result<Self, ServerIdentityError> {
        // A name of its own: whoever trusts another emulator's is told of an unknown issuer, and not of a bad signature.
        let number: u32 = rand::random();
        let params = authority_params(&format!("container-tracker emulator server CA {number:08x}"));
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            pem: certificate.pem(),
            certificate: certificate.der().clone(),
            issuer: Issuer::new(params, key),
        })
    }
}

fn authority_params(common_name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    name(&mut params, common_name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    always_valid(&mut params);
    params
}

/// The parameters of an authority that was made before. What it signs must name it as it is named itself, so one that
/// another program made, with a longer name, is refused.
fn params_of(authority: &CertificateDer<'static>) -> Result<CertificateParams, rcgen::Error> {
    let unreadable = rcgen::Error::CouldNotParseCertificate;
    let Ok(parsed) = Certificate::from_der(authority.clone()) else {
        return Err(unreadable);
    };
    let common_name = parsed.common_name.unwrap_or_default();
    if parsed.info.subject_name != format!("CN={common_name}") {
        return Err(unreadable);
    }
    let mut params = authority_params(&common_name);
    let Ok(identifier) = Fields::read(authority).and_then(|fields| fields.subject_key_identifier()) else {
        return Err(unreadable);
    };
    if let Some(identifier) = identifier {
        params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.to_vec());
    }
    Ok(params)
}

impl ServerIdentity {
    /// Takes the authority that was kept, or makes a new one, and makes a certificate for the standing names and
    /// `extra_names` (DNS names or IP addresses).
    pub(crate) fn new(
        kept: Option<&KeptAuthority>,
        extra_names: impl IntoIterator<Item = String>,
    ) -> Result<Self, ServerIdentityError> {
        let authority = match kept {
            Some(kept) => Authority::restore(kept)?,
            None => Authority::generate(ecdsa_key()?)?,
        };
        let mut names: BTreeSet<String> = STANDING_NAMES.map(str::to_owned).into();
        names.extend(extra_names);
        let ecdsa = Side::new(authority, ecdsa_key()?, &names)?;
        Ok(Self { ecdsa, rsa: None, names: Mutex::new(names) })
    }

    /// With an RSA certificate beside the other one, for clients that take no ECDSA, under an RSA authority of its own.
    /// Making the keys takes some tenths of a second; they are made side by side.
    pub(crate) fn with_rsa(self, kept: Option<&KeptAuthority>) -> Result<Self, ServerIdentityError> {
        let (authority, key) = thread::scope(|scope| {
            let key = scope.spawn(rsa_key);
            let authority = match kept {
                Some(kept) => Authority::restore(kept),
                None => rsa_key().map_err(Into::into).and_then(Authority::generate),
            };
            // A thread that has panicked has said so.
            (authority, key.join().unwrap_or(Err(rcgen::Error::CouldNotParseKeyPair)))
        });
        let side = Side::new(authority?, key?, &self.names.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(Self { rsa: Some(side), ..self })
    }

    fn sides(&self) -> impl Iterator<Item = &Side> {
        [Some(&self.ecdsa), self.rsa.as_ref()].into_iter().flatten()
    }

    /// The certificates of the authorities in PEM, for devices and tools to trust.
    pub(crate) fn ca_pem(&self) -> String {
        self.sides().map(|side| side.authority.pem.as_str()).collect()
    }

    /// The authority, to be kept over a restart.
    pub(crate) fn keep(&self) -> KeptAuthority {
        self.ecdsa.keep()
    }

    /// The authority with an RSA key, if there is one.
    pub(crate) fn keep_rsa(&self) -> Option<KeptAuthority> {
        self.rsa.as_ref().map(Side::keep)
    }

    /// Answers for these names too; connections that exist are not touched.
    pub(crate) fn add_names(
        &self,
        added: impl IntoIterator<Item = String>,
    ) -> Result<(), ServerIdentityError> {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut extended = names.clone();
        extended.extend(added.into_iter().filter(|name| !is_under_standing_wildcard(name)));
        if extended == *names {
            return Ok(());
        }
        for side in self.sides() {
            let renewed = issue(&side.authority, &side.key, &extended)?;
            *side.current.write().unwrap_or_else(PoisonError::into_inner) = renewed;
        }
        *names = extended;
        Ok(())
    }
}

impl std::fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerIdentity").field("names", &self.names).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for ServerIdentity {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let takes_ecdsa = hello.signature_schemes().contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            && hello.cipher_suites().iter().any(|suite| has_ecdsa(*suite));
        let side = self.rsa.as_ref().filter(|_| !takes_ecdsa).unwrap_or(&self.ecdsa);
        Some(side.current())
    }
}

/// Whether a suite goes with an ECDSA certificate; those of TLS 1.3 go with any.
fn has_ecdsa(suite: CipherSuite) -> bool {
    suite.as_str().is_some_and(|name| name.starts_with("TLS13_") || name.starts_with("TLS_ECDHE_ECDSA_"))
}

fn ecdsa_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
}

fn rsa_key() -> Result<KeyPair, rcgen::Error> {
    let key = PrivatePkcs8KeyDer::from(rsa_key::generate());
    KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_RSA_SHA256)
}

fn is_under_standing_wildcard(name: &str) -> bool {
    STANDING_NAMES.iter().filter_map(|standing| standing.strip_prefix("*.")).any(|parent| {
        name.strip_suffix(parent)
            .and_then(|rest| rest.strip_suffix('.'))
            .is_some_and(|label| !label.is_empty() && !label.contains('.'))
    })
}

fn issue(
    authority: &Authority,
    key: &KeyPair,
    names: &BTreeSet<String>,
) -> Result<Arc<CertifiedKey>, ServerIdentityError> {
    let mut params = CertificateParams::default();
    for name in names {
        let checked = CertificateParams::new([name.clone()])
            .map_err(|source| ServerIdentityError::Name { name: name.clone(), source })?;
        params.subject_alt_names.extend(checked.subject_alt_names);
    }
    name(&mut params, "container-tracker emulator");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    always_valid(&mut params);
    let certificate = params.signed_by(key, &authority.issuer)?;
    let chain = vec![certificate.der().clone(), authority.certificate.clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(Arc::new(CertifiedKey::new(chain, any_supported_type(&key)?)))
}

fn name(params: &mut CertificateParams, common_name: &str) {
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
}

/// A device under test may live in another year: the time of a replayed GPS recording, or of a simulated voyage.
fn always_valid(params: &mut CertificateParams) {
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(2099, 12, 31);
}

#[cfg(test)]
mod tests {
    use rcgen::CertifiedIssuer;
    use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

    use super::*;

    #[test]
    fn a_kept_authority_signs_as_before() {
        let before = ServerIdentity::new(None, []).expect("made");
        let kept = before.keep();
        let after = ServerIdentity::new(Some(&kept), ["emulator.test".to_owned()]).expect("restored");
        assert_eq!(after.ca_pem(), before.ca_pem());

        let served = after.ecdsa.current();
        let [leaf, authority] = served.cert.as_slice() else { panic!("leaf and authority") };
        assert_eq!(*authority, before.ecdsa.authority.certificate);
        let anchors = [anchor_from_trusted_cert(authority).expect("an authority")];
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms.all;
        let now = rustls::pki_types::UnixTime::now();
        EndEntityCert::try_from(leaf)
            .expect("a certificate")
            .verify_for_usage(algorithms, &anchors, &[], now, KeyUsage::server_auth(), None, None)
            .expect("signed by the authority that was kept");

        // The leaf names the key of its issuer as the issuer does.
        let authority = Fields::read(authority).expect("a certificate");
        let identifier = authority.subject_key_identifier().expect("readable").expect("there is one");
        assert!(leaf.windows(identifier.len()).any(|part| part == identifier));
    }

    #[test]
    fn every_authority_has_a_name_of_its_own() {
        let name = || {
            let identity = ServerIdentity::new(None, []).expect("made");
            let certificate = Certificate::from_der(identity.ecdsa.authority.certificate.clone());
            certificate.expect("readable").info.subject_name
        };
        let first = name();
        assert!(first.starts_with("CN=container-tracker emulator server CA "), "{first}");
        assert_ne!(first, name());
    }

    #[test]
    fn an_authority_with_a_longer_name_is_refused() {
        let mut params = authority_params("made elsewhere");
        params.distinguished_name.push(DnType::OrganizationName, "Elsewhere");
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).expect("a key");
        let pem = key.serialize_pem();
        let other = CertifiedIssuer::self_signed(params, key).expect("signed");
        let kept = KeptAuthority { certificate: other.pem(), key: pem };
        let error = ServerIdentity::new(Some(&kept), []).expect_err("not one of its own");
        assert!(matches!(error, ServerIdentityError::Certificate(rcgen::Error::CouldNotParseCertificate)));
    }
}
