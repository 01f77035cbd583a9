//! The request for a certificate: PKCS#10, signed by the key that it is for, wherever that is.

use rustls::SignatureScheme;
use rustls::sign::SigningKey;
use tracker_protocol::RegistrationId;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier, SetOfVec, Utf8StringRef};
use x509_cert::der::pem::{LineEnding, encode_string};
use x509_cert::der::{Decode, Encode, Error};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::request::{CertReq, CertReqInfo, Version};
use x509_cert::spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

use super::error::OperationalError;

const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");

/// The DER of a request whose whole subject is the registration ID as common name, and which asks for no extensions: those are
/// the service's business.
pub(super) fn request(id: &RegistrationId, key: &dyn SigningKey) -> Result<Vec<u8>, OperationalError> {
    let public_key = key.public_key().ok_or(OperationalError::Request)?;
    let info = info(id, &public_key).map_err(|_| OperationalError::Request)?;
    let signed = info.to_der().map_err(|_| OperationalError::Request)?;
    let signer = key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256]);
    let signature = signer.ok_or(OperationalError::Request)?.sign(&signed).map_err(OperationalError::Sign)?;
    let algorithm = AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA256, parameters: None };
    let signature = BitString::from_bytes(&signature).map_err(|_| OperationalError::Request)?;
    CertReq { info, algorithm, signature }.to_der().map_err(|_| OperationalError::Request)
}

fn info(id: &RegistrationId, public_key: &[u8]) -> Result<CertReqInfo, Error> {
    let value = Any::encode_from(&Utf8StringRef::new(id.as_str())?)?;
    let common_name = SetOfVec::try_from([AttributeTypeAndValue { oid: COMMON_NAME, value }])?;
    let names = RdnSequence::from(vec![RelativeDistinguishedName::from(common_name)]);
    Ok(CertReqInfo {
        version: Version::V1,
        subject: Name::from_der(&names.to_der()?)?,
        public_key: SubjectPublicKeyInfoOwned::from_der(public_key)?,
        attributes: SetOfVec::default(),
    })
}

/// A block of PEM.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    // It refuses labels that are none, and what is too long for this machine.
    encode_string(label, LineEnding::LF, der).unwrap_or_default()
}

/// In one line of the standard alphabet.
pub(super) fn base64(der: &[u8]) -> String {
    pem("CERTIFICATE", der).lines().filter(|line| !line.starts_with('-')).collect()
}
