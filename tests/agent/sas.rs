//! A device without a certificate: registered by its symmetric key, connected by tokens that it makes anew before they end.

#![cfg(feature = "sas")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use container_tracker::config::{Config, IdentityConfig, Interval};
use container_tracker::event::Event;
use container_tracker::identity::{KeyLocation, TokenKey, WithoutCertificate};
use container_tracker::lab::Cloud;
use container_tracker::link::timing::Timing;
use tracker_emulator::{AttestationMechanism, IfMatch, IndividualEnrollment, SymmetricKey};

use crate::support::agent::{Agent, mild_chip, next_message};
use crate::support::scene::fast;

const DEVICE: &str = "sensor-thl-001";

fn write_key(path: &Path, key: &str) {
    fs::write(path, format!("{key}\n")).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

fn with_key(cloud: &Cloud, path: &Path) -> Config {
    let identity = IdentityConfig {
        certificate: path.into(),
        key: KeyLocation::File(path.into()),
        leaf_alone_at_hub: false,
        operational: None,
        without_certificate: Some(WithoutCertificate {
            registration_id: DEVICE.parse().unwrap(),
            key: TokenKey::File,
        }),
    };
    let mut config = Config { identity, ..cloud.device(DEVICE).unwrap() };
    // An enrollment of its own has no twin to say so.
    config.telemetry.interval = Interval::from_seconds(1).unwrap();
    config
}

/// The keys that DPS has made for a device.
fn enroll(cloud: &Cloud) -> SymmetricKey {
    let dps = cloud.emulator.dps();
    let attestation = AttestationMechanism::symmetric_key(SymmetricKey::default());
    let enrolled = dps.individuals().create(IndividualEnrollment::new(DEVICE, attestation)).unwrap();
    enrolled.terms.attestation.symmetric_key.unwrap()
}

fn onlines(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::Online { .. })).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_anew_and_another_key_is_taken_from_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 1).await.unwrap();
    let keys = enroll(&cloud);
    let path = directory.path().join("device.key");
    write_key(&path, keys.primary_key.as_deref().unwrap());
    let config = with_key(&cloud, &path);
    let timing =
        Timing { token_lasts: Duration::from_secs(4), look_every: Duration::from_millis(100), ..fast() };
    let mut telemetry = cloud.hub.telemetry();
    let mut agent = Agent::start_with(config, Some(&mild_chip()), None, timing);
    next_message(&mut telemetry, DEVICE).await;
    agent.wait_until("a second token", |events| onlines(events) >= 2).await;
    let lost = |events: &[Event]| events.iter().filter(|event| matches!(event, Event::Lost { .. })).count();
    agent.wait_until("no token ended in use", |events| lost(events) == 0).await;

    // The first key is drawn back while the second is good, as keys are changed.
    let dps = cloud.emulator.dps();
    let mut enrollment = dps.individuals().get(DEVICE).unwrap();
    let keys = SymmetricKey { primary_key: Some(String::new()), ..keys };
    let secondary = keys.secondary_key.clone().unwrap();
    enrollment.terms.attestation = AttestationMechanism::symmetric_key(keys);
    dps.individuals().update(enrollment, &IfMatch::Any).unwrap();
    write_key(&path, &secondary);
    agent
        .wait_until("the other key", |events| {
            let taken = events.iter().position(|event| matches!(event, Event::CertificateChanged));
            taken.is_some_and(|taken| onlines(&events[taken..]) >= 1)
        })
        .await;
    next_message(&mut telemetry, DEVICE).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_another_device_is_refused_and_what_a_file_says_is_checked() {
    let directory = tempfile::tempdir().unwrap();
    let cloud = Cloud::start(directory.path(), 3600).await.unwrap();
    enroll(&cloud);
    let path = directory.path().join("device.key");
    write_key(&path, "c2VjcmV0LXNlY3JldC1zZWNyZXQ=");
    let mut agent = Agent::start_with(with_key(&cloud, &path), Some(&mild_chip()), None, fast());
    agent.wait_for_words("401002").await;
    agent.stop().await;

    let file = directory.path().join("tracker.toml");
    let load = |identity: &str| {
        fs::write(&file, format!("[dps]\nid_scope = \"0ne1\"\n[identity]\n{identity}\n")).unwrap();
        Config::load(&file).map_err(|error| error.to_string())
    };
    let loaded = load("registration_id = \"d1\"\nsymmetric_key = \"device.key\"").unwrap();
    assert_eq!(loaded.identity.load(directory.path()).unwrap().registration_id.as_str(), "d1");
    for (identity, why) in [
        ("symmetric_key = \"device.key\"", "identity.registration_id: it is missing"),
        ("registration_id = \"a b\"\nsymmetric_key = \"k\"", "identity.registration_id: "),
        ("registration_id = \"d1\"\nsymmetric_key = \"k\"\nkey = \"k\"", "identity.key: a device with"),
        ("registration_id = \"d1\"\ncertificate = \"c\"\nkey = \"k\"", "the common name of the certificate"),
        ("key = \"k\"", "identity.certificate: it is missing"),
        (
            "registration_id = \"d1\"\nsymmetric_key = \"k\"\n[connection]\nprofile = \"assigned\"",
            "connection.profile: hubs of MQTT 5",
        ),
    ] {
        let told = load(identity).unwrap_err();
        assert!(told.contains(why), "{identity}: {told}");
    }
}
