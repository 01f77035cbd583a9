//! What devices, DPS and hubs write when certificates are issued, held against what public sources say, byte by byte. A row
//! names its source: SPEC is Azure/azure-rest-api-specs (deviceprovisioningservices, 2025-07-01-preview to
//! 2026-11-02-preview); C-DPS and C-CERT are documents in Azure/azure-iot-sdk below `c/docs`; CS-T is the run of scenarios
//! on the service in azure-iot-sdk-csharp, branch feature/iot-csr-preview; CS, JAVA, EMB and PY are the branches of the SDKs.

use serde_json::{Value, json};
use tracker_protocol::{
    dps::{RegisterRequest, RegistrationOperation},
    hub::{
        CREDENTIALS_FILTER, CloudTopic, CredentialError, DeviceTopic, HubUsername, IssueAccepted,
        IssueRequest, Issued, RENEWING_API_VERSION,
    },
};

fn issue(replace: Option<&str>) -> IssueRequest {
    IssueRequest { id: "d1".into(), csr: "MIIB".into(), replace: replace.map(str::to_owned) }
}

#[test]
fn what_a_device_sends() {
    let register = |payload: Option<Value>, csr: Option<&str>| {
        let payload = payload.and_then(|payload| payload.as_object().cloned());
        let request = RegisterRequest { registration_id: "d1".into(), payload, csr: csr.map(str::to_owned) };
        serde_json::to_string(&request).expect("JSON")
    };
    let written = |request: &IssueRequest| serde_json::to_string(request).expect("JSON");
    let username = HubUsername {
        hub: "hub-1.azure-devices.net".into(),
        device_id: "d1".into(),
        module_id: None,
        api_version: Some(RENEWING_API_VERSION.into()),
        client_type: None,
        model_id: None,
    };
    let topic = DeviceTopic::IssueCertificate { request_id: "ab-12".into() };
    let rows = [
        (
            "SPEC, EMB: id, payload, csr",
            register(Some(json!({"a": 1})), Some("MIIB")),
            r#"{"registrationId":"d1","payload":{"a":1},"csr":"MIIB"}"#,
        ),
        ("SPEC: csr alone", register(None, Some("MIIB")), r#"{"registrationId":"d1","csr":"MIIB"}"#),
        ("SPEC 2019-03-31: as ever", register(None, None), r#"{"registrationId":"d1"}"#),
        (
            "CS, EMB, JAVA: user name",
            username.to_string(),
            "hub-1.azure-devices.net/d1/?api-version=2025-08-01-preview",
        ),
        ("CS, EMB, C-CERT: filter", CREDENTIALS_FILTER.to_owned(), "$iothub/credentials/res/#"),
        (
            "CS, EMB, JAVA: request",
            topic.to_string(),
            "$iothub/credentials/POST/issueCertificate/?$rid=ab-12",
        ),
        (
            "CS-T, CS: replace is left out rather than null",
            written(&issue(None)),
            r#"{"id":"d1","csr":"MIIB"}"#,
        ),
        (
            "CS-T: whatever is pending",
            written(&issue(Some("*"))),
            r#"{"id":"d1","csr":"MIIB","replace":"*"}"#,
        ),
        (
            "CS-T: an earlier request",
            written(&issue(Some("ab-12"))),
            r#"{"id":"d1","csr":"MIIB","replace":"ab-12"}"#,
        ),
    ];
    for (row, ours, theirs) in rows {
        assert_eq!(ours, theirs, "{row}");
    }
}

#[test]
fn what_dps_answers() {
    let rows = [
        (
            "SPEC, C-DPS: under registrationState, leaf first",
            json!({"issuedCertificateChain": ["a", "b", "c"]}),
            Some(vec!["a", "b", "c"]),
        ),
        ("EMB, C-DPS: null is none", json!({"issuedCertificateChain": null}), None),
        ("EMB, C-DPS: absent is none", json!({}), None),
    ];
    for (row, state, chain) in rows {
        let body =
            json!({"operationId": "5.1", "status": "assigned", "registrationState": state}).to_string();
        let operation: RegistrationOperation = serde_json::from_str(&body).expect(row);
        let read = operation.registration_state.and_then(|state| state.issued_certificate_chain);
        assert_eq!(read, chain.map(|chain| chain.into_iter().map(str::to_owned).collect()), "{row}");
    }
}

#[test]
fn what_a_hub_answers() {
    let topics = [
        ("PY, CS: taken", "$iothub/credentials/res/202/?$rid=ab-12", 202),
        ("CS, JAVA: issued", "$iothub/credentials/res/200/?$rid=ab-12", 200),
        (
            "PY: a version behind it, as some hubs write it",
            "$iothub/credentials/res/200/?$rid=ab-12&$version=1",
            200,
        ),
        ("CS-T: refused", "$iothub/credentials/res/409/?$rid=ab-12", 409),
    ];
    for (row, topic, status) in topics {
        let read: CloudTopic = topic.parse().expect(row);
        assert_eq!(read, CloudTopic::CredentialResponse { status, request_id: "ab-12".into() }, "{row}");
    }
    let accepted: IssueAccepted =
        serde_json::from_str(r#"{"correlationId":"c","operationExpires":"2026-01-30T12:00:00.1234567Z"}"#)
            .expect("CS-T, C-CERT: 202");
    assert_eq!(accepted.operation_expires, "2026-01-30T12:00:00.1234567Z");
    let issued: Issued =
        serde_json::from_str(r#"{"correlationId":"c","certificates":["leaf","intermediate","root"]}"#)
            .expect("CS, CS-T, JAVA, PY: 200");
    assert_eq!(issued.certificates, ["leaf", "intermediate", "root"]);
}

#[test]
fn what_a_hub_refuses_with() {
    let rows = [
        (
            "CS-T: at once",
            json!({"errorCode": 400_004, "message": "m", "trackingId": "t", "timestampUtc": "u", "info": null}),
        ),
        (
            "CS-T: after a 202",
            json!({"errorCode": 400_037, "message": "m", "trackingId": "t", "timestampUtc": "u",
            "info": {"correlationId": "c", "credentialError": "400000", "credentialMessage": "verification failed"}}),
        ),
        (
            "JAVA, C-CERT: the same, newer",
            json!({"errorCode": 400_040, "message": "m", "trackingId": "t",
            "timestampUtc": "u", "info": {"correlationId": "c", "credentialError": "FailedToDecodeCsr"}}),
        ),
        (
            "CS-T: a conflict",
            json!({"errorCode": 409_004, "message": "m", "trackingId": "t", "timestampUtc": "u",
            "info": {"correlationId": "c", "requestId": "ab-12", "operationExpires": "e"}}),
        ),
        (
            "CS-T: replace names nothing pending",
            json!({"errorCode": 412_001, "message": "m", "trackingId": "t",
            "timestampUtc": "u", "info": {"requestId": "ab-12"}}),
        ),
        (
            "C-CERT: throttled",
            json!({"errorCode": 429_002, "message": "m", "trackingId": "t", "timestampUtc": "u",
            "retryAfter": 30, "info": null}),
        ),
    ];
    for (row, body) in rows {
        let error: CredentialError = serde_json::from_value(body.clone()).expect(row);
        // Nothing is lost of it, and nothing is made up.
        assert_eq!(serde_json::to_value(&error).expect("JSON"), body, "{row}");
    }
}
