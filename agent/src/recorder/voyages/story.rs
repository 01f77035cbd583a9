//! The story of a voyage, by seed: what became of cargo, box and device, and when. Nothing of the agent is in it.

use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand::seq::IndexedRandom;

use super::area::{Area, Fence};

pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
/// From power to the first reading.
const BOOTING: i64 = 20_000;
/// Readings of a voyage.
const READINGS: usize = 200;

/// What the instruments would see at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct World {
    /// °C and %RH, as the chip tells them: with two decimals.
    pub(super) temperature: Option<f64>,
    pub(super) humidity: Option<f64>,
    /// The chip gives nothing at all, and the agent knows.
    pub(super) chip_failed: bool,
    /// Longitude and latitude, and how exact.
    pub(super) fix: Option<((f64, f64), f64)>,
    pub(super) door_open: bool,
    /// Of the door, since the agent has started.
    pub(super) openings: u64,
}

/// What becomes of the device before a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    Nothing,
    /// The machine boots anew, after a shutdown or a power cut.
    Boot {
        in_good_order: bool,
    },
    /// The program alone is killed; the reading before waits for its commit.
    Kill,
    /// The program is stopped, and started.
    Restart,
}

/// What is sent after a reading: up to so many readings, and whether the acknowledgements arrive.
pub(super) type Sent = Option<(usize, bool)>;

/// One reading.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) before: Before,
    /// True time, in milliseconds since the voyage began.
    pub(super) at: i64,
    pub(super) boot_at: i64,
    /// The clock does: it is not that of 1970.
    pub(super) knows_time: bool,
    /// The boot ends without it: nobody will ever know when this was.
    pub(super) is_timeless: bool,
    pub(super) world: World,
    pub(super) sent: Sent,
}

/// A whole voyage.
#[derive(Debug)]
pub(super) struct Story {
    /// Milliseconds between readings.
    pub(super) interval: i64,
    pub(super) fences: Vec<Fence>,
    pub(super) steps: Vec<Step>,
    /// Before which step somebody begins a trip by method; else the first trip is the only one.
    pub(super) trip_from: Option<usize>,
    /// A boot ends before it has learnt the time.
    pub(super) has_timeless: bool,
}

impl Story {
    pub(super) fn new(chance: &mut ChaCha8Rng, may_be_timeless: bool) -> Self {
        let interval = [10, 15, 20].choose(chance).unwrap() * MINUTE;
        let mut steps = schedule(chance, interval, may_be_timeless);
        let until = steps.last().unwrap().at;
        let mut area = Area::new(chance, until);
        let cargo = Cargo::new(chance, until);
        cargo.fill(chance, &mut steps);
        area.fill(chance, &mut steps);
        outages(chance, &mut steps);
        let known: Vec<usize> =
            (2..steps.len() - 5).filter(|at| steps[*at].knows_time && steps[*at - 1].knows_time).collect();
        let trip_from = if chance.random() { known.choose(chance).copied() } else { None };
        let has_timeless = steps.iter().any(|step| step.is_timeless);
        Self { interval, fences: area.fences, steps, trip_from, has_timeless }
    }
}

/// When readings are taken, and in which boot.
fn schedule(chance: &mut ChaCha8Rng, interval: i64, may_be_timeless: bool) -> Vec<Step> {
    let mut unknown = if chance.random() { 0 } else { chance.random_range(1..12) };
    let (mut at, mut boot_at, mut steps) = (0, -BOOTING, Vec::<Step>::new());
    for number in 0..READINGS {
        let mut before = Before::Nothing;
        let knew = steps.last().is_none_or(|step| step.knows_time);
        if number > 0 {
            at += interval;
            if (knew || may_be_timeless) && chance.random_bool(0.02) {
                before = Before::Boot { in_good_order: chance.random() };
                // Without power: a moment with a clock that is set at once, or hours and one that wakes in 1970.
                let is_short = knew && chance.random();
                unknown = if is_short { 0 } else { chance.random_range(1..30) };
                at +=
                    if is_short { chance.random_range(0..20) } else { chance.random_range(5..60) } * interval;
                boot_at = at - BOOTING;
            } else if chance.random_bool(if knew { 0.012 } else { 0.05 }) {
                before = if chance.random() { Before::Kill } else { Before::Restart };
            } else if chance.random_bool(0.01) {
                // The machine hangs.
                at += chance.random_range(1..40) * interval;
            }
        }
        // It arrives, and knows.
        let knows_time = unknown == 0 || number + 10 > READINGS;
        unknown = (unknown - 1).max(0);
        let world = World::default();
        steps.push(Step { before, at, boot_at, knows_time, is_timeless: false, world, sent: None });
    }
    for number in 0..steps.len() {
        let boot = steps[number].boot_at;
        let learns =
            steps[number..].iter().take_while(|step| step.boot_at == boot).any(|step| step.knows_time);
        steps[number].is_timeless = !learns;
    }
    steps
}

/// Sends now and then, and in outages reaches nobody, or hears nothing back.
fn outages(chance: &mut ChaCha8Rng, steps: &mut [Step]) {
    let mut outage = 0;
    for step in steps {
        if chance.random_bool(0.03) {
            outage = chance.random_range(5..60);
        }
        outage = (outage - 1).max(0);
        if outage == 0 && chance.random_bool(0.35) {
            step.sent = Some((chance.random_range(1..60), chance.random_bool(0.7)));
        } else if outage > 0 && chance.random_bool(0.05) {
            step.sent = Some((chance.random_range(1..60), false));
        }
    }
}

/// A time of which something is to be told, and how much of it.
#[derive(Debug, Clone, Copy)]
struct Spell {
    from: i64,
    until: i64,
    size: f64,
}

impl Spell {
    fn holds(&self, at: i64) -> bool {
        (self.from..self.until).contains(&at)
    }
}

/// Spells one after the other, so far apart and so long, in milliseconds.
fn spells(
    chance: &mut ChaCha8Rng,
    end: i64,
    apart: std::ops::Range<i64>,
    long: std::ops::Range<i64>,
    size: std::ops::Range<f64>,
) -> Vec<Spell> {
    let (mut spells, mut at) = (Vec::new(), 0);
    loop {
        at += chance.random_range(apart.clone());
        if at >= end {
            return spells;
        }
        let until = at + chance.random_range(long.clone());
        spells.push(Spell { from: at, until, size: chance.random_range(size.clone()) });
        at = until;
    }
}

/// Air, door and chip.
struct Cargo {
    defrosts: Vec<Spell>,
    /// The reefer has no power, or cools too much.
    failures: Vec<Spell>,
    damp: Vec<Spell>,
    openings: Vec<Spell>,
    broken: Vec<Spell>,
}

impl Cargo {
    fn new(chance: &mut ChaCha8Rng, end: i64) -> Self {
        Self {
            defrosts: spells(chance, end, 5 * HOUR..9 * HOUR, 20 * MINUTE..70 * MINUTE, 1.0..7.0),
            failures: spells(chance, end, 8 * HOUR..60 * HOUR, 2 * HOUR..16 * HOUR, -8.0..24.0),
            damp: spells(chance, end, 6 * HOUR..40 * HOUR, 20 * MINUTE..9 * HOUR, 5.0..14.0),
            openings: spells(chance, end, HOUR..30 * HOUR, MINUTE..90 * MINUTE, 0.0..1.0),
            broken: spells(chance, end, 20 * HOUR..90 * HOUR, 10 * MINUTE..6 * HOUR, 0.0..1.0),
        }
    }

    /// Four degrees; a defrost warms the air like a hill, a failure lets it drift to what is outside and back.
    fn temperature(&self, at: i64) -> f64 {
        let defrost = self.defrosts.iter().find(|spell| spell.holds(at)).map_or(0.0, |spell| {
            let part = (at - spell.from) as f64 / (spell.until - spell.from) as f64;
            spell.size * (part * std::f64::consts::PI).sin()
        });
        let drift = |spell: &Spell| {
            let hours = |from: i64| (at - from) as f64 / HOUR as f64;
            let reached = |hours: f64| spell.size * (1.0 - (-hours / 9.0).exp());
            if spell.holds(at) {
                reached(hours(spell.from))
            } else if at >= spell.until {
                let most = reached((spell.until - spell.from) as f64 / HOUR as f64);
                most * (-hours(spell.until) / 1.5).exp()
            } else {
                0.0
            }
        };
        4.0 + defrost + self.failures.iter().map(drift).sum::<f64>()
    }

    fn fill(&self, chance: &mut ChaCha8Rng, steps: &mut [Step]) {
        // When the program that counts openings has started, and its last reading.
        let (mut started, mut opened) = (i64::MIN, 0);
        let mut last = i64::MIN;
        for step in steps {
            let at = step.at;
            if step.before != Before::Nothing {
                (started, opened) = (at, 0);
            }
            let new = self.openings.iter().filter(|door| door.from > last.max(started) && door.from <= at);
            opened += new.count() as u64;
            last = at;
            let chip_failed = self.broken.iter().any(|spell| spell.holds(at));
            let measured = |value: f64| (value * 100.0).round() / 100.0;
            let air = measured(self.temperature(at) + chance.random_range(-0.2..0.2));
            let damp: f64 = self.damp.iter().filter(|spell| spell.holds(at)).map(|spell| spell.size).sum();
            let humidity = measured(84.0 + damp + chance.random_range(-1.0..1.0));
            let is_lost = chip_failed || chance.random_bool(0.02);
            step.world = World {
                temperature: (!is_lost).then_some(air),
                humidity: (!is_lost && chance.random_bool(0.99)).then_some(humidity),
                chip_failed,
                fix: None,
                door_open: self.openings.iter().any(|door| door.holds(at)),
                openings: opened,
            };
        }
    }
}
