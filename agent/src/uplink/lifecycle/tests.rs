//! What the state machine does, event by event. Days of it are in `tests/faults_time.rs`.

use proptest::prelude::*;

use super::*;
use tracker_protocol::dps::{Refusal, RefusalKind};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn assignment() -> Assignment {
    Assignment {
        hub: "h".into(),
        device_id: "d".into(),
        terms: terms(),
        waits_for_connack: false,
        profile: None,
    }
}

fn terms() -> Terms {
    Terms { thumbprint: "t".into(), id_scope: "s".into(), dps_host: "g".into() }
}

fn error(kind: LinkErrorKind) -> LinkError {
    LinkError { kind, why: String::new() }
}

fn assigned() -> Result<Outcome, LinkError> {
    Ok(Outcome::Assigned(tracker_protocol::dps::Assignment {
        hub: "h".into(),
        device_id: "d".into(),
        substatus: None,
        payload: None,
        issued: None,
        connection_profile: None,
    }))
}

fn refused() -> Result<Outcome, LinkError> {
    Ok(Outcome::Refused(Refusal { kind: RefusalKind::Disabled, code: 0, message: String::new() }))
}

fn online() -> Lifecycle {
    let mut life = Lifecycle::new(Timing::default(), Some(assignment()), secs(0));
    life.connected(secs(0));
    life
}

#[test]
fn a_stored_assignment_costs_no_dps_call() {
    assert_eq!(
        Lifecycle::new(Timing::default(), Some(assignment()), secs(3)).next(),
        Next { action: Action::Connect(assignment()), at: secs(3) }
    );
    assert_eq!(Lifecycle::new(Timing::default(), None, secs(0)).next().action, Action::Register);
}

#[test]
fn an_identity_refused_by_the_hub_leads_to_dps_at_once() {
    let mut life = online();
    life.lost(secs(100), 0.5, LinkErrorKind::Outage);
    life.connect_failed(secs(101), 0.5, &error(LinkErrorKind::Identity));
    assert_eq!(life.next(), Next { action: Action::Register, at: secs(101) });
    life.registered(secs(102), 0.5, &assigned(), &terms());
    assert_eq!(life.next(), Next { action: Action::Connect(assignment()), at: secs(102) });
    // Refused again by the hub just assigned: no tight circle.
    life.connect_failed(secs(103), 0.5, &error(LinkErrorKind::Identity));
    life.registered(secs(104), 0.5, &assigned(), &terms());
    assert!(life.next().at > secs(105), "{:?}", life.next());
}

#[test]
fn a_proxy_that_lets_nobody_through_is_asked_about_twice_an_hour_until_there_is_news() {
    for has_hub in [false, true] {
        let assignment = has_hub.then(assignment);
        let mut life = Lifecycle::new(Timing::default(), assignment, secs(0));
        let mut waits = Vec::new();
        for _ in 0..8 {
            let Next { action, at } = life.next();
            assert_eq!(action == Action::Register, !has_hub, "it is not the hub's fault");
            match action {
                Action::Register => {
                    life.registered(at, 1.0, &Err(error(LinkErrorKind::Barred)), &terms());
                }
                Action::Connect(_) => life.connect_failed(at, 1.0, &error(LinkErrorKind::Barred)),
            }
            life.network_up(at + secs(60), 0.0);
            assert_eq!(life.probe(), None);
            waits.push((life.next().at - at).as_secs());
        }
        assert!(waits.is_sorted() && waits[0] >= 300 && waits[7] == 3600, "{waits:?}");
        let now = life.next().at - secs(1000);
        life.nudge(now);
        assert_eq!(life.next().at, now, "a new password counts at once");
    }
}

#[test]
fn a_hub_that_says_no_for_good_is_left_alone_for_long_and_dps_is_asked_before_it_is_tried_again() {
    for kind in [LinkErrorKind::Terminal, LinkErrorKind::TakenOver] {
        let mut life = online();
        let mut now = secs(1000);
        let loss = life.lost(now, 0.5, kind);
        assert_eq!(loss == Loss::Displaced, kind == LinkErrorKind::TakenOver);
        let Next { action, at } = life.next();
        assert_eq!(action, Action::Connect(assignment()));
        assert!(at >= now + secs(300), "{at:?}");
        // A link that comes up is no news.
        life.network_up(now + secs(60), 0.0);
        assert_eq!(life.next().at, at);
        let mut waits = Vec::new();
        for _ in 0..8 {
            now = life.next().at;
            life.connect_failed(now, 1.0, &error(kind));
            waits.push((life.next().at - now).as_secs());
            assert_eq!(life.next().action, Action::Register);
            life.registered(life.next().at, 0.0, &assigned(), &terms());
        }
        assert!(waits.is_sorted() && waits[0] >= 300 && waits[7] == 3600, "{waits:?}");
        life.connect_failed(now, 0.5, &error(kind));
        life.nudge(now);
        assert_eq!(life.next().at, now, "an operator's word counts at once");
    }
}

#[test]
fn a_hub_that_has_moved_or_forgets_the_device_while_it_is_there_leads_to_dps_in_no_tight_circle() {
    for kind in [LinkErrorKind::Moved, LinkErrorKind::Identity] {
        let mut life = online();
        let mut now = secs(1000);
        let mut waits = Vec::new();
        for _ in 0..6 {
            life.lost(now, 1.0, kind);
            assert_eq!(life.next().action, Action::Register);
            waits.push((life.next().at - now).as_secs());
            now = life.next().at;
            life.registered(now, 1.0, &assigned(), &terms());
            assert_eq!(life.next(), Next { action: Action::Connect(assignment()), at: now });
            life.connected(now);
        }
        assert_eq!(waits[0], 1, "after a good spell at once");
        assert!(waits.is_sorted() && waits[5] > 60, "{waits:?}");
        life.connect_failed(now, 0.5, &error(kind));
        assert_eq!(life.next(), Next { action: Action::Register, at: now });
    }
}

#[test]
fn an_outage_never_leads_to_dps() {
    let mut life = online();
    let mut now = secs(1000);
    life.lost(now, 0.9, LinkErrorKind::Outage);
    for _ in 0..500 {
        now = life.next().at;
        assert_eq!(life.next().action, Action::Connect(assignment()));
        life.connect_failed(now, 0.9, &error(LinkErrorKind::Outage));
    }
    assert!(now > secs(86_400), "half a thousand attempts take more than a day: {now:?}");
}

#[test]
fn a_hub_that_answers_nonsense_for_long_leads_to_dps() {
    let mut life = online();
    life.lost(secs(1000), 0.5, LinkErrorKind::Outage);
    let mut attempts = 0;
    while matches!(life.next().action, Action::Connect(_)) {
        life.connect_failed(life.next().at, 0.5, &error(LinkErrorKind::Answered));
        attempts += 1;
    }
    assert!(attempts >= 10 && life.next().at >= secs(1000 + 900), "{attempts} {:?}", life.next());
    // DPS can't be reached either: it is an outage, and the old hub is tried again.
    life.registered(life.next().at, 0.5, &Err(error(LinkErrorKind::Outage)), &terms());
    assert_eq!(life.next().action, Action::Connect(assignment()));
}

#[test]
fn an_outage_between_them_does_not_excuse_answers_of_no_hub() {
    // The name of the hub is gone, and the network comes and goes as on a road.
    let mut life = Lifecycle::new(Timing::default(), Some(assignment()), secs(0));
    let kinds = [LinkErrorKind::Answered, LinkErrorKind::Answered, LinkErrorKind::Outage];
    let mut answers = 0;
    for kind in kinds.into_iter().cycle().take(60) {
        if life.next().action == Action::Register {
            break;
        }
        answers += u32::from(kind == LinkErrorKind::Answered);
        life.connect_failed(life.next().at, 0.5, &error(kind));
    }
    assert_eq!(life.next().action, Action::Register);
    assert!((10..20).contains(&answers), "{answers}");
}

#[test]
fn a_refused_device_asks_rarely_and_an_operator_wakes_it() {
    let mut life = Lifecycle::new(Timing::default(), None, secs(0));
    let mut requests = 0;
    let mut now = secs(0);
    // The shortest waits that chance can give.
    while now < secs(24 * 3600) {
        life.registered(now, 0.0, &refused(), &terms());
        assert_eq!(life.state(), State::Refused);
        requests += 1;
        now = life.next().at;
    }
    assert!(requests <= 24 * 12 + 1, "{requests} requests a day");
    life.nudge(now);
    assert_eq!(life.next(), Next { action: Action::Register, at: now });
}

#[test]
fn retry_after_is_obeyed() {
    let mut life = Lifecycle::new(Timing::default(), None, secs(0));
    let later = Outcome::TryLater { retry_after: Some(secs(120)), why: String::new() };
    life.registered(secs(10), 0.0, &Ok(later.clone()), &terms());
    assert_eq!(life.next(), Next { action: Action::Register, at: secs(130) });
    life.registered(secs(130), 1.0, &Ok(later), &terms());
    assert_eq!(life.next().at, secs(130 + 150));
}

/// Seconds as they come, and the ends of what a duration and a number can hold.
fn durations() -> impl Strategy<Value = Duration> {
    let ends = [0, 1, 86_400, 1_000_000_000_000, 1 << 63, u64::MAX].map(secs);
    prop_oneof![(0..100_000_u64).prop_map(secs), prop::sample::select(ends.to_vec()), Just(Duration::MAX)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any waits, asked for at any time, in any order of events: nothing overflows, and the next deed is within a day.
    #[test]
    fn no_duration_is_too_long(
        begin in durations(),
        events in prop::collection::vec((0..9_u8, durations(), 0.0..1.0_f64), 1..30),
    ) {
        let mut life = Lifecycle::new(Timing::default(), None, Duration::MAX);
        let mut now = begin;
        for (event, duration, jitter) in events {
            let later = Ok(Outcome::TryLater { retry_after: Some(duration), why: String::new() });
            match event {
                0 => { life.registered(now, jitter, &later, &terms()); }
                1 => { life.registered(now, jitter, &assigned(), &terms()); }
                2 => { life.registered(now, jitter, &refused(), &terms()); }
                3 => life.connect_failed(now, jitter, &error(LinkErrorKind::Answered)),
                4 => life.connect_failed(now, jitter, &error(LinkErrorKind::Outage)),
                5 => life.connected(now),
                6 => { life.lost(now, jitter, LinkErrorKind::Closed); }
                7 => life.network_up(now, jitter),
                _ => life.nudge(now),
            }
            if ![5, 7].contains(&event) {
                prop_assert!(life.next().at <= now.saturating_add(LONGEST_WAIT));
            }
            now = now.saturating_add(duration);
        }
    }
}

#[test]
fn a_takeover_is_recognised_and_backed_off() {
    let mut life = online();
    let mut now = secs(10_000);
    life.connected(now);
    let mut losses = Vec::new();
    let mut waits = Vec::new();
    for _ in 0..8 {
        losses.push(life.lost(now + secs(2), 0.99, LinkErrorKind::Closed));
        waits.push(life.next().at - now);
        now = life.next().at;
        life.connected(now);
    }
    assert_eq!(losses[..2], [Loss::Ordinary; 2]);
    assert_eq!(losses[2..], [Loss::TakenOver; 6]);
    assert!(waits[7] > secs(300), "{waits:?}");
    assert_eq!(life.lost(now + secs(3600), 0.5, LinkErrorKind::Outage), Loss::Ordinary);
}

#[test]
fn a_network_that_fails_again_and_again_is_no_takeover() {
    let mut life = online();
    let mut now = secs(10_000);
    for _ in 0..8 {
        assert_eq!(life.lost(now + secs(2), 0.5, LinkErrorKind::Outage), Loss::Ordinary);
        now = life.next().at;
        life.connected(now);
    }
}

#[test]
fn a_network_that_returns_wakes_a_waiting_device_but_not_a_throttled_one() {
    let mut life = online();
    life.lost(secs(1000), 0.5, LinkErrorKind::Outage);
    for _ in 0..8 {
        life.connect_failed(life.next().at, 0.99, &error(LinkErrorKind::Outage));
    }
    let later = life.next().at;
    life.network_up(later - secs(300), 0.5);
    assert_eq!(life.next().at, later - secs(299));
    life.connect_failed(later - secs(298), 0.99, &error(LinkErrorKind::Outage));
    let again = life.next().at;
    life.network_up(later - secs(290), 0.5);
    assert_eq!(life.next().at, again, "a link that flaps does not wake it each time");

    let mut throttled = Lifecycle::new(Timing::default(), None, secs(0));
    let later = Outcome::TryLater { retry_after: Some(secs(500)), why: String::new() };
    throttled.registered(secs(100), 0.0, &Ok(later), &terms());
    throttled.network_up(secs(200), 0.0);
    assert_eq!(throttled.next().at, secs(600));
}

#[test]
fn a_link_that_comes_up_is_probed_at_once() {
    let mut life = online();
    life.lost(secs(100), 0.5, LinkErrorKind::Outage);
    let mut now = secs(100);
    while now < secs(2 * 3600) {
        now = life.next().at;
        life.connect_failed(now + secs(1), 0.5, &error(LinkErrorKind::Silent));
    }
    assert!(life.next().at > now + secs(12), "every ten seconds after an hour");
    life.network_up(now + secs(5), 0.5);
    assert_eq!(life.next().at, now + secs(5));
    life.connect_failed(now + secs(6), 0.5, &error(LinkErrorKind::Silent));
    life.network_up(now + secs(6), 0.5);
    assert_eq!(life.next().at, now + secs(7), "not two SYNs in two seconds");
    life.connect_failed(now + secs(7), 0.5, &error(LinkErrorKind::Outage));
    assert_eq!(life.probe(), None, "somebody has answered");
}

#[test]
fn a_link_lost_after_a_good_spell_is_tried_again_at_once() {
    let mut life = online();
    life.lost(secs(3600), 0.5, LinkErrorKind::Outage);
    assert!(life.next().at <= secs(3601), "{:?}", life.next());
}
