//! A reading in 80 columns, with what matters first.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use super::words::{number, taken};
use crate::lab::text::{cut, width};

/// Of a name or a position.
const PLACE: usize = 14;

/// `08:23`, or with its day where that is not the one at hand.
pub(super) fn time(time: Option<DateTime<Utc>>, day: Option<NaiveDate>) -> String {
    match time {
        None => "--:--".into(),
        Some(time) if day.is_none_or(|day| day == time.date_naive()) => time.format("%H:%M").to_string(),
        Some(time) => time.format("%b %d %H:%M").to_string(),
    }
}

/// What was measured, and what is wrong: `4.26 °C  83 % 1006 hPa  51.95N   4.42E  61 km/h ⚠tempHigh`. Of another day, its time
/// takes the place of the pressure.
pub(super) fn measured(body: &Value, day: Option<NaiveDate>, alarms: &[String], columns: usize) -> String {
    let is_of_today = taken(body).is_none_or(|time| day == Some(time.date_naive()));
    let mut text = format!("{:>9}", number(body, "temperature", 2, "°C"));
    text += &format!(" {:>5}", number(body, "humidity", 0, "%"));
    if is_of_today {
        text += &format!(" {:>8}", number(body, "pressure", 0, "hPa"));
    }
    let place = place(body);
    let blanks = PLACE.saturating_sub(width(&place));
    text += &format!("  {place}{}", " ".repeat(blanks));
    let has_fix = body["location"]["lat"].is_number();
    let speed = if has_fix { number(body, "speed", 0, "km/h") } else { String::new() };
    text += &format!(" {speed:>8}");
    if let [first, others @ ..] = alarms {
        let more = if others.is_empty() { String::new() } else { format!("+{}", others.len()) };
        let room = columns.saturating_sub(width(&text) + 2 + more.len());
        text += &format!(" ⚠{}{more}", cut(first, room));
    }
    cut(text.trim_end(), columns)
}

/// Where it is: the name of the fence, or the position.
fn place(body: &Value) -> String {
    if let Some(name) = body["place"].as_str() {
        return cut(&tracker_protocol::printable(name), PLACE);
    }
    match (body["location"]["lat"].as_f64(), body["location"]["lon"].as_f64()) {
        (Some(lat), Some(lon)) => {
            let (south, west) = (if lat < 0.0 { 'S' } else { 'N' }, if lon < 0.0 { 'W' } else { 'E' });
            cut(&format!("{:5.2}{south} {:6.2}{west}", lat.abs(), lon.abs()), PLACE)
        }
        _ => "no GPS fix".into(),
    }
}

/// The name of an alarm, short: `temperatureHigh` is `tempHigh`.
pub(super) fn alarm(name: &str) -> String {
    let name = tracker_protocol::printable(name);
    [("temperature", "temp"), ("humidity", "hum"), ("pressure", "press")]
        .into_iter()
        .find_map(|(long, short)| Some(format!("{short}{}", name.strip_prefix(long)?)))
        .unwrap_or(name)
}
