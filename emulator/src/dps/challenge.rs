//! A TPM that has not proved itself yet: whether it is asked to, and the key to do it with.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::time::Instant;

use super::{
    Dps,
    applicant::{Answer, Applicant, TpmProof},
    attest::NotAttested,
    model::ProvisioningStatus,
    refused::Refused,
    tpm::{Challenge, TpmKeys},
};
use crate::{clock::wire_time, id::guid};

/// What there is for a TPM with the right keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enrolled {
    ToBeAsked,
    /// It is barred whatever it proves.
    Barred,
}

impl Dps {
    /// Whether a TPM with these keys is to be asked for a proof.
    pub(super) fn enrolled(&self, registration_id: &str, keys: &TpmKeys) -> Result<Enrolled, Refused> {
        let store = self.0.store.lock();
        let enrollment = store.individuals.find(registration_id);
        let terms = &enrollment.ok_or_else(|| Refused::no_enrollment(registration_id))?.terms;
        if terms.provisioning_status == ProvisioningStatus::Disabled {
            return Ok(Enrolled::Barred);
        }
        if !keys.are_of(&terms.attestation) {
            let refusal = NotAttested::OtherTpm { enrollment: registration_id.to_owned() };
            return Err(Refused::not_attested(&refusal, true));
        }
        Ok(Enrolled::ToBeAsked)
    }
}

impl Applicant {
    /// Gives the TPM a key to sign a token with; nothing where the enrollment bars the device whatever it proves.
    pub(super) fn challenge(
        &self,
        dps: &Dps,
        keys: &TpmKeys,
        now: Instant,
    ) -> Result<Option<Answer>, Refused> {
        if !matches!(self.tpm, TpmProof::Answer) {
            return Err(Refused::bad_request(
                "a TPM registers over HTTPS (PUT /{idScope}/registrations/{registrationId}/register), or over AMQP by signing in \
                 with the SASL mechanism TPM",
            ));
        }
        if dps.enrolled(&self.registration_id, keys)? == Enrolled::Barred {
            return Ok(None);
        }
        let (challenge, wrapped) = Challenge::new(keys, now);
        dps.0.challenges.put(&self.registration_id, challenge);
        let body = json!({
            "errorCode": 401_002,
            "trackingId": guid(),
            "message": "Authorization required.",
            "timestampUtc": wire_time::print(dps.0.clock.now()),
            "authenticationKey": STANDARD.encode(wrapped),
            "keyName": "registration",
        });
        Ok(Some(Answer { status: 401, retry_after: None, body: body.to_string(), error: None }))
    }
}
