//! A container with a TPM in place of a certificate: it proves its key to DPS over HTTPS, and signs with another one for the hub.

use std::time::Duration;

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use serde_json::{Value, json};
use tracker_emulator::soft_tpm::SoftTpm;
use tracker_emulator::{AttestationMechanism, IndividualEnrollment, InitialTwin};

use super::stage::{HUB, Stage};
use crate::lab::caller::Caller;
use crate::lab::scenario::story::Story;
use crate::platform::clock::system_time;

const ID: &str = "sensor-tpm-001";
/// Where it stands: at none of the places of the others.
const PLACE: &str = "gate";
const READING: &str = "a reading of the TPM";
/// For a token.
const MINUTES: i64 = 10;
const POLL: Duration = Duration::from_millis(100);
const MOST_POLLS: usize = 600;

/// It is enrolled, registers, and sends a reading. From then on the hub has one device more.
pub(super) async fn join(story: &mut Story, stage: &mut Stage) -> anyhow::Result<()> {
    let step = story.step(
        "A container with a TPM comes: its endorsement key is enrolled, and it registers over HTTPS",
        &format!(
            "DPS refuses another TPM, and this one until it has signed; {HUB} takes a reading by a token that the TPM signs, \
             and none by the key that was for DPS"
        ),
    );
    // Its keys take a moment to be made.
    let tpm = tokio::task::spawn_blocking(SoftTpm::generate).await.context("cut off")?;
    let attestation = AttestationMechanism::tpm(STANDARD.encode(tpm.endorsement_key()));
    let mut enrollment = IndividualEnrollment::new(ID, attestation);
    enrollment.terms.iot_hubs = vec![HUB.into()];
    enrollment.terms.initial_twin =
        Some(InitialTwin::new(json!({"environment": "scenario", "place": PLACE}), json!({})));
    stage.emulator.dps().individuals().create(enrollment)?;
    let hub = stage.emulator.hub(HUB).context("the hub is gone")?;
    let mut telemetry = hub.telemetry();
    let device =
        Device { caller: Caller::nobody(&stage.emulator)?, scope: stage.emulator.id_scope().into(), tpm };
    let seen = tokio::task::spawn_blocking(move || device.play()).await.context("cut off")??;
    let mut received = 0;
    while let Ok(Some(message)) = telemetry.try_next() {
        received += usize::from(message.device_id == ID && message.message_id() == Some(READING));
    }
    stage.others += 1;
    let is_good = seen.other == 401 && seen.asked == 401 && seen.hub == HUB && seen.sent == 204;
    step.saw(
        is_good && seen.by_other_key == 401 && received == 1,
        &format!(
            "the other TPM: {}; asked with {}, then assigned to {}; {received} readings received ({}), by the other key: {}",
            seen.other, seen.asked, seen.hub, seen.sent, seen.by_other_key
        ),
    );
    Ok(())
}

struct Device {
    caller: Caller,
    scope: String,
    tpm: SoftTpm,
}

/// What the device was answered: statuses, and the hub it was assigned to.
struct Seen {
    other: u16,
    asked: u16,
    hub: String,
    sent: u16,
    by_other_key: u16,
}

impl Device {
    fn play(&self) -> anyhow::Result<Seen> {
        let (other, _) = self.register(&SoftTpm::public_alone(), None)?;
        let (asked, question) = self.register(&self.tpm, None)?;
        let for_dps = self.take_in(&question)?;
        let place = format!("{}/registrations/{ID}", self.scope);
        let proof = token(&for_dps, &place, "&skn=registration");
        let (status, begun) = self.register(&self.tpm, Some(&proof))?;
        ensure!(status == 202, "DPS has answered a TPM that has proved itself with {status}: {begun}");
        let state = self.assigned(&begun, &proof)?;
        let for_hub = self.take_in(&state["tpm"])?;
        let hub = state["assignedHub"].as_str().unwrap_or_default().to_owned();
        let place = format!("{hub}/devices/{ID}");
        let (by_other_key, _) = self.send(&token(&for_dps, &place, ""))?;
        let (sent, _) = self.send(&token(&for_hub, &place, ""))?;
        Ok(Seen { other, asked, hub, sent, by_other_key })
    }

    fn register(&self, tpm: &SoftTpm, proof: Option<&str>) -> anyhow::Result<(u16, Value)> {
        let body = json!({"registrationId": ID, "tpm": {
            "endorsementKey": STANDARD.encode(tpm.endorsement_key()),
            "storageRootKey": STANDARD.encode(tpm.storage_root_key()),
        }});
        self.caller.answer("PUT", &format!("/{}/registrations/{ID}/register", self.scope), proof, &body)
    }

    /// Waits until DPS has decided.
    fn assigned(&self, begun: &Value, proof: &str) -> anyhow::Result<Value> {
        let operation = begun["operationId"].as_str().context("DPS has begun nothing")?;
        let path = format!("/{}/registrations/{ID}/operations/{operation}", self.scope);
        for _ in 0..MOST_POLLS {
            let (status, mut answer) = self.caller.answer("GET", &path, Some(proof), &Value::Null)?;
            match status {
                202 => std::thread::sleep(POLL),
                200 if answer["status"] == "assigned" => return Ok(answer["registrationState"].take()),
                _ => bail!("DPS has not assigned {ID}: {status}, {answer}"),
            }
        }
        bail!("DPS does not come to an end with {ID}")
    }

    /// The TPM takes a key in. A real one would keep it.
    fn take_in(&self, told: &Value) -> anyhow::Result<hmac::Key> {
        let wrapped = told["authenticationKey"].as_str().context("DPS gave the TPM no key")?;
        let wrapped = STANDARD.decode(wrapped).context("the key for the TPM is not base64")?;
        Ok(hmac::Key::new(hmac::HMAC_SHA256, &self.tpm.activate(&wrapped)?))
    }

    fn send(&self, token: &str) -> anyhow::Result<(u16, Value)> {
        let path = format!("/devices/{ID}/messages/events");
        let headers = [("iothub-messageid", READING)];
        self.caller.answer_with("POST", &path, Some(token), &headers, &json!({"temperature": 4.5}))
    }
}

/// A token for a place, signed by the TPM.
fn token(key: &hmac::Key, place: &str, policy: &str) -> String {
    let (place, until) = (escaped(place), system_time().timestamp() + MINUTES * 60);
    let signature = STANDARD.encode(hmac::sign(key, format!("{place}\n{until}").as_bytes()));
    format!("SharedAccessSignature sr={place}&sig={}&se={until}{policy}", escaped(&signature))
}

fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
