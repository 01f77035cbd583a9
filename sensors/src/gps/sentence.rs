//! One checksummed sentence to what it says about the position.

use chrono::{NaiveDate, NaiveTime, Timelike};
use nmea::SentenceType;
use nmea::sentences::{self, FixType};

use super::fields::{Fields, Time};

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
    /// Reads what stands between `$` and `*`.
    pub(super) fn read(body: &str) -> Self {
        let (address, data) = body.split_once(',').unwrap_or((body, ""));
        // `P` begins proprietary sentences, which only look alike; EC is a chart display and AP an
        // autopilot: they repeat positions that are not their own.
        let is_receiver = !matches!(address.as_bytes(), [b'P', ..] | [b'E', b'C', ..] | [b'A', b'P', ..]);
        let (Some(talker), Some(formatter), 5, true) =
            (address.get(..2), address.get(2..), address.len(), is_receiver)
        else {
            return Self::Other;
        };
        let fields = Fields::new(data);
        let read = match formatter {
            "RMC" => rmc(talker, fields).map(Self::Position),
            "GGA" => gga(talker, fields).map(Self::Position),
            "GNS" => gns(talker, fields).map(Self::Position),
            "GLL" => gll(talker, fields).map(Self::Position),
            "VTG" => vtg(talker, fields).map(Self::Motion),
            "ZDA" => zda(talker, fields),
            _ => Some(Self::Other),
        };
        read.unwrap_or(Self::Unreadable)
    }
}

fn rmc(talker: &str, fields: Fields<'_>) -> Option<Report> {
    let time = fields.time(1);
    let mode = fields.raw(12);
    // Date, variation and mode are read here: the crate takes 1980 to 1982 for 2080 to 2082 and stumbles over
    // damaged dates.
    let data = format!(
        "{},{},{},{},{},,,",
        time.text,
        fields.raw(2),
        fields.position(3),
        fields.positive(7),
        fields.positive(8)
    );
    let rmc = sentences::parse_rmc(to_crate(talker, SentenceType::RMC, &data)).ok()?;
    let valid = rmc.status_of_fix != sentences::rmc::RmcStatusOfFix::Invalid;
    Some(Report {
        claim: claim_by_status(valid, mode),
        position: rmc.lat.zip(rmc.lon),
        date: two_digit_date(fields.raw(9)),
        motion: Motion { speed_kn: widen(rmc.speed_over_ground), course_deg: widen(rmc.true_course) },
        ..Report::of(Kind::Rmc, rmc.fix_time, &time)
    })
}

fn gga(talker: &str, fields: Fields<'_>) -> Option<Report> {
    let time = fields.time(1);
    let quality = fields.count(6)?;
    let data = format!(
        "{},{},{},,{},{},M,,M,,",
        time.text,
        fields.position(2),
        // Some receivers count on beyond 8 for kinds of corrections; the crate refuses those.
        if quality > 8 { 2 } else { quality },
        fields.positive(8),
        fields.decimal(9)
    );
    let gga = sentences::parse_gga(to_crate(talker, SentenceType::GGA, &data)).ok()?;
    let claim = match gga.fix_type {
        None | Some(FixType::Invalid) => Claim::NoFix,
        Some(FixType::Estimated | FixType::Manual | FixType::Simulation) => Claim::Estimated,
        Some(_) => Claim::Measured,
    };
    Some(Report {
        claim,
        position: gga.latitude.zip(gga.longitude),
        altitude_m: widen(gga.altitude),
        quality: Some(quality),
        satellites: fields.count(7),
        hdop: widen(gga.hdop),
        ..Report::of(Kind::Gga, gga.fix_time, &time)
    })
}

fn gns(talker: &str, fields: Fields<'_>) -> Option<Report> {
    let time = fields.time(1);
    let modes = fields.raw(6);
    // One letter for each satellite system; the crate reads at most two, and receivers send up to six.
    let claim = modes.chars().map(claim_by_mode).max()?;
    let data =
        format!("{},{},N,0,{},{},,,", time.text, fields.position(2), fields.positive(8), fields.decimal(9));
    let gns = sentences::parse_gns(to_crate(talker, SentenceType::GNS, &data)).ok()?;
    Some(Report {
        claim,
        position: gns.lat.zip(gns.lon),
        altitude_m: widen(gns.alt),
        satellites: fields.count(7),
        hdop: widen(gns.hdop),
        ..Report::of(Kind::Gns, gns.fix_time, &time)
    })
}

fn gll(talker: &str, fields: Fields<'_>) -> Option<Report> {
    let time = fields.time(5);
    // The form of the 1990s ends with the status; the crate wants the comma of the mode.
    let data = format!("{},{},{},", fields.position(1), time.text, fields.raw(6));
    let gll = sentences::parse_gll(to_crate(talker, SentenceType::GLL, &data)).ok()?;
    Some(Report {
        claim: claim_by_status(gll.valid, fields.raw(7)),
        position: gll.latitude.zip(gll.longitude),
        ..Report::of(Kind::Gll, gll.fix_time, &time)
    })
}

fn vtg(talker: &str, fields: Fields<'_>) -> Option<Motion> {
    // In the form of the 1980s no letters stand between the numbers.
    let speed = if fields.positive(2).is_empty() { 5 } else { 3 };
    let data = format!("{},T,,M,{},N,,K", fields.positive(1), fields.positive(speed));
    let vtg = sentences::parse_vtg(to_crate(talker, SentenceType::VTG, &data)).ok()?;
    // "Not valid" is said here too, with numbers left over from before.
    if fields.raw(9) == "N" {
        return Some(Motion::default());
    }
    Some(Motion { speed_kn: widen(vtg.speed_over_ground), course_deg: widen(vtg.true_course) })
}

fn zda(talker: &str, fields: Fields<'_>) -> Option<Sentence> {
    let time = fields.time(1);
    // Without the time zone: it is not needed, and the crate does not know `+00`.
    let data = format!("{},{},{},{},,", time.text, fields.raw(2), fields.raw(3), fields.raw(4));
    let zda = sentences::parse_zda(to_crate(talker, SentenceType::ZDA, &data)).ok()?;
    let date = zda.utc_date()?;
    Some(Sentence::Date { time: with_leap(zda.utc_time, &time), date })
}

impl Report {
    /// A report that says nothing yet.
    fn of(kind: Kind, crate_time: Option<NaiveTime>, time: &Time<'_>) -> Self {
        Self {
            kind,
            claim: Claim::NoFix,
            time: with_leap(crate_time, time),
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

/// The framer has checked length and checksum already, so only the parts that are read matter here.
fn to_crate<'a>(talker_id: &'a str, message_id: SentenceType, data: &'a str) -> nmea::NmeaSentence<'a> {
    nmea::NmeaSentence { talker_id, message_id, data, checksum: 0 }
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

/// Leap seconds as `chrono` has them: the 60th second is the 59th with a second more of nanoseconds.
fn with_leap(crate_time: Option<NaiveTime>, time: &Time<'_>) -> Option<NaiveTime> {
    let second = crate_time?;
    if time.leap { second.with_nanosecond(second.nanosecond() + 1_000_000_000) } else { Some(second) }
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

/// The crate gives single precision. Taken over bit by bit 5.2 knots would become 5.199999809, so the
/// shortest decimal that means the same is taken, which is what the receiver sent.
fn widen(value: Option<f32>) -> Option<f64> {
    value?.to_string().parse().ok().filter(|value: &f64| value.is_finite())
}
