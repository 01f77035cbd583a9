//! Numbers and times as text, as exports need them: by the million.

use crate::model::time;

/// A whole number of decimal fractions: 4275 of three places are 4.275.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    units: i32,
    places: u8,
}

impl Decimal {
    pub(super) fn new(units: i32, places: u8) -> Self {
        Self { units, places }
    }

    /// The number.
    pub fn value(self) -> f64 {
        // Division by a power of ten gives the double that is nearest to the decimal.
        f64::from(self.units) / 10_f64.powi(self.places.into())
    }

    /// The number, if it is a whole one.
    pub fn whole(self) -> Option<i64> {
        let one = 10_i64.pow(self.places.into());
        (i64::from(self.units) % one == 0).then(|| i64::from(self.units) / one)
    }

    /// Appends it as text, without zeros at the end.
    pub fn put(self, out: &mut String) {
        if self.units < 0 {
            out.push('-');
        }
        // Ten digits of the largest, or a zero before so many places, and the point.
        let mut text = [0; 24];
        let mut at = text.len();
        let (mut left, mut places, mut has_fraction) = (self.units.unsigned_abs(), self.places, false);
        while places > 0 {
            let digit = (left % 10) as u8;
            left /= 10;
            places -= 1;
            if digit != 0 || has_fraction {
                has_fraction = true;
                at -= 1;
                text[at] = b'0' + digit;
            }
        }
        if has_fraction {
            at -= 1;
            text[at] = b'.';
        }
        loop {
            at -= 1;
            text[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        out.extend(text[at..].iter().copied().map(char::from));
    }
}

const DAY: i64 = 86_400_000;
/// The last millisecond of the year 9999, which is the last with four digits.
const LAST: i64 = 253_402_300_799_999;

/// Appends a time in milliseconds since 1970: `2026-11-28T14:00:00.000Z`.
pub fn put_time(milliseconds: i64, out: &mut String) {
    if !(0..=LAST).contains(&milliseconds) {
        let time = chrono::DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
        out.push_str(&time::text(time));
        return;
    }
    let (year, month, day) = date(milliseconds / DAY);
    let of_day = milliseconds % DAY;
    let mut text = *b"0000-00-00T00:00:00.000Z";
    let mut put = |at: usize, digits: usize, mut number: i64| {
        for place in (at..at + digits).rev() {
            text[place] = b'0' + (number % 10) as u8;
            number /= 10;
        }
    };
    put(0, 4, year);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, of_day / 3_600_000);
    put(14, 2, of_day / 60_000 % 60);
    put(17, 2, of_day / 1000 % 60);
    put(20, 3, of_day % 1000);
    out.extend(text.map(char::from));
}

/// Year, month and day of a day since 1970. Years begin in March, so that the day that is now and then is their last; a cycle of
/// the calendar is 400 years.
fn date(day: i64) -> (i64, i64, i64) {
    const CYCLE: i64 = 146_097;
    // Days from the first of March of the year 0 to 1970.
    let day = day + 719_468;
    let (cycle, in_cycle) = (day / CYCLE, day % CYCLE);
    let year = (in_cycle - in_cycle / 1460 + in_cycle / 36_524 - in_cycle / (CYCLE - 1)) / 365;
    let in_year = in_cycle - (365 * year + year / 4 - year / 100);
    let month = (5 * in_year + 2) / 153;
    let day = in_year - (153 * month + 2) / 5 + 1;
    let is_next = month >= 10;
    (cycle * 400 + year + i64::from(is_next), if is_next { month - 9 } else { month + 3 }, day)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_decimal_is_written_as_its_double_is(units: i32, places in prop::sample::select(vec![0_u8, 2, 3, 7])) {
            let decimal = Decimal::new(units, places);
            let mut text = String::new();
            decimal.put(&mut text);
            prop_assert_eq!(&text, &decimal.value().to_string());
            prop_assert_eq!(decimal.whole().is_some(), !text.contains('.'));
        }

        #[test]
        fn a_time_is_written_as_everywhere(milliseconds in prop_oneof![0..LAST, -DAY..2 * DAY, LAST - DAY..=LAST]) {
            let mut text = String::new();
            put_time(milliseconds, &mut text);
            let time = DateTime::from_timestamp_millis(milliseconds).unwrap_or_default();
            prop_assert_eq!(text, time::text(time));
        }
    }
}
