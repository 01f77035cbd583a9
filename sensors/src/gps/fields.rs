//! The fields of a sentence, and their tidying before the `nmea` crate reads the position.
//!
//! The crate reads ordinary sentences well, but one odd field makes it refuse the whole sentence (a damaged
//! date, a `+00` time zone, a leap second, three satellite systems in GNS, GLL without mode), it lets pass what
//! is not a position (75 minutes of arc, `nan`), and it takes numbers in single precision. So it is given the
//! position alone, tidied where that is odd, and a field that can't be what it should be is no value. Each
//! sentence of a second repeats its time and its place: what was read last is remembered by its text.

use std::borrow::Cow;

use chrono::NaiveTime;
use nmea::sentences::utils::do_parse_lat_lon;

/// No field beyond is wanted: the mode of RMC.
const MOST: usize = 12;

/// The fields of one sentence; number 1 is the first after the name, as the standard counts them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    data: &'a str,
    /// Where each field begins; those that are not there, beyond the end.
    starts: [usize; MOST + 1],
}

/// Time and place as they were read last.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    time: Memory<NaiveTime>,
    position: Memory<(f64, f64)>,
}

/// What a text was read as.
#[derive(Debug)]
struct Memory<T> {
    text: String,
    value: Option<T>,
}

impl<'a> Fields<'a> {
    /// `data` is what follows the name and its comma.
    pub(super) fn new(data: &'a str) -> Self {
        let mut starts = [data.len() + 1; MOST + 1];
        starts[0] = 0;
        let mut number = 1;
        for (at, byte) in data.bytes().enumerate() {
            if byte == b',' {
                starts[number] = at + 1;
                number += 1;
                if number > MOST {
                    break;
                }
            }
        }
        Self { data, starts }
    }

    /// The field as sent; empty if the sentence ends before it.
    pub(super) fn raw(&self, number: usize) -> &'a str {
        self.data.get(self.starts[number - 1]..self.starts[number] - 1).unwrap_or("").trim_ascii()
    }

    /// A decimal number. No exponents, no `inf`, no `nan`.
    pub(super) fn decimal(&self, number: usize) -> Option<f64> {
        let field = self.raw(number);
        if is_decimal(field.strip_prefix('-').unwrap_or(field)) { field.parse().ok() } else { None }
    }

    /// A number that cannot be negative.
    pub(super) fn positive(&self, number: usize) -> Option<f64> {
        let field = self.raw(number);
        if is_decimal(field) { field.parse().ok() } else { None }
    }

    /// A whole number of at most 3 digits, or nothing.
    pub(super) fn count(&self, number: usize) -> Option<u8> {
        self.raw(number).parse().ok()
    }

    /// A number of digits alone, without a sign, or nothing.
    pub(super) fn digits(&self, number: usize) -> Option<u16> {
        let field = self.raw(number);
        if is_digits(field) { field.parse().ok() } else { None }
    }

    /// The time of day `hhmmss[.s...]`.
    pub(super) fn time(&self, number: usize, remembered: &mut Remembered) -> Option<NaiveTime> {
        remembered.time.of(self.raw(number), time)
    }

    /// The four fields `ddmm.m,N,dddmm.m,E` as degrees, north and east positive, in range.
    pub(super) fn position(&self, number: usize, remembered: &mut Remembered) -> Option<(f64, f64)> {
        let text = self.data.get(self.starts[number - 1]..self.starts[number + 3] - 1)?;
        remembered
            .position
            .of(text, |text| position(text, [0, 1, 2, 3].map(|field| self.raw(number + field))))
    }
}

impl<T: Copy> Memory<T> {
    fn of(&mut self, text: &str, read: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        if self.text != text {
            self.text.clear();
            self.text.push_str(text);
            self.value = read(text);
        }
        self.value
    }
}

/// Nothing is no value.
impl<T> Default for Memory<T> {
    fn default() -> Self {
        Self { text: String::new(), value: None }
    }
}

fn time(field: &str) -> Option<NaiveTime> {
    let (whole, fraction) = field.split_once('.').unwrap_or((field, ""));
    if whole.len() != 6 || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let pair = |at: usize| whole.get(at..at + 2)?.parse::<u32>().ok();
    let (hour, minute, second) = (pair(0)?, pair(2)?, pair(4)?);
    // More digits than nanoseconds are cut.
    let nanoseconds = fraction.bytes().chain(std::iter::repeat(b'0')).take(9);
    let nanoseconds = nanoseconds.fold(0, |sum, digit| 10 * sum + u32::from(digit - b'0'));
    match second {
        // Leap seconds as `chrono` has them: the 59th second with a second more of nanoseconds.
        60 => NaiveTime::from_hms_nano_opt(hour, minute, 59, nanoseconds + 1_000_000_000),
        _ => NaiveTime::from_hms_nano_opt(hour, minute, second, nanoseconds),
    }
}

fn position(text: &str, [lat, ns, lon, ew]: [&str; 4]) -> Option<(f64, f64)> {
    if !matches!(ns, "N" | "S") || !matches!(ew, "E" | "W") {
        return None;
    }
    let is_tidy = is_tidy_angle(lat, 2)
        && is_tidy_angle(lon, 3)
        && text.len() == lat.len() + ns.len() + lon.len() + ew.len() + ",,,".len();
    let tidy = if is_tidy {
        Cow::Borrowed(text)
    } else {
        let ((lat, lat_minutes), (lon, lon_minutes)) = (angle(lat, 90)?, angle(lon, 180)?);
        Cow::Owned(format!("{lat:02}{lat_minutes},{ns},{lon:03}{lon_minutes},{ew}"))
    };
    let (_, (latitude, longitude)) = do_parse_lat_lon(&tidy).ok()?;
    (latitude.abs() <= 90.0 && longitude.abs() <= 180.0).then_some((latitude, longitude))
}

/// Whether the angle has so many digits of degrees, two of minutes below 60, and perhaps decimals.
fn is_tidy_angle(field: &str, degrees: usize) -> bool {
    let point = degrees + 2;
    is_decimal(field)
        && matches!(field.as_bytes().get(point), None | Some(b'.'))
        && field.len() >= point
        && field.as_bytes()[degrees] < b'6'
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
    (value <= 60.0 && degrees <= limit).then_some((degrees, minutes))
}

fn is_decimal(field: &str) -> bool {
    let points = field.bytes().filter(|byte| *byte == b'.').count();
    let digits = field.bytes().filter(u8::is_ascii_digit).count();
    points <= 1 && (1..=20).contains(&digits) && points + digits == field.len()
}

/// Also true of an empty field.
fn is_digits(field: &str) -> bool {
    field.bytes().all(|byte| byte.is_ascii_digit())
}
