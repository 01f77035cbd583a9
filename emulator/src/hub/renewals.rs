//! Renewal of certificates: what of a hub's devices and its namespace comes together in it.

use chrono::{DateTime, TimeDelta, Utc};
use tracker_protocol::hub::{CredentialErrorInfo, IssueAccepted, IssueRequest, Issued};

use super::{
    Hub,
    renewal::{CredentialRefusal, Renewal, ask},
};
use crate::{
    events::EventKind,
    faults::{FaultKind, Place},
    issuance::{CertificateRequest, CsrError, IssuanceError, decode},
};

/// The second answer to a request.
pub(super) struct SecondAnswer {
    pub request_id: String,
    pub outcome: Result<Issued, CredentialRefusal>,
}

impl Hub {
    /// Takes a request of a device; when it is to be looked after.
    pub(super) fn ask_for_certificate(
        &self,
        device_id: &str,
        request_id: &str,
        asked: IssueRequest,
    ) -> Result<(IssueAccepted, Option<DateTime<Utc>>), CredentialRefusal> {
        let place = Place { hub: Some(&self.0.name), device: device_id };
        let refused = |kind: &FaultKind| match kind {
            FaultKind::IssueRefused { code } if !comes_later(*code) => Some(*code),
            _ => None,
        };
        if let Some(code) = self.0.faults.take(place, refused) {
            return Err(CredentialRefusal::new(code, "a fault was asked for"));
        }
        // What can't even be decoded is not taken.
        decode(&asked.csr).map_err(|error| CredentialRefusal::new(400_004, error.to_string()))?;
        let now = self.0.clock.now();
        let mut registry = self.0.registry.change();
        let entry = registry
            .find(device_id)
            .ok_or_else(|| CredentialRefusal::new(404_001, "the device is not known any more"))?;
        let policy = entry.identity.policy.as_deref();
        if policy.is_none_or(|policy| self.0.namespace.policy(policy).is_err()) {
            return Err(CredentialRefusal::new(412_005, no_policy(policy)));
        }
        let delay = self.delay(place);
        let accepted = ask(&mut entry.renewal, request_id, asked, now, delay, self.0.older_numbers)?;
        Ok((accepted, entry.renewal.as_ref().and_then(Renewal::wakes)))
    }

    /// How long issuing takes; `None` if nothing comes of it.
    fn delay(&self, place: Place<'_>) -> Option<TimeDelta> {
        if self.0.faults.strikes(place, &FaultKind::IssueLost) {
            return None;
        }
        let slow = |kind: &FaultKind| match kind {
            FaultKind::IssueSlow { delay } => Some(*delay),
            _ => None,
        };
        let delay = self.0.issuing_time + self.0.faults.take(place, slow).unwrap_or_default();
        Some(TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX / 2))
    }

    /// The second answer to the request of a device that is subscribed, if it is there; it counts as given.
    pub(super) fn second_answer(&self, device_id: &str) -> Option<SecondAnswer> {
        let now = self.0.clock.now();
        let (renewal, policy) = {
            let mut registry = self.0.registry.lock();
            let entry = registry.find(device_id)?;
            let renewal = entry.renewal.clone().filter(|renewal| renewal.is_due(now))?;
            (renewal, entry.identity.policy.clone())
        };
        // Signatures take their time; other devices are served meanwhile.
        let outcome = match renewal.certificates() {
            Some(certificates) => Ok(certificates.clone()),
            None => self.issue(device_id, policy.as_deref(), &renewal.csr).map_err(|refusal| {
                let own = refusal.info.unwrap_or_default();
                let info = CredentialErrorInfo {
                    credential_error: own.credential_error,
                    credential_message: own.credential_message,
                    ..renewal.info()
                };
                CredentialRefusal { info: Some(Box::new(info)), ..refusal }
            }),
        };
        let mut registry = self.0.registry.change();
        let same = |known: &&mut Renewal| known.correlation_id == renewal.correlation_id;
        let entry = registry.find(device_id)?;
        entry.renewal.as_mut().filter(same)?.deliver(outcome.as_ref().ok().cloned());
        let outcome = outcome
            .map(|certificates| Issued { correlation_id: renewal.correlation_id.clone(), certificates });
        Some(SecondAnswer { request_id: renewal.request_id, outcome })
    }

    fn issue(
        &self,
        device_id: &str,
        policy: Option<&str>,
        csr: &str,
    ) -> Result<Vec<String>, CredentialRefusal> {
        let place = Place { hub: Some(&self.0.name), device: device_id };
        let refused = |kind: &FaultKind| match kind {
            FaultKind::IssueRefused { code } if comes_later(*code) => Some(*code),
            _ => None,
        };
        if let Some(code) = self.0.faults.take(place, refused) {
            return Err(CredentialRefusal::new(code, "a fault was asked for"));
        }
        let policy = policy.ok_or_else(|| CredentialRefusal::new(412_005, no_policy(None)))?;
        let request = decode(csr).and_then(|der| CertificateRequest::read(&der));
        let checked = request.and_then(|request| {
            self.0.namespace.check(&request, device_id)?;
            Ok(request)
        });
        let request = checked.map_err(|error| self.bad_request(&error))?;
        let issued = self.0.namespace.issue(policy, &request, device_id);
        let certificates = issued.map_err(|error| match error {
            IssuanceError::PolicyNotFound(policy) => {
                CredentialRefusal::new(412_005, no_policy(Some(&policy)))
            }
            other => CredentialRefusal::new(500_001, other.to_string()),
        })?;
        self.0.events.tell(EventKind::CertificateIssued {
            service: self.0.name.clone(),
            device_id: device_id.to_owned(),
            policy: policy.to_owned(),
        });
        Ok(certificates)
    }

    /// The words behind `credentialError` are our own, but for the first.
    fn bad_request(&self, error: &CsrError) -> CredentialRefusal {
        let word = match error {
            CsrError::Signature => "InvalidCsrSignature",
            CsrError::CommonName { .. } => "CsrSubjectMismatch",
            CsrError::Key { .. } | CsrError::Unsupported(_) => "UnsupportedCsrKey",
            _ => "FailedToDecodeCsr",
        };
        let (code, word) = if self.0.older_numbers { (400_037, "400000") } else { (400_040, word) };
        CredentialRefusal {
            info: Some(Box::new(CredentialErrorInfo {
                credential_error: Some(word.to_owned()),
                credential_message: Some(error.to_string()),
                ..CredentialErrorInfo::default()
            })),
            ..CredentialRefusal::new(code, "the certificate could not be issued: verification of csr failed")
        }
    }
}

/// Whether this refusal comes after the request was taken.
fn comes_later(code: u32) -> bool {
    matches!(code, 400_037 | 400_040)
}

fn no_policy(policy: Option<&str>) -> String {
    match policy {
        None => {
            "this device was not given its certificate by DPS: its identity has no certificate policy".into()
        }
        Some(policy) => format!("the certificate policy \"{policy}\" of this device is not there any more"),
    }
}
