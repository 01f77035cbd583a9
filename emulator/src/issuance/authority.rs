//! One CA of a namespace with its key: the root, or an issuing CA below it.

use std::{fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384, SerialNumber};
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};

use super::csr::CertificateRequest;
use crate::{
    pki::{PkiError, Validity, ca_params, leaf_params},
    security::x509::Certificate,
};

/// A CA with its key.
pub(super) struct Authority {
    common_name: String,
    issuer: Issuer<'static, KeyPair>,
    pub certificate: Arc<Certificate>,
}

/// The same as it is kept over a restart.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeptAuthority {
    common_name: String,
    /// Base64 of DER.
    certificate: String,
    /// PKCS#8 in PEM.
    key: String,
}

/// The key stays out of logs.
impl fmt::Debug for KeptAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeptAuthority").field("common_name", &self.common_name).finish_non_exhaustive()
    }
}

impl Authority {
    /// A root without `above`, else an authority that `above` has signed.
    pub(super) fn generate(common_name: &str, above: Option<&Self>) -> Result<Self, PkiError> {
        let failed = |source| PkiError::Make { name: common_name.to_owned(), source };
        let mut params = ca_params(common_name, Validity::always())?;
        let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).map_err(failed)?;
        let certificate = match above {
            None => params.self_signed(&key),
            Some(above) => {
                params.use_authority_key_identifier_extension = true;
                params.signed_by(&key, &above.issuer)
            }
        };
        let certificate = certificate.map_err(failed)?;
        let certificate = Certificate::from_der(certificate.der().clone())
            .map_err(|_| failed(rcgen::Error::CouldNotParseCertificate))?;
        Ok(Self {
            common_name: common_name.to_owned(),
            issuer: Issuer::new(params, key),
            certificate: Arc::new(certificate),
        })
    }

    /// `None` if it is not what [`Self::keep`] gave.
    pub(super) fn restore(kept: &KeptAuthority) -> Option<Self> {
        let der = STANDARD.decode(&kept.certificate).ok()?;
        let certificate = Certificate::from_der(CertificateDer::from(der)).ok()?;
        let key = KeyPair::from_pem(&kept.key).ok()?;
        let params = ca_params(&kept.common_name, Validity::always()).ok()?;
        if certificate.common_name.as_deref() != Some(&kept.common_name) {
            return None;
        }
        Some(Self {
            common_name: kept.common_name.clone(),
            issuer: Issuer::new(params, key),
            certificate: Arc::new(certificate),
        })
    }

    pub(super) fn keep(&self) -> KeptAuthority {
        KeptAuthority {
            common_name: self.common_name.clone(),
            certificate: self.certificate.base64(),
            key: self.issuer.key().serialize_pem(),
        }
    }

    /// A leaf for the key of a request, which was checked: for clients, valid from this second on.
    pub(super) fn issue(
        &self,
        common_name: &str,
        request: &CertificateRequest,
        now: DateTime<Utc>,
        validity: Duration,
    ) -> Result<String, PkiError> {
        let validity = Validity { not_before: now, not_after: now + validity };
        let mut params: CertificateParams = leaf_params(common_name, validity)?;
        params.use_authority_key_identifier_extension = true;
        // The one that would be made of the key is the same for the next certificate of that key.
        let mut serial: [u8; 16] = rand::random();
        serial[0] = serial[0] & 0x7f | 0x40;
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let leaf = params
            .signed_by(request, &self.issuer)
            .map_err(|source| PkiError::Make { name: common_name.to_owned(), source })?;
        Ok(STANDARD.encode(leaf.der()))
    }
}
