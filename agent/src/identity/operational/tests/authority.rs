//! A service that issues certificates, and looks at requests with another eye than the code that writes them.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use tracker_certificates::{Document, certificate_pem};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::request::CertReq;

pub(super) const NAME: &str = "sensor-thl-001";
const LIFE: i64 = 1000;

/// A moment at which everything that is issued here is valid.
pub(super) fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// A root and the CA below it.
pub(super) struct Authority {
    root: CertifiedIssuer<'static, KeyPair>,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// The public key of a request.
struct Public(Vec<u8>);

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl Authority {
    pub(super) fn new() -> Self {
        let params = |name: &str| {
            let mut params = params(name, -LIFE, 10 * LIFE);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            params
        };
        let root = CertifiedIssuer::self_signed(params("root"), KeyPair::generate().unwrap()).unwrap();
        let issuer =
            CertifiedIssuer::signed_by(params("issuer"), KeyPair::generate().unwrap(), &root).unwrap();
        Self { root, issuer }
    }

    /// What the service answers to a request in base64, leaf first.
    pub(super) fn issue(&self, csr: &str) -> Vec<Vec<u8>> {
        self.issue_for(csr, NAME, 0, LIFE)
    }

    /// As [`Authority::issue`], valid over these seconds around [`now`].
    pub(super) fn issue_for(&self, csr: &str, name: &str, begin: i64, end: i64) -> Vec<Vec<u8>> {
        // Under a label that the decoder knows.
        let pem = Document::read(certificate_pem(csr).as_bytes()).unwrap();
        let request = CertReq::from_der(&pem.certificates().unwrap()[0]).unwrap();
        assert_eq!(request.info.subject.to_string(), format!("CN={NAME}"));
        let key = request.info.public_key.subject_public_key.raw_bytes();
        let signature = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key);
        signature.verify(&request.info.to_der().unwrap(), request.signature.raw_bytes()).unwrap();
        let leaf = params(name, begin, end).signed_by(&Public(key.to_vec()), &self.issuer).unwrap();
        [&leaf, self.issuer.as_ref(), self.root.as_ref()].map(|one| one.der().to_vec()).to_vec()
    }
}

fn params(name: &str, begin: i64, end: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    // Eight hours later it is `now`.
    let at =
        |seconds: i64| rcgen::date_time_ymd(2027, 1, 14) + Duration::from_secs((32 * 3600 + seconds) as u64);
    params.not_before = at(begin);
    params.not_after = at(end);
    params
}
