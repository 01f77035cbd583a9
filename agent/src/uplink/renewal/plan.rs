//! When a new certificate is asked for, and where: a pure function of times. The end of a certificate is told by the calendar, the
//! waits between attempts by the monotonic clock, which no correction of the calendar moves.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tracker_protocol::fraction;

/// The calendar is looked at so often, as it may be put right.
const LOOK: Duration = Duration::from_hours(1);
/// While it is not known.
const LOOK_SOON: Duration = Duration::from_mins(1);
/// Between two attempts that have failed for good.
const LONGEST_WAIT: Duration = Duration::from_hours(6);
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
/// After the first failure that may pass.
const FIRST_WAIT: Duration = Duration::from_secs(5);
/// Devices whose certificates fell due while there was no network do not ask all at once.
const SPREAD: Duration = Duration::from_mins(1);

/// From when until when a certificate is valid, and when it is to be renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Term {
    /// First moment of validity.
    pub(super) not_before: DateTime<Utc>,
    /// Last moment of validity.
    pub(super) not_after: DateTime<Utc>,
    /// A new one is asked for from then on.
    pub(super) due: DateTime<Utc>,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deed {
    /// Nothing before this time.
    Wait(Duration),
    /// The hub is asked, over the connection that stands.
    AskHub,
    /// DPS is asked, in place of the hub that did not help or can't.
    AskDps,
    /// It is told that the end is near. Once for each certificate.
    Tell,
}

/// When what is done about the certificate in use.
#[derive(Debug, Default)]
pub(super) struct Plan {
    term: Option<Term>,
    hub_not_before: Duration,
    dps_not_before: Duration,
    failures: u32,
    is_told: bool,
}

impl Term {
    fn life(&self) -> Duration {
        (self.not_after - self.not_before).to_std().unwrap_or_default()
    }

    /// From then on the hub is not the only one who is asked.
    fn last_call(&self) -> DateTime<Utc> {
        self.due + (self.not_after - self.due) / 2
    }

    /// From then on a person should know: a tenth of its life is left.
    fn near_its_end(&self) -> DateTime<Utc> {
        self.last_call().max(self.not_after - (self.not_after - self.not_before) / 10)
    }
}

impl Plan {
    /// This certificate is in use from now on.
    pub(super) fn begin(&mut self, now: Duration, jitter: f64, term: Term) {
        if self.term == Some(term) {
            return;
        }
        let first = now.saturating_add(fraction(SPREAD.min(term.life() / 64), jitter));
        *self = Self { term: Some(term), hub_not_before: first, dps_not_before: first, ..Self::default() };
    }

    /// What is to be done at `now`, which is `utc` by the calendar. `asks` tells whether the hub is being asked already, `None`
    /// that it can't be asked.
    pub(super) fn next(&self, now: Duration, utc: Option<DateTime<Utc>>, asks: Option<bool>) -> Deed {
        let (Some(term), Some(utc)) = (&self.term, utc) else { return Deed::Wait(now + LOOK_SOON) };
        let until = |at: DateTime<Utc>| now.saturating_add((at - utc).to_std().unwrap_or_default().min(LOOK));
        if utc < term.due {
            return Deed::Wait(until(term.due));
        }
        let (last_call, near_its_end) = (term.last_call(), term.near_its_end());
        if !self.is_told && near_its_end <= utc {
            return Deed::Tell;
        }
        let dps =
            if asks.is_none() { self.dps_not_before } else { self.dps_not_before.max(until(last_call)) };
        if dps <= now {
            return Deed::AskDps;
        }
        let hub = (asks == Some(false)).then_some(self.hub_not_before);
        if hub.is_some_and(|hub| hub <= now) {
            return Deed::AskHub;
        }
        let told = (!self.is_told).then(|| until(near_its_end));
        let wait = [Some(dps), hub, told].into_iter().flatten().fold(now + LOOK, Duration::min);
        // A moment of the calendar may be nearer than the clock can tell.
        Deed::Wait(wait.max(now + Duration::from_millis(10)))
    }

    /// It was told that the end is near.
    pub(super) fn told(&mut self) {
        self.is_told = true;
    }

    /// DPS is being asked: not again before long.
    pub(super) fn asks_dps(&mut self, now: Duration, jitter: f64) {
        self.dps_not_before = self.after_long(now, jitter);
    }

    /// What the hub was asked for came to nothing; `for_good` where the same would soon come to nothing again.
    pub(super) fn failed(&mut self, now: Duration, jitter: f64, for_good: bool) {
        self.hub_not_before = if for_good {
            self.after_long(now, jitter)
        } else {
            let wait = FIRST_WAIT.saturating_mul(1 << self.failures.min(20)).min(self.long());
            self.failures = self.failures.saturating_add(1);
            spread(now, wait, jitter)
        };
    }

    /// How long there is for an operation that begins now.
    pub(super) fn time_left(&self, utc: Option<DateTime<Utc>>) -> Duration {
        let left = self.term.zip(utc).map(|(term, utc)| term.not_after - utc);
        left.unwrap_or(TimeDelta::zero()).to_std().unwrap_or_default()
    }

    /// How long what waits for a quiet moment may wait.
    pub(super) fn patience(&self) -> Duration {
        self.term.map_or(SPREAD, |term| SPREAD.min(term.life() / 64))
    }

    fn long(&self) -> Duration {
        let life = self.term.map_or(LONGEST_WAIT, |term| term.life() / 16);
        life.clamp(SHORTEST_WAIT, LONGEST_WAIT)
    }

    fn after_long(&self, now: Duration, jitter: f64) -> Duration {
        spread(now, self.long(), jitter)
    }
}

fn spread(now: Duration, wait: Duration, jitter: f64) -> Duration {
    now.saturating_add(wait).saturating_add(fraction(wait / 4, jitter))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DAY: i64 = 86_400;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    fn secs(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn term(life: i64, due: i64) -> Term {
        Term { not_before: at(0), not_after: at(life), due: at(due) }
    }

    fn plan(life: i64, due: i64) -> Plan {
        let mut plan = Plan::default();
        plan.begin(secs(0), 0.0, term(life, due));
        plan
    }

    #[test]
    fn the_hub_is_asked_when_it_is_time_and_dps_once_half_of_the_rest_is_gone() {
        let mut plan = plan(30 * DAY, 24 * DAY);
        assert_eq!(plan.next(secs(5), Some(at(0)), Some(false)), Deed::Wait(secs(5) + LOOK));
        assert_eq!(plan.next(secs(5), Some(at(24 * DAY - 60)), Some(false)), Deed::Wait(secs(65)));
        assert_eq!(plan.next(secs(5), None, Some(false)), Deed::Wait(secs(65)), "no calendar");
        assert_eq!(plan.next(secs(5), Some(at(24 * DAY)), Some(false)), Deed::AskHub);
        assert_eq!(
            plan.next(secs(5), Some(at(24 * DAY)), Some(true)),
            Deed::Wait(secs(5) + LOOK),
            "it is asked"
        );
        assert_eq!(plan.next(secs(5), Some(at(24 * DAY)), None), Deed::AskDps, "a hub that can't renew");
        plan.failed(secs(5), 0.0, true);
        assert_eq!(plan.next(secs(5), Some(at(24 * DAY)), Some(false)), Deed::Wait(secs(5) + LOOK));
        assert_eq!(plan.next(secs(5) + LONGEST_WAIT, Some(at(25 * DAY)), Some(false)), Deed::AskHub);
        let late = Some(at(27 * DAY));
        assert_eq!(plan.next(secs(5), late, Some(true)), Deed::Tell);
        plan.told();
        assert_eq!(plan.next(secs(5), late, Some(true)), Deed::AskDps);
        plan.asks_dps(secs(5), 0.0);
        assert_eq!(plan.next(secs(6), late, Some(true)), Deed::Wait(secs(6) + LOOK));
        // The same certificate again changes nothing, another one all.
        plan.begin(secs(7), 0.0, term(30 * DAY, 24 * DAY));
        assert_eq!(plan.next(secs(7), late, Some(true)), Deed::Wait(secs(7) + LOOK));
        plan.begin(secs(7), 0.0, term(60 * DAY, 48 * DAY));
        assert_eq!(plan.next(secs(7), late, Some(false)), Deed::Wait(secs(7) + LOOK));
    }

    #[test]
    fn who_renews_late_is_not_told_of_the_end_before_it_was_tried() {
        let plan = plan(1000, 950);
        assert_eq!(plan.next(secs(0), Some(at(960)), Some(false)), Deed::AskHub);
        assert_eq!(plan.next(secs(0), Some(at(976)), Some(false)), Deed::Tell);
    }

    #[test]
    fn a_fleet_that_was_without_a_network_does_not_ask_at_once() {
        let mut plan = Plan::default();
        plan.begin(secs(0), 0.5, term(30 * DAY, 24 * DAY));
        assert_eq!(plan.next(secs(0), Some(at(25 * DAY)), Some(false)), Deed::Wait(secs(30)));
    }

    proptest! {
        /// Nothing is done without an end in sight, and no circle is tight, whatever fails.
        #[test]
        fn attempts_are_rare_and_never_end(
            life in 10..100 * DAY, renew_at in 0.1..0.95_f64, jitter in 0.0..1.0_f64, hub in any::<bool>(),
        ) {
            let due = (life as f64 * renew_at) as i64;
            let mut plan = plan(life, due);
            let (mut now, mut asked, mut told) = (secs(0), 0, 0);
            for _ in 0..2000 {
                let utc = at(due) + TimeDelta::from_std(now).unwrap();
                match plan.next(now, Some(utc), hub.then_some(false)) {
                    Deed::Wait(until) => {
                        prop_assert!(until > now && until <= now + LOOK);
                        now = until;
                        continue;
                    }
                    Deed::AskHub => plan.failed(now, jitter, true),
                    Deed::AskDps => plan.asks_dps(now, jitter),
                    Deed::Tell => {
                        plan.told();
                        told += 1;
                        continue;
                    }
                }
                asked += 1;
                prop_assert!(asked <= 2 + 2 * (now.as_secs() / plan.long().as_secs()));
            }
            prop_assert!(asked > 0 && told <= 1);
        }
    }
}
