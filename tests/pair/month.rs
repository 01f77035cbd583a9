//! Months of troubles: whatever happens, the device comes back and agrees with its hub, and knocks no more often than the
//! table in the head of the lifecycle says.
//!
//! `PAIR_SEEDS=200` plays more seeds, `PAIR_FIRST_SEED=17` begins with another one.

use std::time::Duration;

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Map, json};

use super::log::busiest_hour;
use super::network::Network;
use super::operator::Operator;
use super::simulation::Pair;

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(720);
/// How often the operator looks, and perhaps does something.
const ROUND: Duration = Duration::from_mins(10);
/// So long after the last trouble all is well at the latest: an outage is noticed, a wait at the hub and one at DPS end.
const BACK_WITHIN: Duration = Duration::from_mins(25);
/// A device that was refused looks again within an hour.
const UNREFUSED_WITHIN: Duration = Duration::from_hours(1);
/// Seeds in a usual run.
const USUAL: u64 = 20;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

/// Weather from calm to bad.
fn weather(chance: &mut ChaCha8Rng) -> Network {
    let mut outages = Vec::new();
    let mut at = HOUR;
    while at < MONTH {
        at += (16 * HOUR).mul_f64(-f64::ln(1.0 - chance.random::<f64>())) + 2 * MINUTE;
        let longest = match chance.random_range(0..10) {
            0..6 => 30 * MINUTE,
            6..9 => 8 * HOUR,
            _ => 3 * DAY,
        };
        let end = at + MINUTE + longest.mul_f64(chance.random());
        outages.push(at..end);
        at = end;
    }
    outages.retain(|outage| outage.end < MONTH);
    Network {
        latency: Duration::from_millis(chance.random_range(20..2000)),
        jitter: Duration::from_millis(chance.random_range(0..1000)),
        loss: chance.random_range(0.0..0.03),
        reordering: chance.random_range(0.0..0.1),
        duplicates: chance.random_range(0.0..0.1),
        outages,
        tells_of_links: chance.random(),
        ..Network::default()
    }
}

/// A month, and what is known of it.
struct Month {
    pair: Pair,
    operator: Operator,
    /// When something was last wrong.
    trouble: Duration,
    /// Until when a device that was refused may wait.
    refused_until: Duration,
    /// How often faults have struck.
    struck: u32,
    /// How often all had to be well, and was.
    calm: u32,
}

impl Month {
    fn new(seed: u64) -> Self {
        let mut chance = ChaCha8Rng::seed_from_u64(seed ^ 0x006d_6f6e_7468);
        let pair = Pair::new(seed, weather(&mut chance));
        let operator = Operator::new(chance);
        Self { pair, operator, trouble: Duration::ZERO, refused_until: Duration::ZERO, struck: 0, calm: 0 }
    }

    /// Notes what is wrong now or was since the last look; gives the difference between device and hub.
    fn look_for_trouble(&mut self) -> Option<String> {
        let now = self.pair.now;
        let difference = self.pair.difference();
        let waits_for_fault = self.pair.cloud.faults_left() > 0 && difference.is_some();
        let struck = self.pair.cloud.faults_struck();
        let was_struck = std::mem::replace(&mut self.struck, struck) < struck;
        if self.operator.is_blocking() || was_struck || waits_for_fault {
            self.trouble = now;
        }
        if self.operator.is_blocking() {
            self.refused_until = now + UNREFUSED_WITHIN;
        }
        let outages = self.pair.network.outages.iter();
        let outage = outages.filter(|outage| outage.start <= now).map(|outage| outage.end.min(now)).max();
        let others = [outage.unwrap_or_default(), self.pair.network.last_loss, self.operator.last_move];
        self.trouble = others.into_iter().fold(self.trouble, Duration::max);
        difference
    }

    /// All must be well once no trouble has been for long enough.
    fn check(&mut self) {
        let difference = self.look_for_trouble();
        if self.pair.now < (self.trouble + BACK_WITHIN).max(self.refused_until + BACK_WITHIN)
            || self.pair.now < self.operator.last_wish + MINUTE
        {
            return;
        }
        let since = self.pair.now - self.trouble;
        assert_eq!(difference, None, "{since:?} after the last trouble, at {:?}", self.pair.now);
        self.calm += 1;
    }

    /// What must hold for the whole month.
    fn check_log(&self) {
        let log = &self.pair.device.log;
        assert!(log.versions().is_sorted(), "versions go back: {:?}", log.applied);
        assert_eq!(log.early, [], "DPS was asked sooner than it had said");
        let [dps, hub] = self.busiest();
        assert!(dps <= 25, "{dps} attempts at DPS in the busiest hour");
        assert!(hub <= 60, "{hub} attempts at the hub in the busiest hour");
    }

    /// The attempts in the busiest hour: at DPS and at hubs.
    fn busiest(&self) -> [usize; 2] {
        let log = &self.pair.device.log;
        [&log.dps_attempts, &log.hub_attempts].map(|attempts| busiest_hour(attempts, &log.boots))
    }

    /// What the month was like.
    fn tale(&self) -> String {
        let log = &self.pair.device.log;
        let [dps, hub] = self.busiest();
        format!(
            "{} outages, {} boots, {} faults; {} attempts at DPS ({dps} in the busiest hour), {} at hubs ({hub}); {} twin \
             requests, version {}; calm {} times",
            self.pair.network.outages.len(),
            log.boots.len(),
            self.struck,
            log.dps_attempts.len(),
            log.hub_attempts.len(),
            log.twin_requests.len(),
            log.version(),
            self.calm
        )
    }

    fn live(mut self) -> Self {
        self.pair.run_while(HOUR, |pair| pair.difference().is_some());
        while self.pair.now < MONTH {
            self.pair.run_for(ROUND);
            self.check();
            self.operator.act(&mut self.pair);
        }
        self.operator.make_peace(&self.pair);
        let outages = std::mem::take(&mut self.pair.network.outages);
        self.pair.network = Network { outages, ..Network::with_latency(MINUTE / 60) };
        self.pair.run_for(UNREFUSED_WITHIN + BACK_WITHIN);
        let last = Map::from_iter([("status".to_owned(), json!("the month is over"))]);
        self.pair.device.report(self.pair.now, last);
        self.pair.cloud.desire(json!({"firmware": "at last"}));
        self.pair.run_for(MINUTE);
        assert_eq!(self.pair.difference(), None);
        self.check_log();
        self
    }
}

#[test]
fn a_month_of_troubles() {
    let first = number("PAIR_FIRST_SEED", 1);
    for seed in first..first + number("PAIR_SEEDS", USUAL) {
        println!("seed {seed}");
        let month = Month::new(seed).live();
        println!("  {}", month.tale());
        assert!(month.calm > 1000, "hardly anything was checked: {}", month.calm);
    }
}

#[test]
fn a_seed_always_gives_the_same_month() {
    let [one, other] = [(); 2].map(|()| Month::new(number("PAIR_FIRST_SEED", 1)).live());
    let [one_log, other_log] = [&one, &other].map(|month| &month.pair.device.log);
    assert_eq!(one_log.applied, other_log.applied);
    assert_eq!(one_log.twin_requests, other_log.twin_requests);
    assert_eq!(one_log.hub_attempts, other_log.hub_attempts);
}
