//! What is shown to a hub that refuses: the certificate before, then a new one by way of DPS.

use std::time::Duration;

use container_tracker::event::Event;
use container_tracker::lab::Cloud;
use tokio::time::sleep;
use tracker_emulator::{Fault, FaultKind, FaultyService};

use super::ground::{DEVICE, Ground, renewed};
use crate::support::openssl::Factory;

/// A chain for what the device asks for next, by an authority that no hub knows.
fn put_foreign_pair(ground: &Ground) {
    let mut pairs = ground.pairs();
    let request = pairs.request(&DEVICE.parse().unwrap(), None).unwrap();
    let factory = Factory::new();
    let pem =
        format!("-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n", request.csr);
    std::fs::write(factory.path("foreign.csr"), pem).unwrap();
    factory.sign_request("foreign", "intermediate", "leaf", 30);
    let der = |name: &str| {
        factory.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER", "-out", "one.der"]);
        std::fs::read(factory.path("one.der")).unwrap()
    };
    pairs.take(&[der("foreign"), der("intermediate"), der("root")], None).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_certificate_that_the_hub_does_not_take_is_rolled_back() {
    let ground = Ground::new(Duration::from_hours(24)).await;
    let mut agent = ground.agent();
    agent.wait_until("a certificate", |events| renewed(events) == 1).await;
    agent.stop().await;
    put_foreign_pair(&ground);
    // DPS could not help.
    ground.disable();
    let mut agent = ground.agent();
    let told = agent.wait_for_words("the hub does not take the new certificate").await;
    assert!(told.ends_with("showing it the one before"), "{told}");
    agent.wait_for_words("online at").await;
    ground.delivers(&agent).await;
    let refused = |ground: &Ground| {
        ground.reported()["trouble"].as_str().is_some_and(|trouble| trouble.contains("refused"))
    };
    ground.wait_until(&agent, "reported", || refused(&ground)).await;
    assert!(
        !agent.events().iter().any(|event| matches!(event, Event::Registering { .. })),
        "{}",
        agent.story()
    );
    agent.stop().await;
    // It is known over a restart.
    let mut agent = ground.agent();
    agent.wait_for_words("online at").await;
    assert!(!agent.story().contains("does not take"), "{}", agent.story());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_no_certificate_that_the_hub_takes_dps_issues_another() {
    let ground = Ground::new(Duration::from_secs(5)).await;
    let mut agent = ground.agent();
    agent.wait_until("a certificate", |events| renewed(events) == 1).await;
    agent.stop().await;
    put_foreign_pair(&ground);
    sleep(Duration::from_secs(6)).await;
    // The one that is left is no good, the one before is at its end.
    let mut agent = ground.agent();
    agent.wait_for_words("DPS assigned").await;
    agent.wait_until("a new certificate", |events| renewed(events) >= 1).await;
    ground.delivers(&agent).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_onboarding_certificate_keeps_nobody_from_the_hub() {
    let ground = Ground::new(Duration::from_hours(24)).await;
    let mut agent = ground.agent();
    agent.wait_until("a certificate", |events| renewed(events) == 1).await;
    agent.stop().await;
    std::fs::write(&ground.config.identity.certificate, "nothing").unwrap();
    let mut agent = ground.agent();
    let told = agent.wait_for_words("the hub is shown the certificate that was issued").await;
    assert!(told.contains("DPS could not be asked"), "{told}");
    agent.wait_for_words("online at").await;
    ground.delivers(&agent).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_refuses_everybody_for_a_while_locks_nobody_out() {
    let ground = Ground::new(Duration::from_hours(24)).await;
    let mut agent = ground.agent();
    agent.wait_until("a certificate", |events| renewed(events) == 1).await;
    ground.disable();
    ground.cloud.hub.disable(DEVICE).unwrap();
    agent.wait_for_words("DPS refuses this device").await;
    ground.cloud.hub.enable(DEVICE).unwrap();
    let before = agent.take_events().len();
    assert!(before > 0);
    agent.wait_for_words("online at").await;
    ground.delivers(&agent).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_hub_issues_nothing_the_end_is_told_and_dps_issues() {
    for fault in [FaultKind::IssueRefused { code: 400_040 }, FaultKind::IssueLost] {
        let ground = Ground::new(Duration::from_secs(8)).await;
        let mut agent = ground.agent();
        agent.wait_until("a certificate", |events| renewed(events) == 1).await;
        let service = FaultyService::Hub(Cloud::HUB.into());
        let faults = ground.cloud.emulator.faults();
        faults.inject(Fault { service, device: None, kind: fault, times: None });
        ground.disable();
        agent.wait_for_words("and there is no new one: ").await;
        // Whatever DPS says, it goes on at the hub with what it has.
        agent.wait_for_words("DPS refuses this device").await;
        ground.delivers(&agent).await;
        let told = || ground.messages().iter().any(|state| state == "ending");
        ground.wait_until(&agent, "told", told).await;
        ground.enable();
        agent.wait_until("a new certificate", |events| renewed(events) >= 2).await;
        assert!(agent.story().contains("DPS assigned"), "{}", agent.story());
        ground.delivers(&agent).await;
        agent.stop().await;
    }
}
