//! Attestation by a TPM over AMQP: the SASL mechanism `TPM`, written against what Microsoft's clients do.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tracker_amqp::condition;
use tracker_emulator::{
    AttestationMechanism, Emulator, EventKind, IfMatch, IndividualEnrollment, ProvisioningStatus,
    soft_tpm::SoftTpm,
};

use crate::{
    amqp_provisioning::Registrant,
    common::{
        Lab,
        amqp::Amqp,
        event,
        https::Caller,
        sasl::{Said, Sasl},
        service::sas,
        tpm::known_tpm,
    },
};

const GLOBAL: &str = "global.azure-devices-provisioning.net";
const EXPIRY: i64 = 4_000_000_000;

async fn lab(tpm: &SoftTpm) -> Lab {
    let lab = Lab::with(Emulator::builder().amqp_port(0).start().await.expect("it starts"));
    let attestation = AttestationMechanism::tpm(STANDARD.encode(tpm.endorsement_key()));
    lab.emulator.dps().individuals().create(IndividualEnrollment::new("d1", attestation)).expect("enrolled");
    lab
}

/// What a client says first.
fn init(lab: &Lab, id: &str, tpm: &SoftTpm) -> Vec<u8> {
    let words = format!("\0{}\0{id}\0", lab.emulator.id_scope());
    [words.as_bytes(), &tpm.endorsement_key()].concat()
}

/// Gives both keys, and takes the wrapped one, as the client in C does: parts by their numbers.
async fn challenge(sasl: &mut Sasl, init: &[u8], tpm: &SoftTpm) -> Result<Vec<u8>, Said> {
    let asked = sasl.init("TPM", init).await;
    if asked != Said::Challenge(vec![0]) {
        return Err(asked);
    }
    let mut said = sasl.answer(&tpm.storage_root_key()).await;
    let mut wrapped = Vec::new();
    for number in 0u8.. {
        let Said::Challenge(part) = said else { return Err(said) };
        assert_eq!((part[0] & 0x80, part[0] & 0x03), (0x80, number));
        wrapped.extend_from_slice(&part[1..]);
        if part[0] & 0x40 != 0 {
            break;
        }
        said = sasl.answer(&[]).await;
    }
    Ok(wrapped)
}

fn token(lab: &Lab, id: &str, key: &[u8]) -> String {
    sas(
        &format!("{}/registrations/{id}", lab.emulator.id_scope()),
        &STANDARD.encode(key),
        EXPIRY,
        Some("registration"),
    )
}

/// All of it.
async fn signed_in(lab: &Lab, tpm: &SoftTpm) -> Registrant {
    let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
    assert!(sasl.mechanisms.contains("TPM"), "{}", sasl.mechanisms);
    let wrapped = challenge(&mut sasl, &init(lab, "d1", tpm), tpm).await.expect("asked");
    let key = tpm.activate(&wrapped).expect("taken in");
    assert_eq!(sasl.answer(token(lab, "d1", &key).as_bytes()).await, Said::Outcome(0));
    let client = Amqp::over(sasl.stream, GLOBAL, None).await.expect("let in");
    Registrant::new(lab, "d1", client).await
}

#[tokio::test]
async fn a_tpm_signs_in_and_is_given_the_key_for_its_hub() {
    let tpm = known_tpm();
    let lab = lab(&tpm).await;
    let mut device = signed_in(&lab, &tpm).await;
    let other = format!("{}/registrations/d2", lab.emulator.id_scope());
    let refused = device.client.sender(&other, &[]).await.expect_err("another device");
    assert_eq!(refused.condition, condition::UNAUTHORIZED_ACCESS);

    // A second connection of the same TPM, which stops halfway, takes nothing from the first.
    let mut second = Sasl::connect(&lab.emulator, GLOBAL).await;
    challenge(&mut second, &init(&lab, "d1", &tpm), &tpm).await.expect("asked");
    drop(second);

    let keys = json!({
        "endorsementKey": STANDARD.encode(tpm.endorsement_key()),
        "storageRootKey": STANDARD.encode(tpm.storage_root_key()),
    });
    let begun = device.register(&json!({"registrationId": "d1", "tpm": keys})).await.expect("taken");
    let done = device.finish(&begun.0).await;
    assert_eq!(done["status"], "assigned", "{done}");
    let state = &done["registrationState"];
    let wrapped = state["tpm"]["authenticationKey"].as_str().expect("a key");
    let key = tpm.activate(&STANDARD.decode(wrapped).expect("base64")).expect("taken in");
    let hub = state["assignedHub"].as_str().expect("a hub");
    let at_hub =
        Caller::with_key(&lab.emulator, hub, &format!("{hub}/devices/d1"), &STANDARD.encode(key), None);
    let events = "/devices/d1/messages/events?api-version=2021-06-01";
    assert_eq!(at_hub.post(events, "{}").await.status, 204);

    // Who is barred signs in, and is told so, as over HTTPS.
    let individuals = lab.emulator.dps().individuals();
    let mut enrollment = individuals.get("d1").expect("it is there");
    enrollment.terms.provisioning_status = ProvisioningStatus::Disabled;
    individuals.update(enrollment, &IfMatch::Any).expect("disabled");
    let (barred, _) = device.register(&json!({})).await.expect("an answer");
    assert_eq!(barred["status"], "disabled");
}

#[tokio::test]
async fn who_is_not_the_enrolled_tpm_does_not_get_in() {
    let tpm = known_tpm();
    let lab = lab(&tpm).await;
    let stranger = SoftTpm::public_alone();
    let refusal = Err(Said::Outcome(1));
    for (id, shown, code) in [
        ("unknown", &tpm, Some(404_201)),
        ("d1", &stranger, Some(401_002)),
        ("d 1", &tpm, Some(400_004)),
        ("", &tpm, Some(400_004)),
    ] {
        let mut events = lab.emulator.events();
        let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
        assert_eq!(challenge(&mut sasl, &init(&lab, id, shown), shown).await, refusal, "{id}");
        let told = event(&mut events, |kind| match kind {
            EventKind::RegistrationRefused { error_code, .. } => Some(*error_code),
            _ => None,
        });
        assert_eq!(Some(told.await), code, "{id}");
    }

    // The right public keys, and none of what the TPM has: keys of somebody's own, of an older question, for another device.
    let mut older = Sasl::connect(&lab.emulator, GLOBAL).await;
    let older = challenge(&mut older, &init(&lab, "d1", &tpm), &tpm).await.expect("asked");
    let older = tpm.activate(&older).expect("taken in");
    for (id, key) in [("d1", [7; 32].to_vec()), ("d1", older), ("d2", [7; 32].to_vec())] {
        let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
        challenge(&mut sasl, &init(&lab, "d1", &tpm), &tpm).await.expect("asked");
        assert_eq!(sasl.answer(token(&lab, id, &key).as_bytes()).await, Said::Outcome(1));
    }

    // Hubs do not offer it, and do not take it.
    let mut hub = Sasl::connect(&lab.emulator, "hub-1.azure-devices.net").await;
    assert!(!hub.mechanisms.contains("TPM"), "{}", hub.mechanisms);
    assert_eq!(hub.init("TPM", &init(&lab, "d1", &tpm)).await, Said::Outcome(1));
}

#[tokio::test]
async fn what_is_no_sign_in_of_a_tpm_is_the_end_of_it() {
    let tpm = known_tpm();
    let lab = lab(&tpm).await;
    let good = init(&lab, "d1", &tpm);
    let scope = lab.emulator.id_scope().to_owned();
    let wrong_scope = [b"\0other\0d1\0", &tpm.endorsement_key()[..]].concat();
    let no_key = format!("\0{scope}\0d1");
    let (cut, in_parts) = (&good[..good.len() - 100], [&[0x80], &good[1..]].concat());
    let long = [&good[..], &vec![0; 20_000]].concat();
    for first in [&b""[..], b"\0", b"\x07rest", b"\0\xff\0d1\0", &wrong_scope, no_key.as_bytes(), &in_parts] {
        let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
        assert_eq!(sasl.init("TPM", first).await, Said::Outcome(1), "{first:02x?}");
        assert_eq!(sasl.hear().await, Said::Gone);
    }
    // A key is looked at when both are there.
    for first in [cut, &long] {
        let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
        assert_eq!(challenge(&mut sasl, first, &tpm).await, Err(Said::Outcome(1)));
    }
    for root in [&b""[..], b"\0", b"\0\0\x05abc", &[&[0], &tpm.storage_root_key()[..200]].concat()] {
        let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
        assert_eq!(sasl.init("TPM", &good).await, Said::Challenge(vec![0]));
        assert_eq!(sasl.respond(root).await, Said::Outcome(1), "{root:02x?}");
    }
    // A token in the place of an acknowledgement, a part acknowledged by a part, and one acknowledgement too many.
    for answers in [&[&b"\0SharedAccessSignature sr=x"[..]][..], &[b"\x80"], &[b"\0", b"\0"]] {
        let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
        assert_eq!(sasl.init("TPM", &good).await, Said::Challenge(vec![0]));
        let mut said = sasl.answer(&tpm.storage_root_key()).await;
        for answer in answers {
            assert!(matches!(said, Said::Challenge(_)), "{said:?}");
            said = sasl.respond(answer).await;
        }
        assert_eq!(said, Said::Outcome(1), "{answers:02x?}");
    }
    // An answer before anything was asked, and another beginning in the place of an answer.
    let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
    assert_eq!(sasl.respond(b"\0").await, Said::Gone);
    let mut sasl = Sasl::connect(&lab.emulator, GLOBAL).await;
    assert_eq!(sasl.init("TPM", &good).await, Said::Challenge(vec![0]));
    assert_eq!(sasl.init("TPM", &good).await, Said::Gone);
    // And whoever is as it should be is let in, after all of these.
    signed_in(&lab, &tpm).await.client.close().await;
}
