//! From the factory to a hub, through renewals, a revoked enrollment, weeks under deck, and back.

use std::process::Command;
use std::time::Duration;

use container_tracker::event::Event;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::ground::{DEVICE, Ground, renewed};

#[tokio::test(flavor = "multi_thread")]
async fn a_device_lives_on_certificates_that_azure_issues() {
    let life = Duration::from_secs(8);
    let ground = Ground::new(life).await;
    let mut agent = ground.agent();
    // Issued by DPS, and renewed three times by the hub, which does not ask DPS for that.
    agent.wait_until("three renewals", |events| renewed(events) >= 4).await;
    ground.delivers(&agent).await;
    let events = agent.take_events();
    let assigned = events.iter().filter(|event| matches!(event, Event::Assigned { .. })).count();
    assert_eq!(assigned, 1, "{events:#?}");
    ground.wait_until(&agent, "reporting", || ground.reported()["issuer"] == "dps").await;
    let reported = ground.reported();
    assert!(reported["validUntil"].is_string() && reported["renewalDue"].is_string(), "{reported}");
    ground.wait_until(&agent, "telling", || ground.messages().len() >= 4).await;
    assert!(ground.messages().iter().all(|state| state == "renewed"), "{:?}", ground.messages());

    // Nobody vouches for its first certificate any more.
    ground.disable();
    agent.wait_until("another renewal", |events| renewed(events) >= 1).await;
    ground.delivers(&agent).await;

    // Weeks under deck, at the end of which its certificate is worth nothing.
    let first = agent.stop().await;
    sleep(life + Duration::from_secs(1)).await;
    let mut agent = ground.agent();
    agent.wait_for_words("DPS refuses this device").await;
    assert!(!agent.story().contains("online"), "{}", agent.story());
    ground.enable();
    agent.wait_for_words("online at").await;
    agent.wait_until("a new certificate", |events| renewed(events) >= 1).await;
    ground.delivers(&agent).await;
    let second = agent.stop().await;
    sleep(Duration::from_millis(500)).await;
    let arrived = ground.seqs().len() as u64;
    assert_eq!(arrived, first.taken + second.taken - second.backlog, "{first:?} {second:?}");
    let pairs = ground.pairs().summary().pairs;
    assert!(pairs.iter().all(|pair| pair.subject.contains(DEVICE)), "{pairs:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_enrollment_without_a_policy_is_told_and_the_device_comes_when_it_has_one() {
    let ground = Ground::new(Duration::from_hours(24)).await;
    ground.set_policy(None);
    let mut agent = ground.agent();
    let told = agent.wait_for_words("issued no certificate, although one was asked for").await;
    assert!(told.contains("certificatePolicyName") && told.contains("trying again"), "{told}");
    ground.set_policy(Some(super::ground::POLICY));
    agent.wait_for_words("online at").await;
    ground.delivers(&agent).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_stored_is_not_used_and_asked_for_again() {
    let ground = Ground::new(Duration::from_hours(24)).await;
    std::fs::create_dir_all(&ground.config.state.directory).unwrap();
    // A disk that takes no folder, whoever the agent is.
    std::fs::write(ground.operational(), "no folder").unwrap();
    let mut agent = ground.agent();
    agent.wait_for_words("operational").await;
    assert!(!agent.story().contains("online"), "{}", agent.story());
    std::fs::remove_file(ground.operational()).unwrap();
    agent.wait_for_words("online at").await;
    ground.delivers(&agent).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_signs_the_chain_of_evidence_before_the_next_one_is_used() {
    let ground = Ground::new(Duration::from_secs(10)).await;
    let mut agent = ground.agent();
    agent.wait_for_words("online at").await;
    ground.cloud.hub.update_twin_desired(DEVICE, json!({"evidence": true})).unwrap();
    agent.wait_until("three renewals", |events| renewed(events) >= 4).await;
    let in_use = ground.reported();
    ground.wait_until(&agent, "told", || ground.messages().len() >= 4).await;
    agent.stop().await;
    sleep(Duration::from_millis(500)).await;
    let mut lines = ground.lines();
    lines.sort_by_key(|line| line["body"]["seq"].as_u64());
    let signed: Vec<_> = lines.iter().filter(|line| line["body"]["evidence"] == "signature").collect();
    let renewals = lines.iter().filter(|line| line["body"]["state"] == "renewed");
    let shown: Vec<_> = renewals.map(|line| line["body"]["thumbprint"].clone()).collect();
    // The first may have been shown before there was a chain.
    for old in &shown[1..shown.len() - 1] {
        assert!(signed.iter().any(|line| line["body"]["certificate"] == *old), "{old} {signed:#?} {in_use}");
    }
    let roots = ground.directory.path().join("issuing.pem");
    let chains = ground.cloud.emulator.namespace().authorities();
    std::fs::write(&roots, chains.iter().map(|one| one.chain_pem.clone()).collect::<String>()).unwrap();
    let file = ground.directory.path().join("received.jsonl");
    std::fs::write(&file, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    let output = program.arg("verify").arg(&file).arg("--roots").arg(&roots).arg("--json").output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let verdict: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(verdict["good"], true, "{said}");
    assert!(verdict["signed"].as_array().unwrap().len() >= 2, "{said}");
}
