//! The answer to a TPM that has not proved itself yet: the key to do it with.

use serde_json::json;
use tokio::time::Instant;

use super::{
    Dps,
    applicant::{Answer, Applicant},
    attest::NotAttested,
    model::ProvisioningStatus,
    refused::Refused,
    tpm::{Challenge, TpmKeys},
};
use crate::{clock::wire_time, id::guid};

impl Applicant {
    /// Gives the TPM a key to sign a token with; nothing where the enrollment bars the device whatever it proves.
    pub(super) fn challenge(
        &self,
        dps: &Dps,
        keys: &TpmKeys,
        now: Instant,
    ) -> Result<Option<Answer>, Refused> {
        if !self.may_be_challenged {
            return Err(Refused::bad_request(
                "a TPM registers over HTTPS alone here: PUT /{idScope}/registrations/{registrationId}/register",
            ));
        }
        {
            let store = dps.0.store.lock();
            let enrollment = store.individuals.find(&self.registration_id);
            let terms = &enrollment.ok_or_else(|| Refused::no_enrollment(&self.registration_id))?.terms;
            if terms.provisioning_status == ProvisioningStatus::Disabled {
                return Ok(None);
            }
            if !keys.are_of(&terms.attestation) {
                let refusal = NotAttested::OtherTpm { enrollment: self.registration_id.clone() };
                return Err(Refused::not_attested(&refusal, true));
            }
        }
        let (challenge, wrapped) = Challenge::new(keys, now);
        dps.0.challenges.put(&self.registration_id, challenge);
        let body = json!({
            "errorCode": 401_002,
            "trackingId": guid(),
            "message": "Authorization required.",
            "timestampUtc": wire_time::print(dps.0.clock.now()),
            "authenticationKey": wrapped,
            "keyName": "registration",
        });
        Ok(Some(Answer { status: 401, retry_after: None, body: body.to_string(), error: None }))
    }
}
