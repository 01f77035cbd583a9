//! The fields of a sentence, and their tidying before the `nmea` crate reads them.
//!
//! The crate reads ordinary sentences well, but one odd field makes it refuse the whole sentence (a damaged
//! date, a `+00` time zone, a leap second, three satellite systems in GNS, GLL without mode), and it lets
//! pass what is not a position (75 minutes of arc, `nan`). So each sentence is rebuilt from the fields that
//! are needed, and a field that cannot be what it should be is left empty: no value.

use std::borrow::Cow;

/// The fields of one sentence; number 1 is the first after the name, as the standard counts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(&'a str);

impl<'a> Fields<'a> {
    /// `data` is what follows the name and its comma.
    pub(super) fn new(data: &'a str) -> Self {
        Self(data)
    }

    /// The field as sent; empty if the sentence ends before it.
    pub(super) fn raw(&self, number: usize) -> &'a str {
        self.0.split(',').nth(number - 1).unwrap_or("").trim()
    }

    /// A decimal number, or empty. No exponents, no `inf`, no `nan`.
    pub(super) fn decimal(&self, number: usize) -> &'a str {
        let field = self.raw(number);
        if is_decimal(field.strip_prefix('-').unwrap_or(field)) { field } else { "" }
    }

    /// A number that cannot be negative, or empty.
    pub(super) fn positive(&self, number: usize) -> &'a str {
        let field = self.raw(number);
        if is_decimal(field) { field } else { "" }
    }

    /// A whole number of at most 3 digits, or nothing.
    pub(super) fn count(&self, number: usize) -> Option<u8> {
        self.raw(number).parse().ok()
    }

    /// The time of day `hhmmss[.s...]`, or empty.
    pub(super) fn time(&self, number: usize) -> Time<'a> {
        Time::read(self.raw(number)).unwrap_or(Time { text: Cow::Borrowed(""), leap: false })
    }

    /// The four fields `ddmm.m,N,dddmm.m,E`, or four empty ones.
    pub(super) fn position(&self, number: usize) -> String {
        let [lat, ns, lon, ew] = [0, 1, 2, 3].map(|offset| self.raw(number + offset));
        match (angle(lat, 90), angle(lon, 180)) {
            (Some((lat, lat_minutes)), Some((lon, lon_minutes)))
                if matches!(ns, "N" | "S") && matches!(ew, "E" | "W") =>
            {
                format!("{lat:02}{lat_minutes},{ns},{lon:03}{lon_minutes},{ew}")
            }
            _ => ",,,".to_owned(),
        }
    }
}

/// A time of day in a form that the crate reads.
pub(super) struct Time<'a> {
    pub(super) text: Cow<'a, str>,
    /// The second was 60 and has been written as 59.
    pub(super) leap: bool,
}

impl<'a> Time<'a> {
    fn read(field: &'a str) -> Option<Self> {
        let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
        if whole.len() != 6 || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let pair = |at: usize| whole.get(at..at + 2)?.parse::<u8>().ok();
        let (hour, minute, second) = (pair(0)?, pair(2)?, pair(4)?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        // More digits than nanoseconds would round up to the next second.
        let fraction = fraction.get(..9).unwrap_or(fraction);
        let leap = second == 60;
        let text = match leap {
            true => Cow::Owned(format!("{}59.{fraction}0", &whole[..4])),
            false if fraction.is_empty() => Cow::Borrowed(whole),
            false => Cow::Borrowed(&field[..whole.len() + 1 + fraction.len()]),
        };
        Some(Self { text, leap })
    }
}

/// Degrees up to `limit`, and `mm.m` minutes. The two digits before the point are the minutes, whatever stands before
/// them: some receivers leave out leading zeros, those of the minutes too where there are no degrees.
fn angle(field: &str, limit: u16) -> Option<(u16, Cow<'_, str>)> {
    if !is_decimal(field) {
        return None;
    }
    let point = field.find('.').unwrap_or(field.len());
    let (degrees, minutes) = field.split_at(point.saturating_sub(2));
    let degrees = if degrees.is_empty() { 0 } else { degrees.parse::<u16>().ok()? };
    let value = minutes.parse::<f64>().ok()?;
    let (degrees, minutes) = if value == 60.0 {
        // Rounded up by a receiver that does not carry.
        (degrees.checked_add(1)?, Cow::Borrowed("00.0"))
    } else if point < 2 {
        (degrees, Cow::Owned(format!("{:0>width$}", minutes, width = minutes.len() + 2 - point)))
    } else {
        (degrees, Cow::Borrowed(minutes))
    };
    let sound = value <= 60.0 && (degrees < limit || (degrees == limit && (value == 0.0 || value == 60.0)));
    sound.then_some((degrees, minutes))
}

fn is_decimal(field: &str) -> bool {
    let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
    let digits = whole.len() + fraction.len();
    (1..=20).contains(&digits) && is_digits(whole) && is_digits(fraction)
}

/// Also true of an empty field.
fn is_digits(field: &str) -> bool {
    field.bytes().all(|byte| byte.is_ascii_digit())
}
