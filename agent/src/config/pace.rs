//! How often a reading is reported: in general, and by the state in which the container is.

use std::time::Duration;

use serde_json::{Map, Value};

use super::interval::Interval;
use crate::alarms::members::{Members, quoted};

/// The time between reports in each state that has one of its own; a whole number of seconds as [`Interval`] is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Intervals {
    /// While it moves.
    pub moving: Option<Interval>,
    /// While it stands.
    pub still: Option<Interval>,
    /// While it is in one of the fences.
    pub in_fence: Option<Interval>,
    /// While an alarm is pending or raised.
    pub alarm: Option<Interval>,
}

impl Intervals {
    /// The members in the twin.
    pub const MEMBERS: [&str; 4] = ["moving", "still", "inFence", "alarm"];
    /// The keys in the configuration file.
    pub const KEYS: [&str; 4] = ["moving", "still", "in_fence", "alarm"];

    /// Reads an object whose members have these names. An error is a sentence that names the member.
    pub fn read(value: &Value, names: [&str; 4]) -> Result<Self, String> {
        let members = Members::of(value, "", &names)?;
        let mut read = names.into_iter().map(|name| {
            let read = |value| Interval::read(value, quoted).map_err(|why| format!("{name}: {why}"));
            members.get(name).map(read).transpose()
        });
        let mut next = || read.next().unwrap_or(Ok(None));
        Ok(Self { moving: next()?, still: next()?, in_fence: next()?, alarm: next()? })
    }

    /// As the twin has it.
    pub fn value(&self) -> Value {
        let set = Self::MEMBERS.into_iter().zip(self.all());
        let set = set.filter_map(|(name, interval)| Some((name.to_owned(), interval?.seconds().into())));
        Value::Object(set.collect::<Map<_, _>>())
    }

    /// In the order of [`Intervals::MEMBERS`].
    fn all(&self) -> [Option<Interval>; 4] {
        [self.moving, self.still, self.in_fence, self.alarm]
    }
}

/// The state in which a container is, as far as it matters for how often that is reported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Situation {
    /// An alarm is pending or raised.
    Alarm,
    /// It is in a fence.
    InFence,
    /// It moves.
    Moving,
    /// It stands.
    Still,
    /// Nobody can tell.
    #[default]
    Unknown,
}

impl Situation {
    /// An alarm goes before a fence, and that before whether it moves; `None`: that is not known.
    pub fn of(is_alarm: bool, is_in_fence: bool, is_moving: Option<bool>) -> Self {
        match (is_alarm, is_in_fence, is_moving) {
            (true, ..) => Self::Alarm,
            (_, true, _) => Self::InFence,
            (.., Some(true)) => Self::Moving,
            (.., Some(false)) => Self::Still,
            (.., None) => Self::Unknown,
        }
    }
}

/// How often is reported, and how often measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Between reports in every state that has no interval of its own.
    pub interval: Duration,
    /// Those that have.
    pub by_state: Intervals,
}

impl Pace {
    /// Whether the state matters. Else every measurement is a report.
    pub fn has_states(&self) -> bool {
        self.by_state != Intervals::default()
    }

    /// Between two reports in this situation.
    pub fn report(&self, situation: Situation) -> Duration {
        let Intervals { moving, still, in_fence, alarm } = self.by_state;
        let own = match situation {
            Situation::Alarm => alarm,
            Situation::InFence => in_fence,
            Situation::Moving => moving,
            Situation::Still => still,
            Situation::Unknown => None,
        };
        own.map_or(self.interval, Interval::duration)
    }

    /// Between two measurements: as the shortest of all intervals needs it.
    pub fn shortest(&self) -> Duration {
        self.named().fold(self.interval, Duration::min)
    }

    /// Between two reports, at the most.
    pub fn longest(&self) -> Duration {
        self.named().fold(self.interval, Duration::max)
    }

    fn named(&self) -> impl Iterator<Item = Duration> {
        self.by_state.all().into_iter().flatten().map(Interval::duration)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds() -> impl Strategy<Value = Option<u64>> {
        proptest::option::of(1..=86_400_u64)
    }

    fn situations() -> impl Strategy<Value = (bool, bool, Option<bool>)> {
        any::<(bool, bool, Option<bool>)>()
    }

    proptest! {
        /// Against the rule as people say it: a state has its own interval or the general one; an alarm goes before a fence,
        /// that before the rest.
        #[test]
        fn the_interval_is_that_of_the_first_state_that_holds(
            interval in 1..=86_400_u64,
            own in [seconds(), seconds(), seconds(), seconds()],
            (is_alarm, is_in_fence, is_moving) in situations(),
        ) {
            let [moving, still, in_fence, alarm] = own;
            let read = |own: Option<u64>| own.map(|own| Interval::from_seconds(own).unwrap());
            let by_state = Intervals { moving: read(moving), still: read(still), in_fence: read(in_fence), alarm: read(alarm) };
            let pace = Pace { interval: Duration::from_secs(interval), by_state };
            let expected = if is_alarm {
                alarm
            } else if is_in_fence {
                in_fence
            } else {
                match is_moving {
                    Some(true) => moving,
                    Some(false) => still,
                    None => None,
                }
            };
            let chosen = pace.report(Situation::of(is_alarm, is_in_fence, is_moving)).as_secs();
            prop_assert_eq!(chosen, expected.unwrap_or(interval));
            prop_assert!((pace.shortest().as_secs()..=pace.longest().as_secs()).contains(&chosen));
            prop_assert_eq!(pace.has_states(), own.iter().any(Option::is_some));
            prop_assert_eq!(Intervals::read(&by_state.value(), Intervals::MEMBERS), Ok(by_state));
        }
    }
}
