//! One container of the fleet, in full.

use tracker_protocol::printable;

use super::order::state;
use crate::cli::terminal::screen::{
    Facts, Pane, Row, Tone, age, alarm_rows, journal_rows, link_rows, readings, sensor_rows, sky_rows,
};
use crate::event::Severity;
use crate::lab::board::{CloseUp, Said};

/// All that there is to say of it.
pub(super) fn facts(close_up: &CloseUp) -> Facts {
    let CloseUp { brief, device, in_state_s, offline_cause, sky, readings: measured, said } = close_up;
    let mut reading_rows = readings(measured);
    let heard = brief.silent_s.map_or("never".into(), |seconds| format!("{} ago", age(seconds)));
    reading_rows.push(Row::Fact("heard", Tone::Plain, heard));
    let mut position = vec![Row::Fact("at", Tone::Plain, place(brief.position))];
    position.extend(brief.place.iter().map(|place| Row::Fact("in", Tone::Good, place.clone())));
    position.extend(sky.iter().flat_map(sky_rows));
    let mut panes = vec![Pane::new("readings", reading_rows)];
    if let Some(device) = device {
        panes.push(Pane::new("link", link_rows(device, *in_state_s, offline_cause.as_deref())));
        panes.push(Pane::new("position", position));
        panes.push(Pane::new("journal", journal_rows(&device.journal)));
        panes.push(Pane::new("alarms", alarm_rows(&device.active_alarms)));
        panes.push(Pane::new("sensors", sensor_rows(&device.sensors)));
    } else {
        panes.push(Pane::new("position", position));
    }
    let voyage = [("voyage", &brief.voyage), ("cargo", &brief.cargo)];
    panes.push(Pane::new(
        "voyage",
        voyage.map(|(name, value)| Row::Fact(name, Tone::Plain, value.clone())).into(),
    ));
    let title = format!("{} · {}", printable(&brief.id), state(brief));
    Facts { title, tone: Tone::Strong, panes, log: log(said, false) }
}

/// What was said, the newest last.
pub(super) fn log(said: &[Said], of_all: bool) -> Pane {
    let row = |said: &Said| {
        let tone = match said.severity {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Warning,
            Severity::Info | Severity::Debug => Tone::Plain,
        };
        let device = said.device.as_deref().filter(|_| of_all).map(|device| format!("{device}  "));
        let time = said.at.format("%H:%M:%S");
        Row::Text(tone, format!("{time} {}{}", device.unwrap_or_default(), said.text))
    };
    Pane::new("log", said.iter().map(row).collect())
}

/// A position as people write it.
pub(super) fn place(position: Option<(f64, f64)>) -> String {
    let Some((latitude, longitude)) = position else { return "no position".into() };
    let side =
        |value: f64, sides: [char; 2]| format!("{:.2}°{}", value.abs(), sides[usize::from(value < 0.0)]);
    format!("{} {}", side(latitude, ['N', 'S']), side(longitude, ['E', 'W']))
}
