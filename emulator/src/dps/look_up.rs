//! Requests of devices whose every call brings its own credentials, as over HTTPS: these are judged each time.

use tokio::time::Instant;

use super::{
    Dps,
    applicant::{Answer, Applicant, Moment},
    attest::Credentials,
    refused::Refused,
    request::check_poll,
};

impl Applicant {
    /// Tells how a registration stands, to the device itself and nobody else.
    pub(crate) fn poll_anew(&self, dps: &Dps, operation_id: &str, body: &[u8], moment: Moment) -> Answer {
        match self.attested(dps) {
            Ok(()) => self.poll(dps, operation_id, body, moment),
            Err(refused) => self.ended(dps, Err(refused)),
        }
    }

    /// Tells what DPS has on record of the device, and changes nothing.
    pub(crate) fn look_up(&self, dps: &Dps, body: &[u8], moment: Moment) -> Answer {
        self.ended(dps, self.try_look_up(dps, body, moment))
    }

    fn try_look_up(&self, dps: &Dps, body: &[u8], moment: Moment) -> Result<Answer, Refused> {
        self.injected_error(dps, moment)?;
        check_poll(body, &self.api_version)?;
        self.attested(dps)?;
        let record = dps.registration(&self.registration_id);
        let record = record.map_err(|_| Refused::no_registration(&self.registration_id))?;
        Ok(Answer::new(200, None, &record))
    }

    fn attested(&self, dps: &Dps) -> Result<(), Refused> {
        let (token, chain) = self.shown(dps)?;
        let credentials = token.as_ref().map_or(Credentials::Chain(chain), Credentials::Token);
        let challenge = dps.0.challenges.get(&self.registration_id, Instant::now());
        dps.attest(&self.registration_id, credentials, challenge.as_ref())
            .map_err(|refusal| Refused::not_attested(&refusal, token.is_some()))
    }
}
