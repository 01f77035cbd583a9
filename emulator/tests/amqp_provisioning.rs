//! Registration over AMQP.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tracker_amqp::{Body, Error, LinkId, Message, Outcome, Properties, SaslClient, Value, condition, get};
use tracker_emulator::{
    AttestationMechanism, Emulator, EventKind, Fault, FaultKind, FaultyService, IndividualEnrollment,
    SymmetricKey, pki::DeviceCredentials,
};

use crate::common::{Lab, amqp::Amqp, event, service::sas};

const DPS: &str = "global.azure-devices-provisioning.net";

async fn lab(retry_after: Duration, assigning: Duration) -> Lab {
    let builder = Emulator::builder().dps_timing(retry_after, assigning).amqp_port(0);
    Lab::with(builder.start().await.expect("it starts"))
}

/// A device with its pair of links.
pub(crate) struct Registrant {
    pub(crate) client: Amqp,
    requests: LinkId,
    answers: LinkId,
}

impl Registrant {
    async fn with_certificate(lab: &Lab, id: &str, credentials: &DeviceCredentials) -> Self {
        Self::new(lab, id, Amqp::connect(&lab.emulator, DPS, Some(credentials), None).await).await
    }

    pub(crate) async fn new(lab: &Lab, id: &str, mut client: Amqp) -> Self {
        let address = format!("{}/registrations/{id}", lab.emulator.id_scope());
        let version = [("com.microsoft:api-version", "2019-03-31")];
        let answers = client.receiver(&address, &version).await.expect("a link");
        let requests = client.sender(&address, &version).await.expect("a link");
        Self { client, requests, answers }
    }

    /// Asks; gives the answer and its `retry-after`, or the error.
    async fn ask(&mut self, properties: &[(&str, &str)], body: Body) -> Result<(Json, Option<i64>), Error> {
        let request = Message {
            properties: Properties { correlation_id: Some("c".into()), ..Properties::default() },
            application_properties: properties
                .iter()
                .map(|(name, value)| ((*name).into(), (*value).into()))
                .collect(),
            body,
            ..Message::default()
        };
        match self.client.send(self.requests, &request).await {
            Outcome::Rejected(Some(error)) => return Err(error),
            outcome => assert_eq!(outcome, Outcome::Accepted),
        }
        let (_, answer) = self.client.message(self.answers).await;
        assert_eq!(answer.properties.correlation_id, Some("c".into()));
        let retry_after = get(&answer.application_properties, "retry-after").and_then(Value::as_i64);
        Ok((serde_json::from_slice(&answer.body.to_bytes().expect("data")).expect("JSON"), retry_after))
    }

    pub(crate) async fn register(&mut self, body: &Json) -> Result<(Json, Option<i64>), Error> {
        self.ask(&[("iotdps-operation-type", "iotdps-register")], Body::data(body.to_string())).await
    }

    /// Polls to the end.
    pub(crate) async fn finish(&mut self, begun: &Json) -> Json {
        let operation_id = begun["operationId"].as_str().expect("an operation").to_owned();
        loop {
            let (state, _) = self.poll(&operation_id).await.expect("an answer");
            if state["status"] != "assigning" {
                return state;
            }
        }
    }

    async fn poll(&mut self, operation_id: &str) -> Result<(Json, Option<i64>), Error> {
        let properties =
            [("iotdps-operation-type", "iotdps-get-operationstatus"), ("iotdps-operation-id", operation_id)];
        self.ask(&properties, Body::Value("".into())).await
    }
}

#[tokio::test]
async fn a_device_of_a_group_registers_and_polls() {
    let lab = lab(Duration::from_secs(1), Duration::from_millis(1)).await;
    let mut events = lab.emulator.events();
    let credentials = lab.credentials("d1");
    let mut device = Registrant::with_certificate(&lab, "d1", &credentials).await;
    let (begun, retry_after) = device.register(&json!({"registrationId": "d1"})).await.expect("taken");
    assert_eq!((&begun["status"], retry_after), (&json!("assigning"), Some(1)));
    let done = device.finish(&begun).await;
    assert_eq!(done["status"], "assigned");
    assert_eq!(done["registrationState"]["assignedHub"], "hub-1.azure-devices.net");
    assert_eq!(device.poll("5.x").await.expect_err("no such operation").condition, condition::NOT_FOUND);
    device.client.close().await;
    let gone = |kind: &EventKind| matches!(kind, EventKind::DpsDisconnected { .. }).then_some(());
    event(&mut events, gone).await;
}

#[tokio::test]
async fn a_device_with_a_key_registers_by_sasl_plain() {
    let lab = lab(Duration::ZERO, Duration::ZERO).await;
    let attestation = AttestationMechanism::symmetric_key(SymmetricKey::default());
    let enrollment = IndividualEnrollment::new("k1", attestation);
    let stored = lab.emulator.dps().individuals().create(enrollment).expect("an enrollment");
    let key = stored.terms.attestation.symmetric_key.and_then(|keys| keys.primary_key).expect("a key");
    let user = format!("{}/registrations/k1", lab.emulator.id_scope());
    let plain = |password: String| Some(SaslClient::Plain { user: user.clone(), password });
    let good = plain(sas(&user, &key, 4_000_000_000, None));
    let client = Amqp::connect(&lab.emulator, DPS, None, good.clone()).await;
    let mut device = Registrant::new(&lab, "k1", client).await;
    let (begun, _) = device.register(&json!({"registrationId": "k1"})).await.expect("taken");
    assert_eq!(device.finish(&begun).await["status"], "assigned");

    let client = Amqp::connect(&lab.emulator, DPS, None, plain(sas(&user, &key, 1, None))).await;
    let mut late = Registrant::new(&lab, "k1", client).await;
    let error = late.register(&json!({})).await.expect_err("its token has expired");
    assert_eq!(error.condition, condition::UNAUTHORIZED_ACCESS);
    let mut client = Amqp::connect(&lab.emulator, DPS, None, good).await;
    let other = format!("{}/registrations/k2", lab.emulator.id_scope());
    let error = client.sender(&other, &[]).await.expect_err("another device");
    assert_eq!(error.condition, condition::UNAUTHORIZED_ACCESS);
}

#[tokio::test]
async fn what_is_refused_says_so_in_azures_words() {
    let lab = lab(Duration::ZERO, Duration::ZERO).await;
    let stranger = lab.root.device("s1", tracker_emulator::pki::Validity::always()).expect("a leaf");
    let mut device = Registrant::with_certificate(&lab, "s1", &stranger).await;
    let error = device.register(&json!({"registrationId": "s1"})).await.expect_err("no enrollment");
    assert_eq!(error.condition, condition::UNAUTHORIZED_ACCESS);
    let told: Json = serde_json::from_str(error.description.as_deref().expect("a body")).expect("JSON");
    assert_eq!(told["errorCode"], 401_002);
    let csr = device.register(&json!({"registrationId": "s1", "csr": "x"})).await.expect_err("no CSR");
    assert_eq!(csr.condition, condition::NOT_IMPLEMENTED);
    let unknown = device.ask(&[("iotdps-operation-type", "iotdps-get-registration")], Body::data("{}")).await;
    assert_eq!(unknown.expect_err("unknown").condition, condition::NOT_IMPLEMENTED);
    assert_eq!(
        device.ask(&[], Body::data("{}")).await.expect_err("nothing").condition,
        condition::INVALID_FIELD
    );
    lab.emulator.faults().inject(Fault {
        service: FaultyService::Dps,
        device: None,
        kind: FaultKind::DpsError { status: 503, retry_after: Some(Duration::from_secs(7)) },
        times: Some(1),
    });
    let error = device.register(&json!({})).await.expect_err("a fault");
    assert_eq!(error.condition, condition::INTERNAL_ERROR, "so that Microsoft's clients ask again");
    assert_eq!(get(&error.info, "retry-after").and_then(Value::as_i64), Some(7));
    let error = device.client.sender("other/registrations/s1", &[]).await;
    assert_eq!(error.map(drop).expect_err("another scope").condition, condition::UNAUTHORIZED_ACCESS);
}
