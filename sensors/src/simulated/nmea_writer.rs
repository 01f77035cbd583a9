//! NMEA sentences in the order and with the digits of a u-blox receiver.

use std::fmt::Write;

use chrono::{DateTime, Utc};

use crate::gps::Position;

/// What the emulated receiver has measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) position: Position,
    pub(super) altitude_m: f64,
    pub(super) speed_kn: f64,
    pub(super) course_deg: Option<f64>,
    pub(super) satellites: usize,
    pub(super) hdop: f64,
}

/// A satellite over the horizon: number, elevation and azimuth in degrees, signal in dBHz.
pub(super) type Satellite = (u8, u8, u16, u8);

/// Appends one sentence: `$`, body, checksum, line end.
pub(super) fn sentence(out: &mut Vec<u8>, body: &str) {
    let checksum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    out.extend_from_slice(format!("${body}*{checksum:02X}\r\n").as_bytes());
}

/// One epoch: RMC VTG GGA GSA GSV GLL. Without a clock the time is empty; without a measurement the position.
pub(super) fn epoch(clock: Option<DateTime<Utc>>, measured: Option<&Measured>, sky: &[Satellite]) -> Vec<u8> {
    let mut out = Vec::with_capacity(600);
    let time = clock.map(|utc| utc.format("%H%M%S%.3f").to_string()).map(|text| text[..9].to_owned());
    let time = time.unwrap_or_default();
    let date = clock.map(|utc| utc.format("%d%m%y").to_string()).unwrap_or_default();
    let Some(fix) = measured else {
        sentence(&mut out, &format!("GNRMC,{time},V,,,,,,,{date},,,N"));
        sentence(&mut out, "GNVTG,,,,,,,,,N");
        sentence(&mut out, &format!("GNGGA,{time},,,,,0,00,99.99,,,,,,"));
        sentence(&mut out, "GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99");
        satellites_in_view(&mut out, &sky[..sky.len().min(2)]);
        sentence(&mut out, &format!("GNGLL,,,,,{time},V,N"));
        return out;
    };
    let place = position(fix.position);
    let course = fix.course_deg.map(|course| format!("{course:.2}")).unwrap_or_default();
    let Measured { altitude_m, speed_kn, satellites, hdop, .. } = *fix;
    let speed_kmh = speed_kn * 1.852;
    let (pdop, vdop) = (hdop * 1.7, hdop * 1.4);
    sentence(&mut out, &format!("GNRMC,{time},A,{place},{speed_kn:.3},{course},{date},,,A"));
    sentence(&mut out, &format!("GNVTG,{course},T,,M,{speed_kn:.3},N,{speed_kmh:.3},K,A"));
    sentence(
        &mut out,
        &format!("GNGGA,{time},{place},1,{satellites:02},{hdop:.2},{altitude_m:.1},M,0.0,M,,"),
    );
    let mut used = String::new();
    for slot in 0..12 {
        match sky.get(slot) {
            Some((number, ..)) if slot < satellites => write!(used, ",{number:02}"),
            _ => write!(used, ","),
        }
        .expect("writing to a string cannot fail");
    }
    sentence(&mut out, &format!("GNGSA,A,3{used},{pdop:.2},{hdop:.2},{vdop:.2}"));
    satellites_in_view(&mut out, sky);
    sentence(&mut out, &format!("GNGLL,{place},{time},A,A"));
    out
}

fn satellites_in_view(out: &mut Vec<u8>, sky: &[Satellite]) {
    let total = sky.len().div_ceil(4).max(1);
    if sky.is_empty() {
        sentence(out, "GPGSV,1,1,00");
    }
    for (index, group) in sky.chunks(4).enumerate() {
        let mut body = format!("GPGSV,{total},{},{:02}", index + 1, sky.len());
        for (number, elevation, azimuth, signal) in group {
            write!(body, ",{number:02},{elevation:02},{azimuth:03},{signal:02}")
                .expect("writing to a string cannot fail");
        }
        sentence(out, &body);
    }
}

/// `ddmm.mmmmm,N,dddmm.mmmmm,E`.
fn position(position: Position) -> String {
    let (lat, lon) = (position.latitude, position.longitude);
    let (ns, ew) = (if lat < 0.0 { 'S' } else { 'N' }, if lon < 0.0 { 'W' } else { 'E' });
    let ((lat_deg, lat_min), (lon_deg, lon_min)) = (degrees_minutes(lat), degrees_minutes(lon));
    format!("{lat_deg:02}{lat_min},{ns},{lon_deg:03}{lon_min},{ew}")
}

/// Whole degrees, and minutes as `mm.mmmmm`. Counted in units of the last digit, so that 59.999999 minutes
/// become a degree more instead of 60.00000.
fn degrees_minutes(angle: f64) -> (u64, String) {
    let units = (angle.abs() * 60.0 * 100_000.0).round() as u64;
    let (degrees, rest) = (units / 6_000_000, units % 6_000_000);
    (degrees, format!("{:02}.{:05}", rest / 100_000, rest % 100_000))
}
