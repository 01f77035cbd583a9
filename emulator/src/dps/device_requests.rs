//! What devices ask of DPS, by whatever transport they came, and the answers as JSON.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tracker_protocol::dps::{RegistrationOperation, RegistrationStatus, ServiceError};

use super::{
    Dps,
    applicant::{Answer, Applicant, Moment},
    attest::Credentials,
    issue::place,
    refused::Refused,
    registration::Registered,
    request::{check_poll, check_request, check_token, may_ask_for_certificates},
};
use crate::{
    clock::wire_time,
    events::EventKind,
    faults::FaultKind,
    id::guid,
    security::{sas::SasToken, x509::Certificate},
    session::PeerCertificates,
};

impl Answer {
    pub(super) fn new(status: u16, retry_after: Option<Duration>, body: &impl Serialize) -> Self {
        // These types have no form that JSON lacks.
        let body = serde_json::to_value(body).unwrap_or_default().to_string();
        Self { status, retry_after, body, error: None }
    }
}

impl Dps {
    /// Tells the operator of a device that is refused.
    pub(super) fn tell_refused(&self, registration_id: &str, refused: &Refused) {
        self.0.events.tell(EventKind::RegistrationRefused {
            registration_id: registration_id.to_owned(),
            error_code: refused.error_code,
            reason: refused.reason.clone(),
        });
    }

    /// Whether an ID scope is that of this DPS; the error is for the operator.
    pub(crate) fn check_scope(&self, id_scope: &str) -> Result<(), String> {
        if id_scope == self.0.id_scope {
            return Ok(());
        }
        Err(format!("the ID scope is \"{}\", not \"{id_scope}\"", self.0.id_scope))
    }
}

impl Applicant {
    /// Registers, and gives the operation to ask for, or how it stands at once.
    pub(crate) fn register(&self, dps: &Dps, body: &[u8], moment: Moment) -> Answer {
        self.ended(dps, self.try_register(dps, body, moment))
    }

    /// Tells how a registration stands.
    pub(crate) fn poll(&self, dps: &Dps, operation_id: &str, body: &[u8], moment: Moment) -> Answer {
        let checked = check_poll(body, &self.api_version);
        self.ended(dps, checked.and_then(|()| self.try_poll(dps, operation_id, moment)))
    }

    fn try_register(&self, dps: &Dps, body: &[u8], moment: Moment) -> Result<Answer, Refused> {
        self.injected_error(dps, moment)?;
        let asked = check_request(body, &self.registration_id, &self.api_version)?;
        if let Some(keys) = asked.tpm.as_ref().filter(|_| self.token.is_none())
            && let Some(challenge) = self.challenge(dps, keys, moment.now)?
        {
            return Ok(challenge);
        }
        let (token, chain) = self.shown(dps)?;
        let credentials = token.as_ref().map_or(Credentials::Chain(chain), Credentials::Token);
        match dps.register(moment.now, self, credentials, &asked) {
            Registered::Operation(body) if dps.0.assign_at_once => {
                self.try_poll(dps, &body.operation_id, moment)
            }
            Registered::Operation(body) => Ok(Answer::new(202, Some(dps.0.retry_after), &body)),
            Registered::Disabled(body) => Ok(Answer::new(200, None, &body)),
            Registered::NotIssued(why) => Err(Refused::not_issued(&why)),
            Registered::Refused(refusal) => Err(Refused::not_attested(&refusal, token.is_some())),
        }
    }

    /// The token, or else the chain, by which the device is to be known.
    pub(super) fn shown(&self, dps: &Dps) -> Result<(Option<SasToken>, &[Arc<Certificate>]), Refused> {
        let chain = match (&self.token, &self.certificates) {
            (Some(_), _) | (None, PeerCertificates::None) => &[][..],
            (None, PeerCertificates::Chain(chain)) => chain,
            (None, PeerCertificates::Unreadable(why)) => {
                return Err(Refused::unauthorized(format!(
                    "the certificates presented cannot be read: {why}"
                )));
            }
        };
        let check = |text: &Vec<u8>| check_token(text, &dps.0.id_scope, &self.registration_id);
        Ok((self.token.as_ref().map(check).transpose()?, chain))
    }

    fn try_poll(&self, dps: &Dps, operation_id: &str, moment: Moment) -> Result<Answer, Refused> {
        self.injected_error(dps, moment)?;
        let never = dps.0.faults.strikes(place(&self.registration_id), &FaultKind::NeverAssign);
        let operation = dps
            .operation(moment.now, &self.registration_id, operation_id, never)
            .ok_or_else(|| Refused::no_operation(operation_id))?;
        Ok(if operation.status == RegistrationStatus::Assigning {
            Answer::new(202, Some(dps.0.retry_after), &operation)
        } else {
            self.final_answer(&operation)
        })
    }

    /// The versions that know the chain tell of it in the answer that assigns, null where there is none.
    fn final_answer(&self, operation: &RegistrationOperation) -> Answer {
        // This type has no form that JSON lacks.
        let mut body = serde_json::to_value(operation).unwrap_or_default();
        let is_told =
            operation.status == RegistrationStatus::Assigned && may_ask_for_certificates(&self.api_version);
        if let Some(state) = body["registrationState"].as_object_mut().filter(|_| is_told) {
            state.entry("issuedCertificateChain").or_insert(Value::Null);
        }
        Answer::new(200, None, &body)
    }

    pub(super) fn injected_error(&self, dps: &Dps, moment: Moment) -> Result<(), Refused> {
        if moment.is_throttled {
            return Err(Refused::throttled(dps.0.retry_after));
        }
        let injected = dps.0.faults.take(place(&self.registration_id), |kind| match kind {
            FaultKind::DpsError { status, retry_after } => Some((*status, *retry_after)),
            _ => None,
        });
        injected.map_or(Ok(()), |(status, retry_after)| Err(Refused::by_fault(status, retry_after)))
    }

    pub(super) fn ended(&self, dps: &Dps, answer: Result<Answer, Refused>) -> Answer {
        let mut answer = answer.unwrap_or_else(|refused| self.refuse(dps, refused));
        if dps.0.faults.strikes(place(&self.registration_id), &FaultKind::GarbageBody) {
            "<html>".clone_into(&mut answer.body);
        }
        answer
    }

    fn refuse(&self, dps: &Dps, refused: Refused) -> Answer {
        dps.tell_refused(&self.registration_id, &refused);
        let Refused { status, error_code, message, retry_after, .. } = refused;
        let error = ServiceError {
            error_code,
            tracking_id: guid(),
            message,
            info: None,
            timestamp_utc: wire_time::print(dps.0.clock.now()),
        };
        // This type has no form that JSON lacks.
        let body = serde_json::to_string(&error).unwrap_or_default();
        Answer { status, retry_after, body, error: Some(error) }
    }
}
