//! Whether the container moves, as far as position and air pressure tell. Pure: measurements in, a state out.
//!
//! | it | when |
//! |---|---|
//! | moves | it is as fast as a car that crawls, or farther from where it stood than a receiver errs, or was lifted |
//! | stands | a receiver with a fix has said none of that for five minutes, and always less than a walk |
//! | nobody knows | there was no fix for a quarter of an hour, and no lift for five minutes: under deck, in a stack |
//!
//! Between the two speeds a state lasts, and a truck that waits at a light moves. Pressure alone says that it moves, never that it
//! stands: a ship at sea has the pressure of a quay. A crane's lift of some tens of metres changes it by 1.2 Pa each 10 cm within
//! a minute, weather by some 10 hPa in three hours at the worst. So two measurements that are more than two minutes apart say
//! nothing; and a lift that ends where it began between two of them is not seen. Gusts of a storm change the pressure in a box by
//! half a hPa, a tunnel by several: whoever is in that moves.

use std::time::Duration;

use super::signals::distance_m;

/// It moves at this speed, in km/h.
const FAST_KMH: f64 = 5.0;
/// And stands only below this one. A receiver that lies still tells up to 1.
const SLOW_KMH: f64 = 2.0;
/// Nearer than this to where it stood it may still stand, in metres; or nearer than the receiver errs.
const NEAR_M: f64 = 100.0;
/// The speed of a receiver that errs by more than this says nothing.
const BLURRED_M: f64 = 100.0;
/// It has to stand so long until it counts as standing.
const REST: Duration = Duration::from_mins(5);
/// So long after the last fix nobody knows any more.
const BLIND: Duration = Duration::from_mins(15);
/// Ten metres up or down, in hPa.
const LIFT_HPA: f64 = 1.2;
/// Within so long: two minutes, and what a measurement may be late.
const LIFT_WITHIN: Duration = Duration::from_secs(125);
/// How old the newer one of two pressures becomes before it takes the place of the older one.
const KEPT: Duration = Duration::from_secs(50);

/// What one measurement says of motion.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// On a clock that only goes forward.
    pub(super) at: Duration,
    /// Where it is, if the receiver has a fix.
    pub(super) place: Option<Place>,
    /// Over ground, in km/h, if there is a fix.
    pub(super) speed_kmh: Option<f64>,
    /// Air pressure in hPa, if it was measured.
    pub(super) pressure_hpa: Option<f64>,
}

/// A position.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Latitude and longitude in degrees.
    pub(super) at: (f64, f64),
    /// By how much it may be wrong, in metres.
    pub(super) margin_m: f64,
}

/// What is known of motion.
#[derive(Debug, Default)]
pub(super) struct Motion {
    is_moving: Option<bool>,
    /// Where it stands, or was when it was last seen to move.
    anchor: Option<(f64, f64)>,
    /// Since when nothing has said that it moves.
    rest: Duration,
    /// The last fix.
    fixed: Option<Duration>,
    /// Pressures to compare with, and when they were; the older one first.
    pressures: [Option<(Duration, f64)>; 2],
}

impl Motion {
    /// Takes a measurement. Whether it moves; `None` where nobody can tell.
    pub(super) fn take(&mut self, seen: Seen) -> Option<bool> {
        let is_lifted = seen.pressure_hpa.is_some_and(|hpa| self.is_lifted(seen.at, hpa));
        let (mut is_shaken, mut is_restless) = (is_lifted, is_lifted);
        if let Some(here) = seen.place {
            if self.fixed.is_none() {
                self.rest = seen.at;
            }
            self.fixed = Some(seen.at);
            let speed = seen.speed_kmh.filter(|_| here.margin_m <= BLURRED_M).unwrap_or(0.0);
            let anchor = *self.anchor.get_or_insert(here.at);
            is_shaken |= speed >= FAST_KMH || distance_m(anchor, here.at) > NEAR_M.max(here.margin_m);
            is_restless |= is_shaken || speed >= SLOW_KMH;
            // What creeps is held against where it stood, not against where it has crept to.
            if is_shaken || is_restless && self.is_moving == Some(true) {
                self.anchor = Some(here.at);
            }
        }
        if is_restless {
            self.rest = seen.at;
        }
        let has_rested = seen.at.saturating_sub(self.rest) >= REST;
        let is_blind = self.fixed.is_none_or(|fixed| seen.at.saturating_sub(fixed) >= BLIND);
        self.is_moving = match self.is_moving {
            _ if is_shaken => Some(true),
            _ if has_rested && is_blind => None,
            _ if has_rested && seen.place.is_some() => Some(false),
            known => known,
        };
        self.is_moving
    }

    fn is_lifted(&mut self, at: Duration, hpa: f64) -> bool {
        let is_lift = |(then, before): &(Duration, f64)| {
            at.saturating_sub(*then) <= LIFT_WITHIN && (hpa - before).abs() >= LIFT_HPA
        };
        let is_lifted = self.pressures.iter().flatten().any(is_lift);
        let [_, newer] = self.pressures;
        if is_lifted {
            self.pressures = [None, Some((at, hpa))];
        } else if newer.is_none_or(|(then, _)| at.saturating_sub(then) >= KEPT) {
            self.pressures = [newer, Some((at, hpa))];
        }
        is_lifted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BERTH: (f64, f64) = (51.95, 4.05);
    /// Degrees of latitude of a metre.
    const METRE: f64 = 1.0 / 111_195.0;

    fn seen(at_s: u64, north_m: f64, speed_kmh: f64) -> Seen {
        Seen {
            at: Duration::from_secs(at_s),
            place: Some(Place { at: (BERTH.0 + north_m * METRE, BERTH.1), margin_m: 20.0 }),
            speed_kmh: Some(speed_kmh),
            pressure_hpa: None,
        }
    }

    fn pressed(at_s: u64, hpa: f64) -> Seen {
        Seen { at: Duration::from_secs(at_s), pressure_hpa: Some(hpa), ..Seen::default() }
    }

    /// One that has stood at the berth for ten minutes.
    fn standing() -> Motion {
        let mut motion = Motion::default();
        for minute in 0..=10 {
            motion.take(seen(minute * 60, 0.0, 0.3));
        }
        assert_eq!(motion.is_moving, Some(false));
        motion
    }

    #[test]
    fn a_truck_moves_also_while_it_waits_and_stands_five_minutes_after_it_came() {
        let mut motion = Motion::default();
        assert_eq!(motion.take(seen(0, 0.0, 0.2)), None, "one fix says nothing of a rest");
        assert_eq!(motion.take(seen(60, 900.0, 54.0)), Some(true));
        for minute in 2..6 {
            assert_eq!(motion.take(seen(minute * 60, 900.0, 0.2)), Some(true), "at a light");
        }
        assert_eq!(motion.take(seen(360, 1800.0, 54.0)), Some(true));
        for minute in 7..11 {
            assert_eq!(motion.take(seen(minute * 60, 1800.0, 0.2)), Some(true), "minute {minute}");
        }
        assert_eq!(motion.take(seen(660, 1800.0, 0.2)), Some(false));
    }

    #[test]
    fn what_creeps_and_what_drifts_is_seen_by_the_way_that_it_went() {
        let mut motion = standing();
        assert_eq!(motion.take(seen(660, 50.0, 3.0)), Some(false));
        assert_eq!(motion.take(seen(720, 105.0, 3.0)), Some(true));
        let mut motion = standing();
        // A receiver that tells no speed, and one that errs by much.
        let blurred = |at_s, north_m, speed| {
            let here = seen(at_s, north_m, speed);
            Seen { place: here.place.map(|place| Place { margin_m: 300.0, ..place }), ..here }
        };
        assert_eq!(motion.take(blurred(660, 290.0, 7.0)), Some(false));
        assert_eq!(motion.take(Seen { speed_kmh: None, ..blurred(720, 310.0, 0.0) }), Some(true));
    }

    #[test]
    fn without_a_fix_nobody_knows_after_a_while() {
        let mut motion = standing();
        assert_eq!(motion.take(pressed(1440, 1010.0)), Some(false));
        assert_eq!(motion.take(pressed(1500, 1010.0)), None);
        assert_eq!(motion.take(seen(9000, 10.0, 0.1)), Some(false), "it is where it was");
        assert_eq!(motion.take(pressed(9960, 1010.0)), None);
        assert_eq!(motion.take(seen(20_000, 4000.0, 0.1)), Some(true), "it was brought elsewhere");
        let mut moving = Motion::default();
        assert_eq!((moving.take(seen(0, 0.0, 0.0)), moving.take(seen(60, 900.0, 54.0))), (None, Some(true)));
        assert_eq!(moving.take(pressed(900, 1010.0)), Some(true), "a tunnel");
        assert_eq!(moving.take(pressed(960, 1010.0)), None);
    }

    #[test]
    fn a_lift_is_motion_for_five_minutes_with_a_fix_and_without_one() {
        let mut motion = Motion::default();
        // A crane lifts it by 30 m within a minute.
        let expected = [None, None, Some(true), Some(true), Some(true), Some(true), Some(true), None];
        for (minute, expected) in expected.into_iter().enumerate() {
            let hpa = if minute < 2 { 1013.0 } else { 1009.4 };
            assert_eq!(motion.take(pressed(minute as u64 * 60, hpa)), expected, "minute {minute}");
        }
        let mut motion = standing();
        let with_pressure = |at_s, hpa| Seen { pressure_hpa: Some(hpa), ..seen(at_s, 0.0, 0.3) };
        assert_eq!(motion.take(with_pressure(660, 1013.0)), Some(false));
        assert_eq!(motion.take(with_pressure(720, 1011.0)), Some(true));
        assert_eq!(motion.take(with_pressure(960, 1011.0)), Some(true));
        assert_eq!(motion.take(with_pressure(1020, 1011.0)), Some(false));
        // A quarter of an hour between measurements: that may have been anything.
        assert_eq!(motion.take(with_pressure(1920, 1008.0)), Some(false));
    }

    #[derive(Debug, Clone, Copy)]
    struct Step(u64, f64, f64, bool);

    fn steps(speed: std::ops::Range<f64>, north_m: std::ops::Range<f64>) -> impl Strategy<Value = Vec<Step>> {
        let step = (1..=240_u64, north_m, speed, proptest::bool::weighted(0.9));
        let step = step.prop_map(|(after, north, speed, fixed)| Step(after, north, speed, fixed));
        proptest::collection::vec(step, 1..200)
    }

    proptest! {
        /// Between the borders a state lasts, whatever it is.
        #[test]
        fn no_flapping_between_the_borders(steps in steps(2.1..4.9, -49.0..49.0), begin in any::<bool>()) {
            let mut motion = standing();
            let mut at = 660;
            if begin {
                prop_assert_eq!(motion.take(seen(at, 0.0, 30.0)), Some(true));
            }
            for Step(after, north_m, speed, _) in steps {
                at += after;
                prop_assert_eq!(motion.take(seen(at, north_m, speed)), Some(begin));
            }
        }

        /// Whatever is measured, it stands only after five minutes in which nothing spoke of motion, so that no border can make it
        /// flap faster; and what is told is what the rules say, looked up in all that was measured.
        #[test]
        fn it_stands_only_after_a_rest(steps in steps(0.0..8.0, -150.0..150.0)) {
            let mut motion = Motion::default();
            let (mut at, mut last, mut restless, mut moved) = (0, None, None, 0);
            for Step(after, north_m, speed, fixed) in steps {
                at += after;
                let here = seen(at, north_m, speed);
                let here = if fixed { here } else { Seen { place: None, speed_kmh: None, ..here } };
                let now = motion.take(here);
                if fixed && speed >= FAST_KMH {
                    prop_assert_eq!(now, Some(true));
                }
                if fixed && speed >= SLOW_KMH {
                    restless = Some(at);
                }
                if now == Some(false) && last != now {
                    prop_assert!(fixed && restless.is_none_or(|then| at - then >= 300), "{at}");
                    prop_assert!(last != Some(true) || at - moved >= 300);
                }
                if now == Some(true) && last != now {
                    moved = at;
                }
                last = now;
            }
        }

        /// Of weather and noise no lift is made, of every lift of 25 m within a minute one.
        #[test]
        fn weather_is_no_lift_and_a_lift_is_no_weather(
            steps in proptest::collection::vec((1..=60_u64, -0.1..0.1, -0.2..0.2), 1..300),
            every in 1..=60_u64,
            metres in prop_oneof![-60.0..-25.0, 25.0..60.0],
        ) {
            let mut motion = Motion::default();
            let (mut at, mut weather) = (0, 1000.0);
            for (after, hpa_a_minute, noise) in steps {
                at += after;
                weather += hpa_a_minute * after as f64 / 60.0;
                prop_assert_eq!(motion.take(pressed(at, weather + noise)), None);
            }
            let begin = at;
            while at < begin + 120 {
                at += every;
                let way = ((at - begin) as f64 / 60.0).min(1.0) * metres;
                motion.take(pressed(at, weather - way * 0.12));
            }
            prop_assert_eq!(motion.is_moving, Some(true));
        }
    }
}
