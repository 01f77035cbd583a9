//! The members of a row, one by one, to tell those that have changed.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::model::{Row, time};

/// A bit for each member.
pub(super) type Members = u32;

macro_rules! members {
    ($($number:literal $member:ident $name:literal $json:ident)*) => {
        /// How many there are, but for the ID.
        pub(super) const COUNT: usize = [$($number),*].len();

        /// Those that are not the same.
        pub(super) fn differing(old: &Row, new: &Row) -> Members {
            0 $(| Members::from(old.$member != new.$member) << $number)*
        }

        /// These members and the ID, as JSON.
        pub(super) fn of(row: &Row, id: &str, members: Members) -> Map<String, Value> {
            let mut map = Map::new();
            map.insert("id".into(), id.into());
            $(if members >> $number & 1 == 1 {
                map.insert($name.into(), $json(&row.$member));
            })*
            map
        }
    };
}

/// All of them.
pub(super) const ALL: Members = (1 << COUNT) - 1;

members! {
    0 hub "hub" json
    1 state "state" json
    2 connection "connection" json
    3 cargo "cargo" json
    4 container "container" json
    5 place "place" json
    6 at "at" json
    7 course "course" json
    8 speed "speed" json
    9 temperature "temperature" json
    10 humidity "humidity" json
    11 pressure "pressure" json
    12 door "door" json
    13 spark "spark" json
    14 alarms "alarms" json
    15 backlog "backlog" json
    16 last_seen "lastSeen" moment
    17 last_reading "lastReading" moment
    18 firmware "firmware" json
    19 certificate_days "certificateDays" json
    20 enrollment "enrollment" json
    21 refusal "refusal" json
    22 profile "profile" json
}

fn json<T: Serialize>(member: &T) -> Value {
    // What consists of numbers and texts can be written.
    serde_json::to_value(member).unwrap_or_default()
}

/// As rows have their times.
#[expect(clippy::ref_option, reason = "it is called as the one above is")]
fn moment(member: &Option<DateTime<Utc>>) -> Value {
    member.map(time::text).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_members_of_a_row_are_here_as_it_has_them() {
        let time = DateTime::from_timestamp_millis(1_795_000_000_000);
        let row = Row {
            id: "a".into(),
            last_seen: time,
            last_reading: time,
            at: Some([4.0, 51.0]),
            ..Row::default()
        };
        assert_eq!(Value::Object(of(&row, "a", ALL)), serde_json::to_value(&row).unwrap());
        assert_eq!(differing(&row, &row), 0);
        let other = Row { backlog: Some(3), ..row.clone() };
        assert_eq!(
            of(&other, "a", differing(&row, &other)).into_iter().map(|(name, _)| name).collect::<Vec<_>>(),
            ["backlog", "id"]
        );
    }
}
