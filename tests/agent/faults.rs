//! One trouble at a time between agent and cloud, and what the agent makes of it.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::time::Duration;

use chrono::{DateTime, Utc};
use container_tracker::config::{DeliveryMode, Endpoint};
use container_tracker::event::Event;
use container_tracker::event::Loss;
use container_tracker::identity::KeyLocation;
use container_tracker::lab::Cloud;
use container_tracker::link::timing::Timing;
use tokio::time::sleep;
use tracker_emulator::{EventKind, FaultKind, FaultyService};

use crate::support::agent::Agent;
use crate::support::proxy::Weather;
use crate::support::scene::{DEVICE, SECOND_HUB, Scene, Tally, check_attempts, fast};

const NEVER: u32 = 86_400;

fn at_hub(hub: &str) -> FaultyService {
    FaultyService::Hub(hub.into())
}

fn count(agent: &Agent, which: impl Fn(&Event) -> bool) -> usize {
    agent.events().iter().filter(|event| which(event)).count()
}

fn registrations(agent: &Agent) -> usize {
    count(agent, |event| matches!(event, Event::Registering { .. }))
}

async fn online(scene: &Scene) -> Agent {
    let mut agent = scene.agent();
    agent.wait_for_words("online at").await;
    agent
}

/// Waits until the agent has gone online so many times.
async fn online_times(agent: &mut Agent, times: usize) {
    agent
        .wait_until("connection", |events| {
            events.iter().filter(|event| matches!(event, Event::Online { .. })).count() >= times
        })
        .await;
}

/// When the cloud saw this.
fn times_of(scene: &Scene, which: impl Fn(&EventKind) -> bool) -> Vec<DateTime<Utc>> {
    scene.record().events.iter().filter(|event| which(&event.kind)).map(|event| event.time).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_is_noticed_by_what_is_not_acknowledged() {
    let scene = Scene::new(1, fast()).await;
    let mut agent = online(&scene).await;
    scene.wait_for_readings(&agent, 1).await;
    scene.proxy.set(Weather::BlackHole);
    // Long before the keep-alive of minutes could tell.
    agent.wait_for_words("acknowledged nothing for").await;
    agent.wait_for_words("no connection to the hub").await;
    scene.heal();
    online_times(&mut agent, 2).await;
    assert_eq!(registrations(&agent), 1, "an outage is no reason to ask DPS");
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_without_data_is_noticed_by_pings() {
    let mut scene = Scene::new(NEVER, fast()).await;
    scene.config.connection.keep_alive = 2;
    let mut agent = online(&scene).await;
    // Whatever is on its way when the link dies would tell it sooner.
    agent.wait_for_words(" delivered").await;
    scene.proxy.set(Weather::BlackHole);
    agent.wait_for_words("does not answer pings any more").await;
    scene.heal();
    online_times(&mut agent, 2).await;
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_open_connection_is_noticed() {
    let mut scene = Scene::new(1, fast()).await;
    scene.config.delivery =
        DeliveryMode { batch_backlog: false, full_properties: true, ..DeliveryMode::default() };
    let mut agent = online(&scene).await;
    scene.wait_for_readings(&agent, 1).await;
    scene.proxy.set(Weather::HalfOpen);
    // The hub hears the readings and its answers are lost.
    agent.wait_for_words("acknowledged nothing for").await;
    scene.heal();
    let tally = scene.finish(agent).await;
    assert!(tally.duplicates >= 1, "what the hub took and could not say came again: {tally:?}");
    let hub = scene.cloud.hub.counters(DEVICE).unwrap();
    assert_eq!(hub.duplicates, tally.duplicates, "under the same message ID, so that a consumer can drop it");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_reset_or_closed_come_back() {
    let scene = Scene::new(1, fast()).await;
    let mut agent = online(&scene).await;
    let closed = "connection lost: the server closed the connection";
    let weathers = [
        (Weather::Reset, "connection lost: the connection was reset"),
        (Weather::Cut, closed),
        (Weather::Refuse, closed),
    ];
    for (number, (weather, words)) in weathers.into_iter().enumerate() {
        scene.wait_for_readings(&agent, 1).await;
        scene.proxy.set(weather);
        agent.wait_for_words(words).await;
        agent
            .wait_until("failed attempts", |events| {
                let failed = |event: &&Event| matches!(event, Event::ConnectLater { .. });
                events.iter().filter(failed).count() > number
            })
            .await;
        scene.heal();
        online_times(&mut agent, number + 2).await;
    }
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stall_that_ends_in_time_costs_nothing() {
    let scene = Scene::new(1, Timing::default()).await;
    let agent = online(&scene).await;
    for _ in 0..3 {
        scene.wait_for_readings(&agent, 1).await;
        scene.proxy.set(Weather::Stalled);
        sleep(Duration::from_millis(1500)).await;
        scene.proxy.set(Weather::Fair);
    }
    let tally = scene.finish(agent).await;
    assert_eq!((tally.lost_connections, tally.duplicates), (0, 0), "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_dripping_link_is_good_enough() {
    let mut scene = Scene::new(1, Timing::default()).await;
    scene.prefill(100).await;
    // Some 6 KB/s.
    scene.proxy.set(Weather::Drip { bytes: 32, every: Duration::from_millis(5) });
    let agent = online(&scene).await;
    scene.wait_for(&agent, "drained backlog", |record| record.arrivals.len() >= 100).await;
    let tally = scene.finish(agent).await;
    assert_eq!((tally.lost_connections, tally.duplicates), (0, 0), "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_seconds_of_round_trip_and_losses_are_lived_with() {
    let scene = Scene::new(5, Timing::default()).await;
    // TCP sends again what was lost; to those above, losses are stalls.
    let (latency, stall) = (Duration::from_secs(1), Duration::from_millis(1500));
    scene.proxy.set(Weather::Slow { latency, stall_every: 5, stall });
    let mut agent = scene.agent();
    agent.wait_for_words("DPS assigned the hub").await;
    agent.wait_for_words("online at").await;
    scene.wait_for_readings(&agent, 3).await;
    let connecting = count(&agent, |event| matches!(event, Event::Connecting { .. }));
    assert_eq!((registrations(&agent), connecting), (1, 1), "each at the first attempt: {}", agent.story());
    scene.heal();
    let tally = scene.finish(agent).await;
    assert_eq!((tally.lost_connections, tally.duplicates), (0, 0), "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_restarts_is_waited_for_without_asking_dps() {
    let scene = Scene::new(1, Timing { hub_gone_after: Duration::from_mins(15), ..fast() }).await;
    let mut agent = online(&scene).await;
    scene.wait_for_readings(&agent, 1).await;
    scene.proxy.set(Weather::Refuse);
    agent.wait_for_words("nobody listens there").await;
    // It comes up, and is not ready yet.
    scene.inject(FaultyService::AnyHub, FaultKind::RefuseConnect { code: 3 }, Some(2));
    scene.proxy.set(Weather::Fair);
    agent.wait_for_words("the server is unavailable (CONNACK 3)").await;
    online_times(&mut agent, 2).await;
    assert_eq!(registrations(&agent), 1, "{}", agent.story());
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_is_never_well_again_leads_to_dps() {
    let scene = Scene::new(1, fast()).await;
    let mut agent = online(&scene).await;
    scene.wait_for_readings(&agent, 1).await;
    scene.inject(at_hub(Cloud::HUB), FaultKind::RefuseConnect { code: 3 }, None);
    scene.assign_to(SECOND_HUB);
    scene.drop_connection();
    agent.wait_for_words(&format!("online at {SECOND_HUB}")).await;
    let refused = count(&agent, |event| matches!(event, Event::ConnectLater { .. }));
    assert!(refused >= fast().hub_gone_attempts as usize, "not at the first hiccup: {}", agent.story());
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_that_do_not_come_or_come_twice() {
    let mut scene = Scene::new(1, fast()).await;
    scene.config.delivery =
        DeliveryMode { batch_backlog: false, full_properties: true, ..DeliveryMode::default() };
    scene.prefill(20).await;
    // Twin requests are publishes too, and may come first where the journal is slow: more than those.
    scene.inject(FaultyService::AnyHub, FaultKind::WithholdPubAck, Some(6));
    let mut agent = online(&scene).await;
    // Either nothing was acknowledged for a while, or others were and these not.
    let is_unacknowledged =
        |event: &Event| matches!(event, Event::Lost { why, .. } if why.contains("acknowledge"));
    agent.wait_until("a missed acknowledgement", |events| events.iter().any(is_unacknowledged)).await;
    online_times(&mut agent, 2).await;
    scene.inject(FaultyService::AnyHub, FaultKind::DuplicatePubAck, Some(3));
    scene.wait_for_readings(&agent, 3).await;
    let tally = scene.finish(agent).await;
    assert!(tally.duplicates >= 1, "{tally:?}");
    assert_eq!(scene.cloud.hub.counters(DEVICE).unwrap().duplicates, tally.duplicates);
}

#[tokio::test(flavor = "multi_thread")]
async fn late_acknowledgements_are_waited_for() {
    let mut scene = Scene::new(1, Timing::default()).await;
    scene.prefill(100).await;
    scene.inject(FaultyService::AnyHub, FaultKind::DelayPubAck { delay: Duration::from_millis(700) }, None);
    let agent = online(&scene).await;
    scene.wait_for_readings(&agent, 104).await;
    let tally = scene.finish(agent).await;
    assert_eq!((tally.lost_connections, tally.duplicates), (0, 0), "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_is_not_acknowledged_is_noticed() {
    let scene = Scene::new(1, fast()).await;
    // The first packet after CONNECT.
    scene.inject(FaultyService::AnyHub, FaultKind::BlackHole, Some(1));
    let agent = online(&scene).await;
    scene.wait_for_readings(&agent, 1).await;
    // Without subscriptions the settings that this sends would never arrive.
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_identity_leads_to_dps() {
    for code in [2, 4, 5] {
        let scene = Scene::new(NEVER, fast()).await;
        scene.inject(FaultyService::AnyHub, FaultKind::RefuseConnect { code }, Some(1));
        let agent = online(&scene).await;
        assert_eq!(registrations(&agent), 2, "CONNACK {code}: {}", agent.story());
        scene.finish(agent).await;
    }
}

/// The wait that the cloud saw between a refusal of its own and the next request.
fn waits_after_refusal(scene: &Scene) -> Vec<Duration> {
    let refusals = times_of(scene, |kind| matches!(kind, EventKind::RegistrationRefused { .. }));
    let requests = times_of(scene, |kind| {
        matches!(
            kind,
            EventKind::RegistrationRefused { .. } | EventKind::Assigning { .. } | EventKind::Assigned { .. }
        )
    });
    let next = |refusal: &DateTime<Utc>| requests.iter().find(|request| *request > refusal).copied();
    let wait = |refusal: &DateTime<Utc>| (next(refusal).unwrap() - refusal).to_std().unwrap();
    refusals.iter().map(wait).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dps_is_never_asked_sooner_than_it_wants() {
    let scene = Scene::new(NEVER, fast()).await;
    let asked = Duration::from_secs(3);
    for status in [429, 503] {
        let kind = FaultKind::DpsError { status, retry_after: Some(asked) };
        scene.inject(FaultyService::Dps, kind, Some(1));
    }
    let agent = scene.agent();
    // Throttled once more when it polls.
    scene
        .wait_for(&agent, "assigning", |record| {
            record.events.iter().any(|event| matches!(event.kind, EventKind::Assigning { .. }))
        })
        .await;
    let kind = FaultKind::DpsError { status: 429, retry_after: Some(asked) };
    scene.inject(FaultyService::Dps, kind, Some(1));
    scene.wait_for_readings(&agent, 1).await;
    let waits = waits_after_refusal(&scene);
    assert!(waits.len() >= 2 && waits.iter().all(|wait| *wait >= asked), "{waits:?}");
    let tally = scene.finish(agent).await;
    assert_eq!(tally.registrations, 1, "short waits are waited on one connection: {tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dps_that_fails_without_a_word_is_asked_ever_more_rarely() {
    let scene = Scene::new(NEVER, fast()).await;
    scene.inject(FaultyService::Dps, FaultKind::DpsError { status: 500, retry_after: None }, Some(2));
    let agent = online(&scene).await;
    let waits = waits_after_refusal(&scene);
    assert!(waits.len() == 2 && waits[0] >= Duration::from_secs(2), "{waits:?}");
    assert!(waits[1] >= Duration::from_secs(4), "{waits:?}");
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_from_dps_is_no_answer() {
    let scene = Scene::new(1, fast()).await;
    scene.inject(FaultyService::Dps, FaultKind::GarbageBody, Some(3));
    let mut agent = scene.agent();
    let text = agent.wait_for_words("no hub from DPS").await;
    assert!(text.contains("DPS registration answer"), "{text}");
    agent.wait_for_words("online at").await;
    let tally = scene.finish(agent).await;
    assert_eq!(tally.registrations, 4, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dps_that_never_decides_is_asked_at_its_own_pace() {
    let scene = Scene::new(1, fast()).await;
    scene.inject(FaultyService::Dps, FaultKind::NeverAssign, None);
    let mut agent = scene.agent();
    agent.wait_for_words("asking DPS").await;
    sleep(Duration::from_secs(4)).await;
    assert_eq!(registrations(&agent), 1, "it polls, it does not begin anew: {}", agent.story());
    scene.heal();
    agent.wait_for_words("online at").await;
    assert_eq!(registrations(&agent), 1, "{}", agent.story());
    let tally = scene.finish(agent).await;
    assert!(tally.taken >= 3, "it measured all the time: {tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_device_comes_back_through_dps() {
    let scene = Scene::new(1, fast()).await;
    let mut agent = online(&scene).await;
    scene.wait_for_readings(&agent, 1).await;
    scene.delete_device();
    online_times(&mut agent, 2).await;
    let tally = scene.finish(agent).await;
    assert_eq!(tally.registrations, 2, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_moved_follows() {
    let scene = Scene::new(1, fast()).await;
    let mut agent = online(&scene).await;
    scene.wait_for_readings(&agent, 1).await;
    scene.assign_to(SECOND_HUB);
    scene.delete_device();
    agent.wait_for_words(&format!("online at {SECOND_HUB}")).await;
    scene
        .wait_for(&agent, "readings at the second hub", |record| {
            record.arrivals.iter().any(|arrival| arrival.hub == SECOND_HUB)
        })
        .await;
    let tally = scene.finish(agent).await;
    assert_eq!(tally.registrations, 2, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_device_keeps_measuring_and_comes_back_when_it_is_enabled() {
    let scene = Scene::new(1, fast()).await;
    let mut agent = online(&scene).await;
    scene.disable();
    scene.delete_device();
    agent.wait_for_words("DPS refuses this device").await;
    let before = scene.record().arrivals.len();
    sleep(Duration::from_secs(3)).await;
    assert_eq!(scene.record().arrivals.len(), before, "it is not at any hub");
    scene.enable();
    online_times(&mut agent, 2).await;
    // Three readings were taken meanwhile, and more since.
    scene.wait_for_readings(&agent, 3).await;
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_certificate_is_used_without_a_restart() {
    let scene = Scene::new(1, fast()).await;
    let mut agent = online(&scene).await;
    scene.wait_for_readings(&agent, 1).await;
    let thumbprint = || {
        let device = scene.cloud.hub.device(DEVICE).unwrap();
        serde_json::to_value(device.authentication).unwrap()["x509Thumbprint"]["primaryThumbprint"].clone()
    };
    let old = thumbprint();
    // The same name, another key.
    scene.cloud.device(DEVICE).unwrap();
    online_times(&mut agent, 2).await;
    assert_ne!(thumbprint(), old, "it was registered anew: {}", agent.story());
    let tally = scene.finish(agent).await;
    assert_eq!(tally.registrations, 2, "{tally:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_renewal_does_not_end_a_good_connection() {
    let scene = Scene::new(1, fast()).await;
    let mut agent = online(&scene).await;
    let certificate = scene.config.identity.certificate.clone();
    // The certificate is there before its key, and then nothing that could be one.
    let key = match &scene.config.identity.key {
        KeyLocation::File(path) => path.clone(),
        KeyLocation::Token(_) => unreachable!("the laboratory has files"),
    };
    let old_key = std::fs::read(&key).unwrap();
    scene.cloud.device(DEVICE).unwrap();
    let new_key = std::fs::read(&key).unwrap();
    std::fs::write(&key, old_key).unwrap();
    agent.wait_for_words("the new certificate can't be used, and the one in use stays: ").await;
    let renewed = std::fs::read(&certificate).unwrap();
    std::fs::write(&certificate, "no certificate").unwrap();
    scene.wait_for_readings(&agent, 3).await;
    assert_eq!(count(&agent, |event| matches!(event, Event::Lost { .. } | Event::CertificateChanged)), 0);
    // Not even where the connection must be made anew meanwhile.
    scene.drop_connection();
    online_times(&mut agent, 2).await;
    std::fs::write(&certificate, renewed).unwrap();
    std::fs::write(&key, new_key).unwrap();
    online_times(&mut agent, 3).await;
    assert_eq!(count(&agent, |event| matches!(event, Event::CertificateChanged)), 1, "{}", agent.story());
    let told = agent.story().matches("the one in use stays").count();
    assert!((1..=6).contains(&told), "each trouble is told once: {}", agent.story());
    scene.finish(agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replaced_certificate_ends_a_refusal() {
    let timing = Timing { refused: Timing::default().refused, ..fast() };
    let scene = Scene::new(1, timing).await;
    scene.disable();
    let mut agent = scene.agent();
    agent.wait_for_words("DPS refuses this device").await;
    scene.enable();
    scene.cloud.device(DEVICE).unwrap();
    // Minutes before the device would have asked by itself.
    agent.wait_for_words("online at").await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_clients_with_one_identity_back_off() {
    let scene = Scene::new(NEVER, fast()).await;
    let mut other = scene.config.clone();
    other.state.directory.set_file_name("other-state");
    other.connection.gateway = Some(Endpoint::local(scene.cloud.emulator.port()));
    let mut first = online(&scene).await;
    let mut second = Agent::start_with(other, None, None, fast());
    let taken_over = |events: &[Event]| {
        let taken_over = |event: &&Event| matches!(event, Event::Lost { loss: Loss::TakenOver, .. });
        events.iter().filter(taken_over).count() >= 3
    };
    tokio::select! {
        () = first.wait_until("takeovers", taken_over) => {}
        () = second.wait_until("takeovers", taken_over) => {}
    }
    let mut tally = Tally::default();
    check_attempts(first.age(), &first.events(), &mut tally);
    check_attempts(second.age(), &second.events(), &mut tally);
    second.stop().await;
    let times = count(&first, |event| matches!(event, Event::Online { .. }));
    let lost = count(&first, |event| matches!(event, Event::Lost { .. }));
    online_times(&mut first, times.max(lost + 1)).await;
    first.stop().await;
}
