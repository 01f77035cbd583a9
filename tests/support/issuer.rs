//! Who issues certificates to `identity::operational`, as Azure would.

use container_tracker::identity::operational::Pairs;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};
use tracker_certificates::{Document, certificate_pem};
use x509_cert::der::Decode as _;
use x509_cert::request::CertReq;

struct Public(Vec<u8>);

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

/// A certificate of this name, valid for very long, becomes the next one; of a new service each time.
pub fn renew(pairs: &mut Pairs, name: &str) {
    let params = |name: &str| {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut authority = params("issuer");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let csr = pairs.request(&name.parse().unwrap(), None).unwrap().csr;
    let pem = Document::read(certificate_pem(&csr).as_bytes()).unwrap();
    let request = CertReq::from_der(&pem.certificates().unwrap()[0]).unwrap();
    let key = Public(request.info.public_key.subject_public_key.raw_bytes().to_vec());
    let leaf = params(name).signed_by(&key, &authority).unwrap();
    pairs.take(&[leaf.der().to_vec(), authority.as_ref().der().to_vec()], None).unwrap();
}
