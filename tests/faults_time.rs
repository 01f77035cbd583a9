//! Days of trouble in simulated time: how often a device knocks at most, in every state.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use container_tracker::link::timing::Timing;
use container_tracker::link::{LinkError, LinkErrorKind};
use container_tracker::uplink::assignment::{Assignment, Terms};
use container_tracker::uplink::lifecycle::{Action, Lifecycle};
use tracker_protocol::dps::{self, Outcome, Refusal, RefusalKind};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const ROUND_TRIP: Duration = Duration::from_millis(100);

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    /// A number in `0.0..1.0`.
    fn jitter(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
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

fn error(kind: LinkErrorKind) -> LinkError {
    LinkError { kind, why: String::new() }
}

fn assigned() -> Outcome {
    Outcome::Assigned(dps::Assignment {
        hub: "hub".into(),
        device_id: "device".into(),
        substatus: None,
        payload: None,
        issued: None,
        connection_profile: None,
    })
}

fn refused() -> Outcome {
    Outcome::Refused(Refusal { kind: RefusalKind::Disabled, code: 0, message: String::new() })
}

/// What hub and DPS do in a model world.
struct World {
    dps: fn() -> Result<Outcome, LinkError>,
    /// How long the hub keeps a connection, or why it takes none.
    hub: fn(now: Duration) -> Result<(Duration, LinkErrorKind), LinkErrorKind>,
    /// The kernel tells so often that a link is up.
    link_up: Option<Duration>,
}

impl World {
    fn new(
        dps: fn() -> Result<Outcome, LinkError>,
        hub: fn(now: Duration) -> Result<(Duration, LinkErrorKind), LinkErrorKind>,
    ) -> Self {
        Self { dps, hub, link_up: None }
    }
}

/// When DPS and hub were asked.
#[derive(Default)]
struct Knocks {
    dps: Vec<Duration>,
    hub: Vec<Duration>,
    /// What a silent one of them was sent.
    syns: Vec<Duration>,
}

impl Knocks {
    /// Notes an attempt, and gives its length.
    fn knock(&mut self, now: Duration, at_dps: bool, silent: bool, life: &Lifecycle) -> Duration {
        let secs = Duration::from_secs;
        if !silent {
            let knocks = if at_dps { &mut self.dps } else { &mut self.hub };
            knocks.push(now);
            return ROUND_TRIP;
        }
        // As the kernel sends a SYN again, and a whole attempt fills the gaps.
        let (sent, lasts): (Vec<u64>, _) = match life.probe() {
            Some(probe) if probe.is_long => (vec![0, 1, 3], secs(5)),
            Some(_) => (vec![0], Duration::from_millis(950)),
            None => ([0, 1, 3].into_iter().chain((5..30).step_by(2)).collect(), secs(30)),
        };
        self.syns.extend(sent.into_iter().map(|after| now + secs(after)));
        lasts
    }
}

/// The next whole multiple of the period.
fn after(now: Duration, period: Duration) -> Duration {
    period * (now.div_duration_f64(period).floor() as u32 + 1)
}

/// Lives in a world for so long.
fn live(world: &World, known: Option<Assignment>, length: Duration, seed: u64) -> Knocks {
    let mut chance = Chance(seed);
    let mut life = Lifecycle::new(Timing::default(), known, Duration::ZERO);
    let mut knocks = Knocks::default();
    let mut now = Duration::ZERO;
    loop {
        let mut next = life.next();
        if let Some(period) = world.link_up {
            let mut up = after(now, period);
            while up < next.at {
                life.network_up(up, chance.jitter());
                next = life.next();
                now = up;
                up = after(up, period);
            }
        }
        now = now.max(next.at);
        if now >= length {
            return knocks;
        }
        match next.action {
            Action::Register => {
                let answer = (world.dps)();
                let silent = answer.as_ref().is_err_and(|error| error.kind == LinkErrorKind::Silent);
                now += knocks.knock(now, true, silent, &life);
                life.registered(now, chance.jitter(), &answer, &terms());
            }
            Action::Connect(_) => {
                let answer = (world.hub)(now);
                now += knocks.knock(now, false, answer == Err(LinkErrorKind::Silent), &life);
                match answer {
                    Ok((spell, end)) => {
                        life.connected(now);
                        now += spell;
                        life.lost(now, chance.jitter(), end);
                    }
                    Err(kind) => life.connect_failed(now, chance.jitter(), &error(kind)),
                }
            }
        }
    }
}

/// The mean in an hour once the waits have grown, which takes less than an hour.
fn settled_per_hour(knocks: &[Duration], length: Duration) -> f64 {
    let settled = knocks.iter().filter(|at| **at >= HOUR).count();
    settled as f64 / ((length - HOUR).as_secs_f64() / 3600.0)
}

/// The busiest hour of all.
fn busiest_hour(knocks: &[Duration]) -> usize {
    let from = |first: usize| knocks.partition_point(|at| *at < knocks[first] + HOUR) - first;
    (0..knocks.len()).map(from).max().unwrap_or(0)
}

/// In many worlds at once: the busiest hour of all, and the mean of the settled hours.
fn worst(world: &World, known: Option<&Assignment>, which: fn(&Knocks) -> &[Duration]) -> (usize, f64) {
    let length = 2 * DAY;
    let lives: Vec<Knocks> = (0..50).map(|seed| live(world, known.cloned(), length, seed)).collect();
    let busiest = lives.iter().map(|knocks| busiest_hour(which(knocks))).max().unwrap();
    let mean = lives.iter().map(|knocks| settled_per_hour(which(knocks), length)).sum::<f64>() / 50.0;
    (busiest, mean)
}

fn at_dps(knocks: &Knocks) -> &[Duration] {
    &knocks.dps
}

fn syns(knocks: &Knocks) -> &[Duration] {
    &knocks.syns
}

fn at_hub(knocks: &Knocks) -> &[Duration] {
    &knocks.hub
}

const SILENT: fn(Duration) -> Result<(Duration, LinkErrorKind), LinkErrorKind> =
    |_| Err(LinkErrorKind::Outage);
const ASSIGNS: fn() -> Result<Outcome, LinkError> = || Ok(assigned());

#[test]
fn a_refused_device_asks_about_twice_an_hour() {
    let world = World::new(|| Ok(refused()), SILENT);
    let (busiest, mean) = worst(&world, None, at_dps);
    println!("refused: DPS {mean:.1} an hour, {busiest} in the busiest");
    assert!(mean <= 2.0 && busiest <= 8, "{mean} {busiest}");
}

#[test]
fn a_dps_that_fails_is_asked_a_dozen_times_an_hour() {
    for (name, dps) in [
        ("unreachable", (|| Err(error(LinkErrorKind::Outage))) as fn() -> Result<Outcome, LinkError>),
        ("refusing connections", || Err(error(LinkErrorKind::Identity))),
        ("failing", || Ok(Outcome::TryLater { retry_after: None, why: String::new() })),
    ] {
        let (busiest, mean) = worst(&World::new(dps, SILENT), None, at_dps);
        println!("DPS {name}: {mean:.1} an hour, {busiest} in the busiest");
        assert!(mean <= 12.5 && busiest <= 25, "{name}: {mean} {busiest}");
    }
}

#[test]
fn a_throttling_dps_is_never_asked_sooner_than_it_wants() {
    let asked = Duration::from_mins(2);
    let dps = || Ok(Outcome::TryLater { retry_after: Some(Duration::from_mins(2)), why: String::new() });
    for seed in 0..50 {
        let knocks = live(&World::new(dps, SILENT), None, DAY, seed);
        assert!(knocks.dps.windows(2).all(|pair| pair[1] - pair[0] >= asked), "seed {seed}");
    }
    let (busiest, mean) = worst(&World::new(dps, SILENT), None, at_dps);
    println!("throttled for 120 s: DPS {mean:.1} an hour, {busiest} in the busiest");
    assert!(mean <= 12.5 && busiest <= 25, "{mean} {busiest}");
}

#[test]
fn a_silent_hub_is_knocked_at_a_dozen_times_an_hour_and_dps_never() {
    let world = World::new(ASSIGNS, SILENT);
    let (busiest, mean) = worst(&world, Some(&assignment()), at_hub);
    println!("hub silent: hub {mean:.1} an hour, {busiest} in the busiest");
    assert!(mean <= 12.5 && busiest <= 25, "{mean} {busiest}");
    assert!(live(&world, Some(assignment()), 10 * DAY, 1).dps.is_empty());
}

#[test]
fn while_nobody_answers_a_syn_is_sent_every_two_seconds_and_every_ten_after_an_hour() {
    let nobody = |_| Err(LinkErrorKind::Silent);
    for known in [None, Some(assignment())] {
        let world = World::new(|| Err(error(LinkErrorKind::Silent)), nobody);
        let (busiest, mean) = worst(&world, known.as_ref(), syns);
        println!("nobody answers: {mean:.0} SYNs an hour, {busiest} in the busiest");
        assert!(mean <= 430.0 && busiest <= 1000, "{mean} {busiest}");
        let knocks = live(&world, known, DAY, 1);
        assert!(knocks.dps.is_empty() && knocks.hub.is_empty());
        let syns = &knocks.syns;
        let first = syns.iter().filter(|at| **at < Duration::from_mins(10)).count();
        assert!((270..=320).contains(&first), "{first} in the first ten minutes");
        let gap = |from: Duration, to: Duration| {
            let pairs = syns.windows(2).filter(|pair| pair[0] >= from && pair[0] < to);
            pairs.map(|pair| pair[1] - pair[0]).max().unwrap()
        };
        let (soon, late) = (gap(Duration::ZERO, Duration::from_mins(10)), gap(HOUR, DAY));
        assert!(soon <= Duration::from_millis(3300), "a hole of {soon:?}");
        assert!(late <= Duration::from_secs(14), "a hole of {late:?}");
    }
}

#[test]
fn a_machine_without_a_server_is_asked_soon_and_then_every_minute_at_most() {
    let world = World::new(ASSIGNS, |_| Err(LinkErrorKind::NobodyListens));
    let (busiest, mean) = worst(&world, Some(&assignment()), at_hub);
    let (busiest_dps, mean_dps) = worst(&world, Some(&assignment()), at_dps);
    println!(
        "refused at TCP: hub {mean:.1} an hour, {busiest} in the busiest; DPS {mean_dps:.1}, {busiest_dps}"
    );
    assert!(mean <= 125.0 && busiest <= 220, "{mean} {busiest}");
    assert!(mean_dps <= 4.0 && busiest_dps <= 4, "{mean_dps} {busiest_dps}");
    for seed in 0..50 {
        let knocks = live(&world, Some(assignment()), HOUR, seed).hub;
        let gaps = knocks.windows(2).map(|pair| (pair[0], pair[1] - pair[0]));
        for (at, gap) in gaps {
            let most = if at < Duration::from_mins(2) { 3 } else { 70 };
            assert!(gap >= Duration::from_secs(1) && gap <= Duration::from_secs(most), "{gap:?} at {at:?}");
        }
    }
    let (busiest, mean) =
        worst(&World::new(|| Err(error(LinkErrorKind::NobodyListens)), SILENT), None, at_dps);
    assert!(mean <= 125.0 && busiest <= 220, "{mean} {busiest}");
}

/// Half of a link's outages end in a moment in which nothing is under way: the next SYN decides.
#[test]
fn an_outage_ends_within_three_seconds_of_the_networks() {
    for (kind, lasts) in
        [(LinkErrorKind::Silent, 356), (LinkErrorKind::NobodyListens, 20), (LinkErrorKind::NobodyListens, 60)]
    {
        let mut late = 0;
        for seed in 0..1000 {
            let mut chance = Chance(seed);
            let over = Duration::from_secs(1000 + lasts).mul_f64(1.0 + chance.jitter() / 100.0);
            let mut life = Lifecycle::new(Timing::default(), Some(assignment()), Duration::ZERO);
            life.connected(Duration::ZERO);
            life.lost(Duration::from_secs(1000), chance.jitter(), LinkErrorKind::Closed);
            // The moment of the SYN that is answered.
            let answered = loop {
                let now = life.next().at;
                let mut knocks = Knocks::default();
                let lasts = knocks.knock(now, false, kind == LinkErrorKind::Silent, &life);
                let tried = if knocks.syns.is_empty() { &knocks.hub } else { &knocks.syns };
                if let Some(at) = tried.iter().find(|at| **at >= over) {
                    break *at;
                }
                life.connect_failed(now + lasts, chance.jitter(), &error(kind));
            };
            // Four round trips of 200 ms follow.
            late += u32::from(answered + Duration::from_millis(800) > over + Duration::from_secs(3));
        }
        println!("{kind:?} for {lasts} s: {late} of 1000 come later than 3 s");
        assert!(late <= 100, "{kind:?} for {lasts} s: {late} of 1000");
    }
}

#[test]
fn a_hub_that_is_ill_is_asked_about_rarely() {
    let world = World::new(ASSIGNS, |_| Err(LinkErrorKind::Answered));
    let (busiest, mean) = worst(&world, Some(&assignment()), at_hub);
    let (busiest_dps, mean_dps) = worst(&world, Some(&assignment()), at_dps);
    println!("hub ill: hub {mean:.1} an hour, {busiest} in the busiest; DPS {mean_dps:.1}, {busiest_dps}");
    assert!(mean <= 12.5 && busiest <= 25, "{mean} {busiest}");
    assert!(mean_dps <= 2.0 && busiest_dps <= 4, "{mean_dps} {busiest_dps}");
}

#[test]
fn a_hub_that_refuses_whom_dps_assigned_is_not_hammered() {
    let world = World::new(ASSIGNS, |_| Err(LinkErrorKind::Identity));
    let (busiest, mean) = worst(&world, Some(&assignment()), at_hub);
    let (busiest_dps, mean_dps) = worst(&world, Some(&assignment()), at_dps);
    println!(
        "hub refuses: hub {mean:.1} an hour, {busiest} in the busiest; DPS {mean_dps:.1}, {busiest_dps}"
    );
    assert!(mean <= 12.5 && busiest <= 25, "{mean} {busiest}");
    assert!(mean_dps <= 12.5 && busiest_dps <= 25, "{mean_dps} {busiest_dps}");
}

#[test]
fn a_takeover_is_backed_off() {
    let world = World::new(ASSIGNS, |_| Ok((Duration::from_secs(2), LinkErrorKind::Closed)));
    let (busiest, mean) = worst(&world, Some(&assignment()), at_hub);
    println!("taken over: hub {mean:.1} an hour, {busiest} in the busiest");
    assert!(mean <= 12.5 && busiest <= 25, "{mean} {busiest}");
}

#[test]
fn short_spells_are_backed_off_and_good_ones_are_not() {
    let short = World::new(ASSIGNS, |_| Ok((Duration::from_secs(30), LinkErrorKind::Outage)));
    let (busiest, mean) = worst(&short, Some(&assignment()), at_hub);
    println!("spells of 30 s: hub {mean:.1} an hour, {busiest} in the busiest");
    assert!(mean <= 12.5 && busiest <= 25, "{mean} {busiest}");
    let good = World::new(ASSIGNS, |_| Ok((Duration::from_secs(61), LinkErrorKind::Outage)));
    let (busiest, mean) = worst(&good, Some(&assignment()), at_hub);
    println!("spells of 61 s: hub {mean:.1} an hour, {busiest} in the busiest");
    assert!(busiest <= 60 && mean >= 57.0, "it comes back within a second: {mean} {busiest}");
}

/// Up for so many seconds, then down for as many.
fn flapping<const SECONDS: u64>(now: Duration) -> Result<(Duration, LinkErrorKind), LinkErrorKind> {
    let half = Duration::from_secs(SECONDS);
    let since_up = now - (after(now, 2 * half) - 2 * half);
    if since_up < half { Ok((half - since_up, LinkErrorKind::Outage)) } else { Err(LinkErrorKind::Outage) }
}

/// The share of the possible time that the device was online in a day of flapping.
fn online_share(world: &World, seed: u64) -> f64 {
    let knocks = live(world, Some(assignment()), DAY, seed);
    assert!(knocks.dps.is_empty(), "an outage is no reason to ask DPS");
    let spells = knocks.hub.iter().filter_map(|at| (world.hub)(*at).ok());
    spells.map(|(spell, _)| spell).sum::<Duration>().div_duration_f64(DAY / 2)
}

#[test]
fn a_day_of_flapping() {
    let mut world = World::new(ASSIGNS, flapping::<300>);
    let unaware = (0..50).map(|seed| online_share(&world, seed)).fold(1.0, f64::min);
    world.link_up = Some(Duration::from_mins(10));
    let aware = (0..50).map(|seed| online_share(&world, seed)).fold(1.0, f64::min);
    let (busiest, mean) = worst(&world, Some(&assignment()), at_hub);
    println!("up and down for 5 min: hub {mean:.1} an hour, {busiest} in the busiest");
    println!("online {unaware:.2} of what is possible, {aware:.2} where the kernel tells of the link");
    assert!(unaware >= 0.35, "{unaware}");
    assert!(aware >= 0.98, "{aware}");
    assert!(busiest <= 60, "{mean} {busiest}");
}

#[test]
fn a_link_that_flaps_every_few_seconds_wakes_the_device_ever_more_rarely() {
    for hub in [SILENT, flapping::<5>] {
        let world = World { link_up: Some(Duration::from_secs(10)), ..World::new(ASSIGNS, hub) };
        let (busiest, mean) = worst(&world, Some(&assignment()), at_hub);
        println!("up and down for 5 s: hub {mean:.1} an hour, {busiest} in the busiest");
        assert!(mean <= 19.0 && busiest <= 36, "{mean} {busiest}");
    }
}
