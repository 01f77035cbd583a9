//! A lab whose group issues certificates, and what a device does there.

use std::time::Duration;

use rumqttc::ConnectReturnCode::NotAuthorized;
use serde_json::{Value, json};
use tracker_emulator::{Emulator, EmulatorBuilder, EnrollmentGroup, IfMatch, pki::DeviceCredentials};

use super::{Csr, Lab, register_with};

pub const MONTH: Duration = Duration::from_hours(30 * 24);

/// A lab whose group has the policy `fleet`.
pub async fn lab() -> Lab {
    lab_with(Emulator::builder()).await
}

pub async fn lab_with(builder: EmulatorBuilder) -> Lab {
    let builder = builder.dps_timing(Duration::ZERO, Duration::ZERO).certificate_policy("fleet", MONTH);
    let lab = Lab::with(builder.start().await.expect("it starts"));
    set_policy(&lab, Some("fleet"));
    lab
}

pub fn set_policy(lab: &Lab, policy: Option<&str>) -> EnrollmentGroup {
    let groups = lab.emulator.dps().groups();
    let mut group = groups.get("trackers").expect("the group");
    group.terms.certificate_policy_name = policy.map(str::to_owned);
    groups.update(group, &IfMatch::Any).expect("the policy is there")
}

/// Registers by this API version with this body; the last answer.
pub async fn ask(lab: &Lab, id: &str, version: &str, body: &Value) -> (u16, Value) {
    ask_as(lab, id, &lab.credentials(id), version, body).await
}

pub async fn ask_as(
    lab: &Lab,
    id: &str,
    credentials: &DeviceCredentials,
    version: &str,
    body: &Value,
) -> (u16, Value) {
    let mut dial = lab.to_dps(id, credentials);
    dial.user_name = Some(format!("{}/registrations/{id}/api-version={version}", lab.emulator.id_scope()));
    let mut client = dial.connect().await.expect("DPS lets in");
    let answer = register_with(&mut client, &body.to_string()).await;
    client.disconnect().await;
    answer
}

pub async fn issued(lab: &Lab, id: &str, csr: &Csr) -> Value {
    let (status, body) = ask(lab, id, "2026-11-01", &json!({"csr": csr.base64})).await;
    assert_eq!((status, &body["status"]), (200, &json!("assigned")), "{body}");
    body["registrationState"]["issuedCertificateChain"].clone()
}

pub async fn is_let_in(lab: &Lab, id: &str, credentials: &DeviceCredentials) -> bool {
    match lab.to_hub(id, credentials).connect().await {
        Ok(client) => {
            client.disconnect().await;
            true
        }
        Err(rumqttc::ConnectionError::ConnectionRefused(NotAuthorized)) => false,
        Err(other) => panic!("{other}"),
    }
}
