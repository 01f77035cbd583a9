//! Whether a chain that came is the answer to a request: the key, the name, the time, and that each certificate has issued the
//! one before it. What is not is never stored.

use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};
use rustls::pki_types::CertificateDer;
use tracker_certificates::{NotIssued, SignatureError};

use super::error::{BYTES, CERTIFICATES, OperationalError};
use super::key::hex;
use crate::identity::chain::Chain;

/// Clocks of this device and of the service need not agree to the second.
const AHEAD: TimeDelta = TimeDelta::minutes(5);

/// The chain, leaf first, if it answers the request of this key (in hexadecimal) and name. Without the time its validity is not judged.
pub(super) fn check(
    chain: &[Vec<u8>],
    public_key: &str,
    name: &str,
    now: Option<DateTime<Utc>>,
) -> Result<Chain, OperationalError> {
    let (count, bytes) = (chain.len(), chain.iter().map(Vec::len).sum());
    if chain.is_empty() {
        return Err(OperationalError::Empty);
    }
    if count > CERTIFICATES || bytes > BYTES {
        return Err(OperationalError::TooLarge { count, bytes });
    }
    let der = chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
    let chain = Chain::of_der(Path::new("the answer"), der).map_err(OperationalError::Damaged)?;
    let leaf = chain.leaf();
    if hex(&leaf.public_key) != public_key {
        return Err(OperationalError::OtherKey { subject: leaf.subject.clone() });
    }
    if leaf.common_name.as_deref() != Some(name) {
        let found = leaf.common_name.clone().unwrap_or_default();
        return Err(OperationalError::OtherName { found, wanted: name.into() });
    }
    if let Some(now) = now {
        let (not_before, not_after) = (leaf.not_before, leaf.not_after);
        if now > not_after {
            return Err(OperationalError::Expired { not_after, now });
        }
        if now + AHEAD < not_before {
            return Err(OperationalError::NotYet { not_before, now });
        }
    }
    match chain.check_signatures() {
        // An algorithm that is not known here may be known to the hub.
        Ok(()) | Err((_, NotIssued::Signature(SignatureError::Unsupported(_)))) => Ok(chain),
        Err((position, why)) => Err(OperationalError::NotIssued { position, why }),
    }
}
