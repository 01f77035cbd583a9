//! Asks DPS over HTTPS, as a TPM must: it is given a key that it alone can take in, and signs with that.
//!
//! The requests and the waits between them are those of MQTT; only what carries them is another.

use std::sync::Arc;

use base64ct::{Base64, Encoding};
use rand::random;
use serde_json::{Map, Value, json};
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};
use tracker_protocol::dps::{API_VERSION, Event, Outcome, Registration, Request, Response, Step};

use crate::config::Config;
use crate::identity::{Audience, Identity, PublicKeys, Tpm, TpmError, escaped};
use crate::link::LinkError;
use crate::link::dialer::Dialer;
use crate::link::https::{self, Server};
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::platform::clock::Clock;
use crate::platform::heartbeat::Heartbeat;
use crate::uplink::provisioner::token_end;

/// How often an answer may take as long as one is given before the attempt is given up.
const PATIENCE: u32 = 3;

/// How DPS is asked.
pub struct ByTpm<'a> {
    /// Where.
    pub config: &'a Config,
    /// As whom.
    pub identity: &'a Identity,
    /// The TPM of this identity.
    pub tpm: Arc<Tpm>,
    /// Checks the server.
    pub tls: Tls,
    /// How long it waits for what.
    pub timing: &'a Timing,
    /// Says until when tokens are good.
    pub clock: &'a dyn Clock,
    /// Beats with every step.
    pub heart: &'a Heartbeat,
}

/// Why it did not go on: the network, or the TPM.
enum Stop {
    Link(LinkError),
    Tpm(String),
}

impl From<LinkError> for Stop {
    fn from(error: LinkError) -> Self {
        Self::Link(error)
    }
}

impl ByTpm<'_> {
    /// Registers, and takes in the key for the assigned hub.
    pub async fn register(&self, dialer: &mut Dialer) -> Result<Outcome, LinkError> {
        match self.try_register(dialer).await {
            Ok(outcome) => Ok(outcome),
            Err(Stop::Link(error)) => Err(error),
            Err(Stop::Tpm(why)) => Ok(Outcome::TryLater { retry_after: None, why }),
        }
    }

    async fn try_register(&self, dialer: &mut Dialer) -> Result<Outcome, Stop> {
        let keys = self.at_tpm(Tpm::public_keys).await?;
        let answer_within = self.timing.dps_answer_within;
        let id = self.identity.registration_id.clone();
        let mut registration = Registration::new(id, None).answer_within(answer_within);
        let start = Instant::now();
        let mut is_known = false;
        let mut hub_key = None;
        let mut step = registration.handle(start.elapsed(), random(), Event::Subscribed);
        loop {
            self.heart.beat().await;
            let publish = match step {
                Step::Done(outcome) => return self.ended(outcome, hub_key).await,
                Step::Wait(until) => {
                    self.heart.during(sleep(until.saturating_sub(start.elapsed()))).await;
                    step = registration.handle(start.elapsed(), random(), Event::Tick);
                    continue;
                }
                Step::Publish(publish, _) => publish,
            };
            let request: Request = publish.topic.parse().map_err(|error| Stop::Tpm(format!("{error}")))?;
            let mut answer = self.ask(dialer, &request, &publish.payload, &keys, is_known).await?;
            if let (401, false, Some(challenge)) = (answer.status, is_known, key(&answer.body)) {
                self.take(Audience::Dps, challenge).await?;
                is_known = true;
                answer = self.ask(dialer, &request, &publish.payload, &keys, is_known).await?;
            }
            hub_key = key_for_hub(&answer.body).or(hub_key);
            let (Request::Register { request_id } | Request::Poll { request_id, .. }) = request;
            let topic =
                Response { status: answer.status, request_id, retry_after: answer.retry_after }.to_string();
            let event = Event::Message { topic: &topic, payload: &answer.body };
            step = registration.handle(start.elapsed(), random(), event);
        }
    }

    /// One request, with a token once there is a key to sign it.
    async fn ask(
        &self,
        dialer: &mut Dialer,
        request: &Request,
        body: &[u8],
        keys: &PublicKeys,
        is_known: bool,
    ) -> Result<https::Response, Stop> {
        let Config { dps, connection, .. } = self.config;
        let (scope, id) = (escaped(&dps.id_scope), escaped(self.identity.registration_id.as_str()));
        let base = format!("/{scope}/registrations/{id}");
        let (method, target, body) = match request {
            Request::Register { .. } => {
                ("PUT", format!("{base}/register?api-version={API_VERSION}"), with_keys(body, keys))
            }
            Request::Poll { operation_id, .. } => {
                let operation_id = escaped(operation_id);
                ("GET", format!("{base}/operations/{operation_id}?api-version={API_VERSION}"), Vec::new())
            }
        };
        let password = if is_known {
            let until = token_end(self.clock.certificate_time(), self.timing);
            let (identity, scope) = (self.identity.clone(), dps.id_scope.clone());
            blocking(move || identity.password_at_dps(&scope, until)).await.map_err(Stop::Tpm)?
        } else {
            None
        };
        let server = Server {
            endpoint: connection.https_endpoint(dps),
            proxy: connection.proxy.clone(),
            tls: self.tls.clone(),
            timing: self.timing.clone(),
            answer_within: self.timing.dps_answer_within * PATIENCE,
        };
        let request =
            https::Request { method, target: &target, authorization: password.as_ref(), body: &body };
        Ok(self.heart.during(server.call(dialer, &request)).await?)
    }

    /// An assignment is none without a key for the hub.
    async fn ended(&self, outcome: Outcome, hub_key: Option<Vec<u8>>) -> Result<Outcome, Stop> {
        if let Outcome::Assigned(assigned) = &outcome {
            let hub = &assigned.hub;
            let none = || Stop::Tpm(format!("DPS has assigned {hub} and sent no key for the TPM with it"));
            self.take(Audience::Hub, hub_key.ok_or_else(none)?).await?;
        }
        Ok(outcome)
    }

    async fn take(&self, audience: Audience, blob: Vec<u8>) -> Result<(), Stop> {
        self.at_tpm(move |tpm| tpm.take(audience, &blob)).await
    }

    async fn at_tpm<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tpm) -> Result<T, TpmError> + Send + 'static,
    ) -> Result<T, Stop> {
        let tpm = self.tpm.clone();
        let worked = self.heart.during(blocking(move || work(&tpm).map_err(|error| error.to_string())));
        worked.await.map_err(Stop::Tpm)
    }
}

/// Does work that holds up its thread in another one.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    spawn_blocking(work).await.unwrap_or_else(|_| Err("the thread that speaks to the TPM has ended".into()))
}

/// The body of a registration, with the keys of the TPM.
fn with_keys(body: &[u8], keys: &PublicKeys) -> Vec<u8> {
    let mut members: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |key: &[u8]| Base64::encode_string(key);
    let tpm = json!({"endorsementKey": text(&keys.endorsement), "storageRootKey": text(&keys.storage_root)});
    members.insert("tpm".into(), tpm);
    Value::Object(members).to_string().into_bytes()
}

/// The key that DPS gives the TPM to prove itself with.
fn key(body: &[u8]) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Base64::decode_vec(body.get("authenticationKey")?.as_str()?).ok()
}

/// The key for the hub, in the answer that assigns.
fn key_for_hub(body: &[u8]) -> Option<Vec<u8>> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Base64::decode_vec(body.pointer("/registrationState/tpm/authenticationKey")?.as_str()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_key_is_none() {
        for body in ["", "[]", "{}", "{\"authenticationKey\": 1}", "{\"authenticationKey\": \"?\"}"] {
            assert_eq!((key(body.as_bytes()), key_for_hub(body.as_bytes())), (None, None), "{body}");
        }
        let keys = PublicKeys { endorsement: vec![1], storage_root: vec![2] };
        let body: Value = serde_json::from_slice(&with_keys(b"{\"registrationId\":\"d\"}", &keys)).unwrap();
        let expected =
            json!({"registrationId": "d", "tpm": {"endorsementKey": "AQ==", "storageRootKey": "Ag=="}});
        assert_eq!(body, expected);
    }
}
