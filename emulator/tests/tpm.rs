//! Attestation by a TPM: the device's side in Rust, written against the specification alone.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tracker_emulator::{
    AttestationMechanism, Emulator, IfMatch, IndividualEnrollment, ProvisioningStatus, soft_tpm::SoftTpm,
};

use crate::common::{
    Lab,
    https::{Answer, Caller},
    service::{Service, sas},
    tpm::known_tpm,
};

const GLOBAL: &str = "global.azure-devices-provisioning.net";
const VERSION: &str = "api-version=2021-06-01";
const EXPIRY: i64 = 4_000_000_000;

struct Device {
    tpm: SoftTpm,
    caller: Caller,
    scope: String,
    id: String,
}

impl Device {
    fn new(lab: &Lab, id: &str, tpm: SoftTpm) -> Self {
        let caller = Caller::new(&lab.emulator, GLOBAL, None);
        Self { tpm, caller, scope: lab.emulator.id_scope().into(), id: id.into() }
    }

    async fn register(&self) -> Answer {
        let tpm = json!({
            "endorsementKey": STANDARD.encode(self.tpm.endorsement_key()),
            "storageRootKey": STANDARD.encode(self.tpm.storage_root_key()),
        });
        self.put(&json!({ "registrationId": self.id, "tpm": tpm })).await
    }

    async fn put(&self, body: &Value) -> Answer {
        let path = format!("/{}/registrations/{}/register?{VERSION}", self.scope, self.id);
        self.caller.call("PUT", &path, &[], body.to_string().as_bytes()).await
    }

    /// Takes the key in, and signs a token with it from now on.
    fn take(&mut self, challenge: &Answer) {
        let key = self.tpm.activate(&blob(&challenge.json())).expect("taken in");
        let resource = format!("{}/registrations/{}", self.scope, self.id);
        self.caller.token = Some(sas(&resource, &STANDARD.encode(key), EXPIRY, Some("registration")));
    }

    async fn ended(&self, begun: &Answer) -> Value {
        let id = begun.json()["operationId"].as_str().expect("an operation").to_owned();
        loop {
            let path = format!("/{}/registrations/{}/operations/{id}?{VERSION}", self.scope, self.id);
            let answer = self.caller.call("GET", &path, &[], b"{}").await;
            if answer.status != 202 {
                return answer.json();
            }
        }
    }
}

fn blob(body: &Value) -> Vec<u8> {
    STANDARD.decode(body["authenticationKey"].as_str().expect("a key")).expect("base64")
}

async fn lab() -> Lab {
    let emulator = Emulator::builder().dps_timing(Duration::from_secs(1), Duration::from_millis(20));
    Lab::with(emulator.start().await.expect("it starts"))
}

fn enroll(lab: &Lab, id: &str, tpm: &SoftTpm) {
    let attestation = AttestationMechanism::tpm(STANDARD.encode(tpm.endorsement_key()));
    let created = lab.emulator.dps().individuals().create(IndividualEnrollment::new(id, attestation));
    created.expect("enrolled");
}

#[tokio::test]
async fn a_tpm_proves_itself_and_is_given_the_key_for_its_hub() {
    let lab = lab().await;
    let tpm = known_tpm();
    enroll(&lab, "d1", &tpm);
    let mut device = Device::new(&lab, "d1", tpm);
    let challenge = device.register().await;
    assert_eq!((challenge.status, &challenge.json()["keyName"]), (401, &json!("registration")));
    device.take(&challenge);
    let begun = device.register().await;
    assert_eq!(begun.status, 202, "{begun:?}");
    let done = device.ended(&begun).await;
    assert_eq!(done["status"], "assigned", "{done}");
    let state = &done["registrationState"];
    let key = STANDARD.encode(device.tpm.activate(&blob(&state["tpm"])).expect("taken in"));

    // The hub knows the device by that key, and by none that it had for DPS.
    let hub = lab.emulator.hub(state["assignedHub"].as_str().expect("a hub")).expect("it is there");
    let resource = format!("{}/devices/d1", hub.name());
    let events = format!("/devices/d1/messages/events?{VERSION}");
    let at_hub = Caller::with_key(&lab.emulator, hub.name(), &resource, &key, None);
    assert_eq!(at_hub.post(&events, "{}").await.status, 204);
    let mut other = Caller::new(&lab.emulator, hub.name(), None);
    other.token.clone_from(&device.caller.token);
    assert_eq!(other.post(&events, "{}").await.status, 401);

    // Nothing of it is told again, neither to the device nor to services.
    let looked = device.caller.post(&format!("/{}/registrations/d1?{VERSION}", device.scope), "{}").await;
    assert_eq!((looked.status, &looked.json()["tpm"]), (200, &Value::Null));
    let service = Service::dps(&lab.emulator);
    let record = service.get(&format!("/registrations/d1?{VERSION}")).await;
    assert_eq!((record.status, &record.body["tpm"]), (200, &Value::Null), "{}", record.body);
}

#[tokio::test]
async fn who_is_not_the_enrolled_tpm_is_refused_as_azure_does() {
    let lab = lab().await;
    let tpm = known_tpm();
    enroll(&lab, "d1", &tpm);
    let mut device = Device::new(&lab, "d1", tpm);
    let code = |answer: &Answer| (answer.status, answer.json()["errorCode"].as_u64().unwrap_or_default());

    let stranger = Device {
        id: "unknown".into(),
        tpm: device.tpm.clone(),
        ..Device::new(&lab, "x", SoftTpm::public_alone())
    };
    assert_eq!(code(&stranger.register().await), (404, 404_201));
    let impostor = Device::new(&lab, "d1", SoftTpm::public_alone());
    let refused = impostor.register().await;
    assert_eq!((code(&refused), &refused.json()["authenticationKey"]), ((401, 401_002), &Value::Null));

    // A token before anything was asked, and one by the key of an earlier question.
    let resource = format!("{}/registrations/d1", device.scope);
    device.caller.token = Some(sas(&resource, &STANDARD.encode([7; 32]), EXPIRY, Some("registration")));
    assert_eq!(code(&device.register().await), (401, 401_002));
    device.caller.token = None;
    let first = device.register().await;
    device.register().await;
    device.take(&first);
    assert_eq!(code(&device.register().await), (401, 401_002));
    device.caller.token = None;

    let good = STANDARD.encode(device.tpm.endorsement_key());
    let long = "A".repeat(4000);
    let mut other_kind = device.tpm.endorsement_key();
    other_kind[3] = 0x23;
    let other_kind = STANDARD.encode(other_kind);
    let cut = STANDARD.encode(&device.tpm.endorsement_key()[..100]);
    for (ek, srk, why) in [
        ("", &*good, "endorsementKey"),
        ("?!", &good, "not base64"),
        (&long, &good, "more than 2048"),
        (&cut, &good, "ends too early"),
        (&other_kind, &good, "not an RSA key of 2048 bits"),
        (&good, "AAA=", "storageRootKey"),
    ] {
        let body = json!({"registrationId": "d1", "tpm": {"endorsementKey": ek, "storageRootKey": srk}});
        let refused = device.put(&body).await;
        assert_eq!(code(&refused), (400, 400_004), "{why}");
        assert!(refused.json()["message"].as_str().is_some_and(|text| text.contains(why)), "{refused:?}");
    }
    assert_eq!(code(&device.put(&json!({"registrationId": "d1", "tpm": 1})).await), (400, 400_004));

    let dps = lab.emulator.dps();
    let mut enrollment = dps.individuals().get("d1").expect("it is there");
    enrollment.terms.provisioning_status = ProvisioningStatus::Disabled;
    dps.individuals().update(enrollment, &IfMatch::Any).expect("disabled");
    let barred = device.register().await;
    assert_eq!((barred.status, &barred.json()["status"]), (200, &json!("disabled")));
}

#[tokio::test]
async fn services_enroll_tpms_one_by_one_and_an_older_key_is_kept() {
    let lab = lab().await;
    let service = Service::dps(&lab.emulator);
    let tpm = SoftTpm::public_alone();
    let (ek, srk) = (STANDARD.encode(tpm.endorsement_key()), STANDARD.encode(tpm.storage_root_key()));
    let path = format!("/enrollments/d1?{VERSION}");
    let body = json!({"attestation": {"type": "tpm", "tpm": {"endorsementKey": ek, "storageRootKey": srk}}});
    let made = service.call("PUT", &path, &[], &body.to_string()).await;
    assert_eq!(
        (made.status, &made.body["attestation"]["tpm"]["endorsementKey"]),
        (200, &json!(ek)),
        "{}",
        made.body
    );
    let body = json!({"attestation": {"type": "tpm"}, "deviceId": "box"}).to_string();
    let updated = service.call("PUT", &path, &[("If-Match", "*")], &body).await;
    assert_eq!((updated.status, &updated.body["attestation"]["tpm"]["endorsementKey"]), (200, &json!(ek)));
    let mechanism =
        service.call("POST", &format!("/enrollments/d1/attestationmechanism?{VERSION}"), &[], "").await;
    assert_eq!((mechanism.status, &mechanism.body["type"]), (200, &json!("tpm")));
    let refused = [
        ("/enrollments/d2", json!({"type": "tpm"}), "endorsementKey"),
        ("/enrollments/d2", json!({"type": "tpm", "tpm": {"endorsementKey": "AAA="}}), "no TPM2B_PUBLIC"),
        (
            "/enrollmentGroups/g",
            json!({"type": "tpm", "tpm": {"endorsementKey": ek}}),
            "individual enrollments",
        ),
    ];
    for (path, attestation, why) in refused {
        let body = json!({ "attestation": attestation }).to_string();
        let answer = service.call("PUT", &format!("{path}?{VERSION}"), &[], &body).await;
        assert_eq!(
            (answer.status, answer.body["errorCode"].as_u64()),
            (400, Some(400_004)),
            "{}",
            answer.body
        );
        assert!(answer.body["message"].as_str().is_some_and(|text| text.contains(why)), "{}", answer.body);
    }
}
