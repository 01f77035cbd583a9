//! A certificate signing request of a device: read, and held against what the service issues certificates for.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_RSA_SHA256, PublicKeyData, SignatureAlgorithm,
};
use thiserror::Error;
use tracker_certificates::{Name, Request, RequestError, SignatureError};

use crate::session::shown;

/// Base64 of a request that the services take; Azure's number.
const MAX_BASE64: usize = 8 * 1024;

/// Why no certificate comes of a request. None repeats what was sent but the name.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum CsrError {
    #[error("csr is empty")]
    Empty,
    #[error("csr has {0} characters; the limit is {MAX_BASE64}")]
    TooLong(usize),
    #[error("csr is not base64 on one line: DER of PKCS#10 is wanted, without the lines of PEM")]
    Base64,
    #[error("csr cannot be decoded: {0}")]
    Unreadable(RequestError),
    #[error("csr is not signed with the key that it asks a certificate for, or was changed")]
    Signature,
    #[error("csr is of a kind that certificates are not issued for: {0}")]
    Unsupported(SignatureError),
    #[error("the common name in csr is {}, not \"{wanted}\"", Quoted(.found.as_deref()))]
    CommonName { found: Option<String>, wanted: String },
    #[error("certificates are not issued for keys of this kind ({found}): {wanted} is taken")]
    Key { found: &'static str, wanted: &'static str },
}

struct Quoted<'a>(Option<&'a str>);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(name) => write!(f, "\"{}\"", shown(name)),
            None => f.write_str("missing"),
        }
    }
}

/// The DER of a request as devices send it: base64 on one line.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, CsrError> {
    match text.len() {
        0 => Err(CsrError::Empty),
        length if length > MAX_BASE64 => Err(CsrError::TooLong(length)),
        _ => STANDARD.decode(text).map_err(|_| CsrError::Base64),
    }
}

/// A request whose key has signed it.
#[derive(Clone, Debug)]
pub(crate) struct CertificateRequest {
    common_name: Option<String>,
    kind: &'static str,
    key: Vec<u8>,
}

impl CertificateRequest {
    /// Reads a request and checks its signature.
    pub(crate) fn read(der: &[u8]) -> Result<Self, CsrError> {
        let request = Request::read(der).map_err(CsrError::Unreadable)?;
        request.verify().map_err(|why| match why {
            SignatureError::Wrong => CsrError::Signature,
            SignatureError::Unsupported(_) => CsrError::Unsupported(why),
        })?;
        let name = Name::read(request.subject).map_err(|_| CsrError::Unreadable(RequestError::Malformed))?;
        Ok(Self {
            common_name: name.common_name().map(Into::into),
            kind: request.kind(),
            key: request.key().to_vec(),
        })
    }

    /// Whether it is for this name, and for a key of a kind that certificates are issued for. RSA keys of less than 2048
    /// bits have no signature that counts. `p384_only`: as the documents of March 2026 have it.
    pub(crate) fn check(&self, common_name: &str, p384_only: bool) -> Result<(), CsrError> {
        if self.common_name.as_deref() != Some(common_name) {
            return Err(CsrError::CommonName {
                found: self.common_name.clone(),
                wanted: common_name.to_owned(),
            });
        }
        match (self.kind, p384_only) {
            ("P-384", _) | ("P-256" | "RSA", false) => Ok(()),
            (found, true) => Err(CsrError::Key { found, wanted: "EC P-384" }),
            (found, false) => {
                Err(CsrError::Key { found, wanted: "EC P-256, EC P-384, or RSA of 2048 bits and more" })
            }
        }
    }
}

/// The key, for the leaf that is to carry it.
impl PublicKeyData for CertificateRequest {
    fn der_bytes(&self) -> &[u8] {
        &self.key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        match self.kind {
            "P-384" => &PKCS_ECDSA_P384_SHA384,
            "RSA" => &PKCS_RSA_SHA256,
            _ => &PKCS_ECDSA_P256_SHA256,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::*;

    fn request(algorithm: &'static SignatureAlgorithm) -> Vec<u8> {
        let key = KeyPair::generate_for(algorithm).expect("a key");
        let mut params = CertificateParams::default();
        params.distinguished_name.remove(DnType::CommonName);
        params.distinguished_name.push(DnType::CommonName, "d1");
        params.serialize_request(&key).expect("a request").der().to_vec()
    }

    #[test]
    fn requests_are_for_their_own_name_and_for_the_usual_keys() {
        let read = |algorithm| CertificateRequest::read(&request(algorithm)).expect("a good request");
        let (small, large) = (read(&PKCS_ECDSA_P256_SHA256), read(&PKCS_ECDSA_P384_SHA384));
        assert_eq!((small.check("d1", false), large.check("d1", true)), (Ok(()), Ok(())));
        let wrong = small.check("D1", false).expect_err("case counts").to_string();
        assert_eq!(wrong, "the common name in csr is \"d1\", not \"D1\"");
        let wrong = small.check("d1", true).expect_err("P-384 alone").to_string();
        assert!(wrong.contains("(P-256): EC P-384 is taken"), "{wrong}");
        assert!(read(&rcgen::PKCS_ED25519).check("d1", false).is_err());
        assert_eq!(
            Request::read(&[request(&PKCS_ECDSA_P256_SHA256), vec![0]].concat()).err(),
            Some(RequestError::Trailing(1))
        );
    }

    proptest! {
        #[test]
        fn a_request_of_which_a_byte_was_changed_is_none(at in any::<prop::sample::Index>(), other in 1_u8..) {
            let mut der = request(&PKCS_ECDSA_P256_SHA256);
            let at = at.index(der.len());
            der[at] ^= other;
            prop_assert!(CertificateRequest::read(&der).is_err(), "byte {at}");
        }

        #[test]
        fn whatever_is_sent_is_answered(text in "[A-Za-z0-9+/=]{0,200}", bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&text).map(|der| CertificateRequest::read(&der));
            prop_assert!(CertificateRequest::read(&bytes).is_err());
        }
    }
}
