//! One checksummed sentence to what it says about the position.

use chrono::{NaiveDate, NaiveTime};

use super::fields::{Fields, Remembered};

/// Kinds of sentences that carry a position, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Position, altitude, quality, satellites, HDOP.
    Gga,
    /// The same for several satellite systems.
    Gns,
    /// Position, speed, course, date.
    Rmc,
    /// Position only.
    Gll,
}

impl Kind {
    /// The formatter as it stands in the sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gga => "GGA",
            Self::Gns => "GNS",
            Self::Rmc => "RMC",
            Self::Gll => "GLL",
        }
    }
}

/// What a sentence says about its own position. The order is that in which one sentence outweighs another of
/// the same kind in the same second: with two talkers, one may have a fix while the other has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Claim {
    /// There is no fix, whatever numbers stand there.
    NoFix,
    /// Dead reckoning, typed in by hand, or simulated: not measured.
    Estimated,
    /// Measured.
    Measured,
}

/// A sentence with a position, or with word that there is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Report {
    pub(super) kind: Kind,
    pub(super) claim: Claim,
    pub(super) time: Option<NaiveTime>,
    /// Degrees, north and east positive; in range, though perhaps 0/0.
    pub(super) position: Option<(f64, f64)>,
    pub(super) date: Option<NaiveDate>,
    pub(super) motion: Motion,
    pub(super) altitude_m: Option<f64>,
    pub(super) quality: Option<u8>,
    pub(super) satellites: Option<u8>,
    pub(super) hdop: Option<f64>,
}

/// Speed and course over ground.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Motion {
    pub(super) speed_kn: Option<f64>,
    pub(super) course_deg: Option<f64>,
}

/// What a sentence is good for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Sentence {
    Position(Report),
    Motion(Motion),
    Date {
        time: Option<NaiveTime>,
        date: NaiveDate,
    },
    /// Of no use here: another formatter, or a talker whose positions are not a receiver's.
    Other,
    /// A formatter that is wanted, but not readable although the checksum is right.
    Unreadable,
}

impl Sentence {
    /// Reads what stands between `$` and `*`. Of a sentence that is not wanted no more than its name is looked at.
    pub(super) fn read(body: &[u8], remembered: &mut Remembered) -> Self {
        let name = body.split_at_checked(5).filter(|(_, rest)| matches!(rest, [] | [b',', ..]));
        let Some(([talker @ .., a, b, c], rest)) = name else { return Self::Other };
        // `P` begins proprietary sentences, which only look alike; EC is a chart display and AP an
        // autopilot: they repeat positions that are not their own.
        let is_receiver = !matches!(talker, b"EC" | b"AP" | [b'P', ..]) && !talker.contains(&b',');
        let read = match &[*a, *b, *c] {
            _ if !is_receiver => return Self::Other,
            b"RMC" => rmc,
            b"GGA" => gga,
            b"GNS" => gns,
            b"GLL" => gll,
            b"VTG" => vtg,
            b"ZDA" => zda,
            _ => return Self::Other,
        };
        let data = std::str::from_utf8(rest.get(1..).unwrap_or_default());
        data.ok().and_then(|data| read(&Fields::new(data), remembered)).unwrap_or(Self::Unreadable)
    }
}

fn rmc(fields: &Fields<'_>, remembered: &mut Remembered) -> Option<Sentence> {
    let valid = match fields.raw(2) {
        "A" | "D" => true,
        "V" => false,
        _ => return None,
    };
    Some(Sentence::Position(Report {
        claim: claim_by_status(valid, fields.raw(12)),
        position: fields.position(3, remembered),
        // The crate takes 1980 to 1982 for 2080 to 2082, and stumbles over damaged dates.
        date: two_digit_date(fields.raw(9)),
        motion: Motion { speed_kn: fields.positive(7), course_deg: fields.positive(8) },
        ..Report::of(Kind::Rmc, fields.time(1, remembered))
    }))
}

fn gga(fields: &Fields<'_>, remembered: &mut Remembered) -> Option<Sentence> {
    let quality = fields.count(6)?;
    let claim = match quality {
        0 => Claim::NoFix,
        // Dead reckoning, typed in, simulated.
        6..=8 => Claim::Estimated,
        // Some receivers count on beyond 8 for kinds of corrections.
        _ => Claim::Measured,
    };
    Some(Sentence::Position(Report {
        claim,
        position: fields.position(2, remembered),
        altitude_m: fields.decimal(9),
        quality: Some(quality),
        satellites: fields.count(7),
        hdop: fields.positive(8),
        ..Report::of(Kind::Gga, fields.time(1, remembered))
    }))
}

fn gns(fields: &Fields<'_>, remembered: &mut Remembered) -> Option<Sentence> {
    // One letter for each satellite system.
    let claim = fields.raw(6).chars().map(claim_by_mode).max()?;
    Some(Sentence::Position(Report {
        claim,
        position: fields.position(2, remembered),
        altitude_m: fields.decimal(9),
        satellites: fields.count(7),
        hdop: fields.positive(8),
        ..Report::of(Kind::Gns, fields.time(1, remembered))
    }))
}

fn gll(fields: &Fields<'_>, remembered: &mut Remembered) -> Option<Sentence> {
    let valid = match fields.raw(6) {
        "A" => true,
        "V" => false,
        _ => return None,
    };
    Some(Sentence::Position(Report {
        // The form of the 1990s ends with the status.
        claim: claim_by_status(valid, fields.raw(7)),
        position: fields.position(1, remembered),
        ..Report::of(Kind::Gll, fields.time(5, remembered))
    }))
}

fn vtg(fields: &Fields<'_>, _: &mut Remembered) -> Option<Sentence> {
    // "Not valid" is said here too, with numbers left over from before.
    if fields.raw(9) == "N" {
        return Some(Sentence::Motion(Motion::default()));
    }
    // In the form of the 1980s no letters stand between the numbers.
    let speed_kn = fields.positive(if fields.positive(2).is_none() { 5 } else { 3 });
    Some(Sentence::Motion(Motion { speed_kn, course_deg: fields.positive(1) }))
}

fn zda(fields: &Fields<'_>, remembered: &mut Remembered) -> Option<Sentence> {
    let (day, month, year) = (fields.digits(2)?, fields.digits(3)?, fields.digits(4)?);
    if fields.raw(4).len() != 4 {
        return None;
    }
    let date = NaiveDate::from_ymd_opt(year.into(), month.into(), day.into())?;
    // Without the time zone: it is not needed.
    Some(Sentence::Date { time: fields.time(1, remembered), date })
}

impl Report {
    /// A report that says nothing yet.
    fn of(kind: Kind, time: Option<NaiveTime>) -> Self {
        Self {
            kind,
            claim: Claim::NoFix,
            time,
            position: None,
            date: None,
            motion: Motion::default(),
            altitude_m: None,
            quality: None,
            satellites: None,
            hdop: None,
        }
    }
}

fn claim_by_status(valid: bool, mode: &str) -> Claim {
    match mode.chars().next() {
        _ if !valid => Claim::NoFix,
        // Before NMEA 2.3 there was no mode.
        None => Claim::Measured,
        Some(mode) => claim_by_mode(mode),
    }
}

fn claim_by_mode(mode: char) -> Claim {
    match mode {
        'N' => Claim::NoFix,
        'E' | 'M' | 'S' => Claim::Estimated,
        _ => Claim::Measured,
    }
}

/// `ddmmyy`, where 80 to 99 are years of the last century: GPS time began in 1980.
fn two_digit_date(field: &str) -> Option<NaiveDate> {
    if field.len() != 6 || !field.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let pair = |at: usize| field.get(at..at + 2)?.parse::<u32>().ok();
    let (day, month, year) = (pair(0)?, pair(2)?, pair(4)? as i32);
    NaiveDate::from_ymd_opt(if year >= 80 { 1900 + year } else { 2000 + year }, month, day)
}
