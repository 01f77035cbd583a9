//! A certificate authority **for the lab**: root, intermediates and device leafs made in memory, for simulation and
//! tests. Keys are handed out as text, nothing is protected. For a real fleet use your own PKI.

use chrono::{DateTime, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
};
use thiserror::Error;

/// A certificate could not be made.
#[derive(Debug, Error)]
pub enum PkiError {
    /// The validity starts before 1970, ends after 9999, or ends before it starts.
    #[error(
        "a certificate cannot be valid from {0} to {1}: choose an end after the start, both in 1970 to 9999"
    )]
    Validity(DateTime<Utc>, DateTime<Utc>),
    /// Key generation or signing failed.
    #[error("making a certificate for \"{name}\" failed: {source}")]
    Make {
        /// The common name wanted.
        name: String,
        /// What went wrong.
        source: rcgen::Error,
    },
}

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Start, inclusive; whole seconds count.
    pub not_before: DateTime<Utc>,
    /// End, inclusive; whole seconds count.
    pub not_after: DateTime<Utc>,
}

impl Validity {
    /// 2000 to 2099: valid at the time of any recording a simulation may replay.
    pub fn always() -> Self {
        Self {
            not_before: DateTime::from_timestamp(946_684_800, 0).unwrap_or(DateTime::UNIX_EPOCH),
            not_after: DateTime::from_timestamp(4_102_358_400, 0).unwrap_or(DateTime::UNIX_EPOCH),
        }
    }
}

/// The kind of key to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// ECDSA on P-256 with SHA-256.
    #[default]
    EcP256,
    /// ECDSA on P-384 with SHA-384.
    EcP384,
}

impl KeyAlgorithm {
    fn generate(self) -> Result<KeyPair, rcgen::Error> {
        KeyPair::generate_for(match self {
            Self::EcP256 => &PKCS_ECDSA_P256_SHA256,
            Self::EcP384 => &PKCS_ECDSA_P384_SHA384,
        })
    }
}

/// A root or intermediate certificate authority with its key.
pub struct CertificateAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// PEM of this certificate and those above it, without the root; empty for a root.
    chain_pem: String,
}

/// What a device is given: its leaf, the certificates between it and the root, and its key.
#[derive(Clone)]
pub struct DeviceCredentials {
    /// The leaf in PEM.
    pub certificate_pem: String,
    /// The leaf and then every intermediate in PEM, the root left out: what the device presents in TLS.
    pub chain_pem: String,
    /// The private key, PKCS#8 in PEM.
    pub key_pem: String,
}

impl CertificateAuthority {
    /// A self-signed root with an EC P-256 key.
    pub fn root(common_name: &str, validity: Validity) -> Result<Self, PkiError> {
        Self::root_with(common_name, validity, KeyAlgorithm::default())
    }

    /// A self-signed root with a key of the given kind.
    pub fn root_with(common_name: &str, validity: Validity, key: KeyAlgorithm) -> Result<Self, PkiError> {
        let params = ca_params(common_name, validity)?;
        let made = key.generate().and_then(|key| CertifiedIssuer::self_signed(params, key));
        let issuer = made.map_err(|source| PkiError::Make { name: common_name.into(), source })?;
        Ok(Self { issuer, chain_pem: String::new() })
    }

    /// An intermediate signed by this authority.
    pub fn intermediate(&self, common_name: &str, validity: Validity) -> Result<Self, PkiError> {
        let mut params = ca_params(common_name, validity)?;
        params.use_authority_key_identifier_extension = true;
        let made = KeyAlgorithm::default()
            .generate()
            .and_then(|key| CertifiedIssuer::signed_by(params, key, &self.issuer));
        let issuer = made.map_err(|source| PkiError::Make { name: common_name.into(), source })?;
        let chain_pem = issuer.pem() + &self.chain_pem;
        Ok(Self { issuer, chain_pem })
    }

    /// An intermediate as it was made before, by its certificate and its key, both in PEM.
    pub fn again(
        common_name: &str,
        validity: Validity,
        certificate_pem: &str,
        key_pem: &str,
    ) -> Result<Self, PkiError> {
        let params = ca_params(common_name, validity)?;
        // Signs with the same name and key; who asks for the chain gets the certificate of then.
        let made = KeyPair::from_pem(key_pem).and_then(|key| CertifiedIssuer::self_signed(params, key));
        let issuer = made.map_err(|source| PkiError::Make { name: common_name.into(), source })?;
        Ok(Self { issuer, chain_pem: certificate_pem.into() })
    }

    /// A device's leaf, common name = registration ID, with an EC P-256 key.
    pub fn device(&self, registration_id: &str, validity: Validity) -> Result<DeviceCredentials, PkiError> {
        self.device_with(registration_id, validity, KeyAlgorithm::default())
    }

    /// A device's leaf with a key of the given kind.
    pub fn device_with(
        &self,
        registration_id: &str,
        validity: Validity,
        key: KeyAlgorithm,
    ) -> Result<DeviceCredentials, PkiError> {
        let mut params = leaf_params(registration_id, validity)?;
        params.use_authority_key_identifier_extension = true;
        let made = key.generate().and_then(|key| Ok((params.signed_by(&key, &self.issuer)?, key)));
        let (certificate, key) =
            made.map_err(|source| PkiError::Make { name: registration_id.into(), source })?;
        Ok(DeviceCredentials {
            certificate_pem: certificate.pem(),
            chain_pem: certificate.pem() + &self.chain_pem,
            key_pem: key.serialize_pem(),
        })
    }

    /// This authority's certificate in PEM.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// This authority's private key, PKCS#8 in PEM.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }
}

impl DeviceCredentials {
    /// A self-signed leaf, for an individual enrollment.
    pub fn self_signed(registration_id: &str, validity: Validity) -> Result<Self, PkiError> {
        let params = leaf_params(registration_id, validity)?;
        let made = KeyAlgorithm::default().generate().and_then(|key| Ok((params.self_signed(&key)?, key)));
        let (certificate, key) =
            made.map_err(|source| PkiError::Make { name: registration_id.into(), source })?;
        let pem = certificate.pem();
        Ok(Self { certificate_pem: pem.clone(), chain_pem: pem, key_pem: key.serialize_pem() })
    }
}

/// The key stays out of logs.
impl std::fmt::Debug for DeviceCredentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DeviceCredentials").field("chain_pem", &self.chain_pem).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CertificateAuthority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateAuthority")
            .field("certificate_pem", &self.issuer.pem())
            .finish_non_exhaustive()
    }
}

pub(crate) fn ca_params(common_name: &str, validity: Validity) -> Result<CertificateParams, PkiError> {
    let mut params = params(common_name, validity)?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

pub(crate) fn leaf_params(registration_id: &str, validity: Validity) -> Result<CertificateParams, PkiError> {
    let mut params = params(registration_id, validity)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

/// The end of the year 9999, where the times of X.509 end.
const LAST_SECOND: i64 = 253_402_300_799;

fn params(common_name: &str, validity: Validity) -> Result<CertificateParams, PkiError> {
    let Validity { not_before, not_after } = validity;
    let (Ok(start), Ok(end), true) = (
        u64::try_from(not_before.timestamp()),
        u64::try_from(not_after.timestamp()),
        not_before < not_after && not_after.timestamp() <= LAST_SECOND,
    ) else {
        return Err(PkiError::Validity(not_before, not_after));
    };
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let mut params = CertificateParams::default();
    params.distinguished_name.remove(DnType::CommonName);
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.not_before = epoch + std::time::Duration::from_secs(start);
    params.not_after = epoch + std::time::Duration::from_secs(end);
    Ok(params)
}
