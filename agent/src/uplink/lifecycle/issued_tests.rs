//! The same state machine where the hub judges the device by a certificate that was issued.

use proptest::prelude::*;
use tracker_protocol::dps::{Refusal, RefusalKind};

use super::*;

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn terms() -> Terms {
    Terms { thumbprint: "t".into(), id_scope: "s".into(), dps_host: "g".into() }
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

fn error(kind: LinkErrorKind) -> LinkError {
    LinkError { kind, why: String::new() }
}

fn refused() -> Result<Outcome, LinkError> {
    Ok(Outcome::Refused(Refusal { kind: RefusalKind::Disabled, code: 0, message: String::new() }))
}

fn later() -> Result<Outcome, LinkError> {
    Ok(Outcome::TryLater { retry_after: None, why: String::new() })
}

fn life(issued: Issued) -> Lifecycle {
    let mut life = Lifecycle::new(Timing::default(), Some(assignment()), secs(0));
    life.has_issued(issued);
    life
}

#[test]
fn refused_by_both_it_asks_them_in_turn_and_rarely() {
    let mut life = life(Issued::Usable);
    let (mut now, mut connects, mut registers) = (secs(0), 0, 0);
    while now < secs(24 * 3600) {
        match life.next().action {
            Action::Connect(_) => {
                connects += 1;
                life.connect_failed(now, 0.0, &error(LinkErrorKind::Identity));
            }
            Action::Register => {
                registers += 1;
                assert_eq!(life.registered(now, 0.0, &refused(), &terms()), Registered::AsBefore);
                assert_eq!(life.state(), State::Refused);
            }
        }
        now = life.next().at;
    }
    assert_eq!(connects, registers, "in turn");
    assert!((24..=24 * 12 + 1).contains(&registers), "{registers} a day");
    // The hub takes it after all.
    if life.next().action == Action::Register {
        life.registered(now, 0.0, &refused(), &terms());
    }
    life.connected(now);
    assert_eq!(life.state(), State::Online);
}

#[test]
fn with_nothing_to_show_only_dps_is_asked_and_the_assignment_is_kept() {
    let mut life = life(Issued::Unusable);
    assert_eq!((life.next().action, life.state()), (Action::Register, State::Registering));
    let mut now = secs(0);
    for outcome in [refused(), later(), Err(error(LinkErrorKind::Outage)), Err(error(LinkErrorKind::Silent))]
    {
        assert_eq!(life.registered(now, 0.5, &outcome, &terms()), Registered::AsBefore);
        assert_eq!(life.next().action, Action::Register);
        assert!(life.next().at > now, "{outcome:?}");
        now = life.next().at;
    }
    assert!(life.probe().is_some(), "nobody answers: it is only looked whether somebody does");
    // The clock was wrong, or the token away.
    life.has_issued(Issued::Usable);
    assert_eq!(life.next().action, Action::Connect(assignment()));
}

#[test]
fn dps_is_asked_aside_and_whatever_it_says_the_hub_goes_on() {
    for outcome in [refused(), later(), Err(error(LinkErrorKind::Silent))] {
        let mut life = life(Issued::Usable);
        life.connected(secs(0));
        life.ask_aside(secs(100));
        assert_eq!(life.next(), Next { action: Action::Register, at: secs(100) });
        assert_eq!(life.registered(secs(101), 0.5, &outcome, &terms()), Registered::AsBefore);
        assert_eq!(life.next(), Next { action: Action::Connect(assignment()), at: secs(101) });
        // The next time it is asked because the hub has refused, and waits count.
        life.connect_failed(secs(102), 0.5, &error(LinkErrorKind::Identity));
        life.registered(secs(103), 0.5, &refused(), &terms());
        assert!(life.next().at > secs(103 + 60), "{:?}", life.next());
    }
}

#[test]
fn who_can_not_ask_dps_goes_on_at_the_hub() {
    let mut life = life(Issued::Usable);
    life.ask_aside(secs(100));
    life.can_not_register(secs(100), 0.5);
    assert_eq!(life.next(), Next { action: Action::Connect(assignment()), at: secs(100) });
    // Refused there, it waits before it tries again.
    life.connect_failed(secs(101), 0.5, &error(LinkErrorKind::Identity));
    life.can_not_register(secs(101), 0.5);
    assert!(life.next().at > secs(101) && matches!(life.next().action, Action::Connect(_)));
}

proptest! {
    /// Whatever happens, the device never forgets its hub, and never does a thing twice within a blink; both hub and DPS are
    /// asked within a day as long as neither helps.
    #[test]
    fn neither_door_is_ever_closed(events in prop::collection::vec((0..7_u8, 0.0..1.0_f64), 1..200)) {
        let mut life = life(Issued::Usable);
        let mut now = secs(0);
        let (mut hub_at, mut dps_at) = (now, now);
        let (mut at_once, mut was_refused) = (0, false);
        for (event, jitter) in events {
            let action = life.next().action;
            match (&action, event) {
                (_, 6) => {
                    let issued = if was_refused { Issued::Usable } else { Issued::Unusable };
                    was_refused = !was_refused;
                    life.has_issued(issued);
                    // That is news, which is worth an attempt.
                    at_once = 0;
                    continue;
                }
                (Action::Connect(_), 0..3) => {
                    hub_at = now;
                    life.connect_failed(now, jitter, &error(LinkErrorKind::Identity));
                }
                (Action::Connect(_), _) => {
                    hub_at = now;
                    life.connect_failed(now, jitter, &error(LinkErrorKind::Certificate));
                }
                (Action::Register, 0 | 1) => { life.registered(now, jitter, &refused(), &terms()); }
                (Action::Register, 2 | 3) => { life.registered(now, jitter, &later(), &terms()); }
                (Action::Register, _) => {
                    life.registered(now, jitter, &Err(error(LinkErrorKind::Answered)), &terms());
                }
            }
            if action == Action::Register {
                dps_at = now;
            }
            prop_assert!(life.assignment().is_some());
            at_once = if life.next().at == now { at_once + 1 } else { 0 };
            prop_assert!(at_once <= 1, "no tight circle");
            now = life.next().at;
            if !was_refused {
                prop_assert!(now - hub_at < secs(24 * 3600));
            }
            prop_assert!(was_refused || now - dps_at < secs(3 * 24 * 3600));
        }
    }
}
