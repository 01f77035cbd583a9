//! Numbers and times as text, as exports need them.

use std::fmt::Write as _;

use chrono::DateTime;

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
        // A text takes all that is written to it.
        let _ = write!(out, "{}", self.value());
    }
}

/// Appends a time in milliseconds since 1970: `2026-11-28T14:00:00.000Z`.
pub fn put_time(milliseconds: i64, out: &mut String) {
    out.push_str(&time::text(DateTime::from_timestamp_millis(milliseconds).unwrap_or_default()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_has_the_digits_that_it_was_given_but_for_zeros_at_the_end() {
        let texts =
            [(4275, 3), (-4275, 3), (4270, 3), (4000, 3), (-1, 7), (0, 2), (i32::MIN, 0), (i32::MAX, 7)].map(
                |(units, places)| {
                    let mut text = String::new();
                    Decimal::new(units, places).put(&mut text);
                    (text, Decimal::new(units, places).whole())
                },
            );
        let expected = [
            ("4.275", None),
            ("-4.275", None),
            ("4.27", None),
            ("4", Some(4)),
            ("-0.0000001", None),
            ("0", Some(0)),
            ("-2147483648", Some(-2_147_483_648)),
            ("214.7483647", None),
        ];
        assert_eq!(texts, expected.map(|(text, whole)| (text.to_owned(), whole)));
    }

    #[test]
    fn a_time_has_milliseconds_always() {
        let mut text = String::new();
        put_time(1_795_874_400_000, &mut text);
        put_time(-1, &mut text);
        assert_eq!(text, "2026-11-28T14:00:00.000Z1969-12-31T23:59:59.999Z");
    }
}
