//! Ten thousand containers are powered at the same moment, against what Azure takes: a hub of size S1 a hundred
//! connections a second, DPS a thousand registrations a minute. What it refuses is tried again, and everyone gets there no
//! later than by older rules, by which each start, warm or cold, waited for a random part of five seconds.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use container_tracker::link::timing::Timing;
use container_tracker::link::{LinkError, LinkErrorKind};
use container_tracker::uplink::assignment::{Assignment, Terms};
use container_tracker::uplink::lifecycle::{Action, Lifecycle};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use tracker_protocol::dps::{self, Outcome};

const FLEET: usize = 10_000;
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// TCP, TLS and CONNECT on a link of 200 ms.
const TO_ANSWER: Duration = Duration::from_millis(800);

/// Takes so many a second on average, and as many at once as `room`.
struct Limit {
    per_second: f64,
    room: f64,
    left: f64,
    at: Duration,
}

impl Limit {
    fn new(per_second: f64, room: f64) -> Self {
        Self { per_second, room, left: room, at: Duration::ZERO }
    }

    fn takes(&mut self, now: Duration) -> bool {
        let since = now.saturating_sub(self.at).as_secs_f64();
        (self.left, self.at) = ((self.left + since * self.per_second).min(self.room), now);
        let takes = self.left >= 1.0;
        self.left -= f64::from(u8::from(takes));
        takes
    }
}

fn assignment() -> Assignment {
    Assignment {
        hub: "hub".into(),
        device_id: "device".into(),
        terms: terms(),
        waits_for_connack: false,
        profile: None,
    }
}

fn terms() -> Terms {
    Terms { thumbprint: "thumbprint".into(), id_scope: "scope".into(), dps_host: "dps".into() }
}

/// Seconds until half, 99 of 100 and all were online; and requests of one device, the mean.
#[derive(Debug, Clone, Copy)]
struct Start {
    half: f64,
    nearly_all: f64,
    all: f64,
    requests: f64,
}

fn start(timing: &Timing, known: Option<&Assignment>, first_wait: Duration, seed: u64) -> Start {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let (mut hub, mut dps) = (Limit::new(100.0, 100.0), Limit::new(1000.0 / 60.0, 1000.0));
    let mut fleet: Vec<Lifecycle> = (0..FLEET)
        .map(|_| Lifecycle::new(timing.clone(), known.cloned(), first_wait.mul_f64(random.random())))
        .collect();
    let mut due: BinaryHeap<_> =
        fleet.iter().enumerate().map(|(n, life)| Reverse((life.next().at, n))).collect();
    let (mut online, mut requests) = (Vec::new(), 0);
    while let Some(Reverse((at, n))) = due.pop() {
        let now = at + TO_ANSWER;
        let life = &mut fleet[n];
        requests += 1;
        match life.next().action {
            Action::Register => {
                let outcome = if dps.takes(now) {
                    let (hub, device_id) = ("hub".into(), "device".into());
                    Outcome::Assigned(dps::Assignment {
                        hub,
                        device_id,
                        substatus: None,
                        payload: None,
                        issued: None,
                        connection_profile: None,
                    })
                } else {
                    Outcome::TryLater { retry_after: None, why: String::new() }
                };
                life.registered(now, random.random(), &Ok(outcome), &terms());
            }
            Action::Connect(_) if hub.takes(now) => {
                online.push(now.as_secs_f64());
                continue;
            }
            Action::Connect(_) => {
                let error = LinkError { kind: LinkErrorKind::Answered, why: String::new() };
                life.connect_failed(now, random.random(), &error);
            }
        }
        due.push(Reverse((life.next().at, n)));
    }
    online.sort_by(f64::total_cmp);
    Start {
        half: online[FLEET / 2],
        nearly_all: online[FLEET * 99 / 100],
        all: online[FLEET - 1],
        requests: f64::from(requests) / FLEET as f64,
    }
}

#[test]
fn ten_thousand_containers_powered_at_once_come_online_no_later_than_before() {
    let mut before = Timing::default();
    before.throttled_first = before.attempts.first;
    let now = Timing::default();
    let known = assignment();
    for (name, known, first_wait) in [("cold", None, FIRST_WAIT), ("warm", Some(&known), Duration::ZERO)] {
        let mean = |timing: &Timing, first_wait| {
            let starts: Vec<Start> = (0..5).map(|seed| start(timing, known, first_wait, seed)).collect();
            let of = |what: fn(&Start) -> f64| starts.iter().map(what).sum::<f64>() / starts.len() as f64;
            Start {
                half: of(|start| start.half),
                nearly_all: of(|start| start.nearly_all),
                all: of(|start| start.all),
                requests: of(|start| start.requests),
            }
        };
        let (before, now) = (mean(&before, FIRST_WAIT), mean(&now, first_wait));
        println!("{name}, before: {before:.0?}");
        println!("{name}, now:    {now:.0?}");
        for (was, is) in [
            (before.half, now.half),
            (before.nearly_all, now.nearly_all),
            (before.all, now.all),
            (before.requests, now.requests),
        ] {
            // So much is what the chance of five fleets makes of the same.
            assert!(is <= was * 1.02 + 1.0, "{name}: {before:?}, now {now:?}");
        }
    }
}
