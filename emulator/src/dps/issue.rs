//! What of a registration is a certificate: asked for, allowed, issued.

use std::time::Duration;

use thiserror::Error;

use super::{Dps, attest::AcceptedBy};
use crate::{
    faults::{FaultKind, Place},
    issuance::{CertificateRequest, CsrError, decode},
};

/// Where the faults of a device strike at DPS.
pub(super) fn place(registration_id: &str) -> Place<'_> {
    Place { hub: None, device: registration_id }
}

/// A certificate to issue when the device is placed.
pub(super) struct Issue {
    pub policy: String,
    pub request: CertificateRequest,
    /// By a fault, the device is told later.
    pub delay: Duration,
    /// By a fault, the device is not given it.
    pub is_lost: bool,
}

/// Why no certificate is issued.
#[derive(Debug, Error)]
pub(super) enum NotIssued {
    #[error("{0}")]
    Request(#[from] CsrError),
    #[error("the enrollment names the certificate policy \"{0}\", which is not there any more")]
    Policy(String),
    #[error("a fault was asked for")]
    Fault(u32),
}

impl Dps {
    /// What is to be issued for a registration that `accepted_by` takes; nothing where that has no policy.
    pub(super) fn judge_request(
        &self,
        registration_id: &str,
        accepted_by: &AcceptedBy,
        csr: Option<&str>,
    ) -> Result<Option<Issue>, NotIssued> {
        let Some((policy, csr)) = accepted_by.terms().certificate_policy_name.clone().zip(csr) else {
            return Ok(None);
        };
        let faults = &self.0.faults;
        let here = place(registration_id);
        let refused = |kind: &FaultKind| match kind {
            FaultKind::IssueRefused { code } => Some(*code),
            _ => None,
        };
        if let Some(code) = faults.take(here, refused) {
            return Err(NotIssued::Fault(code));
        }
        let request = CertificateRequest::read(&decode(csr)?)?;
        self.0.namespace.check(&request, registration_id)?;
        if self.0.namespace.policy(&policy).is_err() {
            return Err(NotIssued::Policy(policy));
        }
        let slow = |kind: &FaultKind| match kind {
            FaultKind::IssueSlow { delay } => Some(*delay),
            _ => None,
        };
        Ok(Some(Issue {
            policy,
            request,
            delay: faults.take(here, slow).unwrap_or_default(),
            is_lost: faults.strikes(here, &FaultKind::IssueLost),
        }))
    }
}
