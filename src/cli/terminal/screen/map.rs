//! A map of the world in dots of Braille: two columns and four rows of them a character.

use std::sync::OnceLock;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::dots::Dots;
use super::look::{Look, Tone};

/// Latitudes that are shown; nobody sails beyond.
const NORTH: f64 = 80.0;
const SOUTH: f64 = -58.0;

/// Something at a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::cli) struct Mark {
    /// Degrees, north is positive.
    pub(in crate::cli) latitude: f64,
    /// Degrees, east is positive.
    pub(in crate::cli) longitude: f64,
    pub(in crate::cli) tone: Tone,
}

/// Draws land, and marks on it: a dot for one, `!` where something is wrong there, a number for several in one place. The last of
/// them lies on top.
pub(in crate::cli) fn draw_map(area: Rect, buffer: &mut Buffer, look: Look, marks: &[Mark]) {
    if area.width == 0 || area.height == 0 {
        return;
    }
    let mut dots = Dots::new(area.width, area.height);
    for ring in land() {
        for pair in ring.windows(2) {
            let (from, to) = (at(&dots, pair[0]), at(&dots, pair[1]));
            if !is_edge(&dots, from, to) {
                dots.line(from, to);
            }
        }
    }
    for y in 0..area.height {
        for (x, symbol) in (0..).zip(dots.row(y)).filter(|(_, symbol)| *symbol != ' ') {
            if let Some(cell) = buffer.cell_mut((area.x + x, area.y + y)) {
                cell.set_char(symbol).set_style(look.style(Tone::Dim));
            }
        }
    }
    let mut there = vec![0_u16; usize::from(area.width) * usize::from(area.height)];
    for mark in marks {
        let (x, y) = at(&dots, (mark.longitude, mark.latitude));
        let (x, y) = ((x / 2) as u16, (y / 4) as u16);
        let (x, y) = (x.min(area.width - 1), y.min(area.height - 1));
        let count = &mut there[usize::from(y) * usize::from(area.width) + usize::from(x)];
        *count += 1;
        let symbol = match *count {
            1 if matches!(mark.tone, Tone::Warning | Tone::Bad) => '!',
            1 => '●',
            count @ 2..=9 => char::from(b'0' + count as u8),
            _ => '+',
        };
        if let Some(cell) = buffer.cell_mut((area.x + x, area.y + y)) {
            cell.reset();
            cell.set_char(symbol).set_style(look.style(mark.tone));
        }
    }
}

/// The dot of a longitude and a latitude, on the map whatever they are.
fn at(dots: &Dots, (longitude, latitude): (f64, f64)) -> (i32, i32) {
    let part = |value: f64, from: f64, to: f64| ((value - from) / (to - from)).clamp(0.0, 1.0);
    let x = part(longitude, -180.0, 180.0) * f64::from(dots.width() - 1);
    let y = part(latitude, NORTH, SOUTH) * f64::from(dots.height() - 1);
    (x.round() as i32, y.round() as i32)
}

/// Whether a line lies along the edge of the map, where there is no coast.
fn is_edge(dots: &Dots, from: (i32, i32), to: (i32, i32)) -> bool {
    let is_edge = |value: i32, last: i32| value == 0 || value == last;
    (from.0 == to.0 && is_edge(from.0, dots.width() - 1))
        || (from.1 == to.1 && is_edge(from.1, dots.height() - 1))
}

/// The outlines of land: longitudes and latitudes.
fn land() -> &'static [Vec<(f64, f64)>] {
    static LAND: OnceLock<Vec<Vec<(f64, f64)>>> = OnceLock::new();
    LAND.get_or_init(|| {
        let rings = include_str!("land.txt").lines().filter(|line| !line.starts_with('#'));
        let point = |text: &str| {
            let (longitude, latitude) = text.split_once(',')?;
            Some((longitude.parse().ok()?, latitude.parse().ok()?))
        };
        rings.map(|ring| ring.split(' ').filter_map(point).collect()).collect()
    })
}

#[cfg(test)]
mod tests {
    use ratatui_core::buffer::Cell;

    use super::*;

    #[test]
    fn all_of_the_land_can_be_read_and_is_on_the_earth() {
        let points: usize = land().iter().map(Vec::len).sum();
        let written = include_str!("land.txt").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(points, written.map(|line| line.split(' ').count()).sum::<usize>());
        assert!(land().len() > 50 && points > 1000);
        assert!(land().iter().all(|ring| ring.first() == ring.last()), "a ring is closed");
        assert!(land().iter().flatten().all(|(lon, lat)| lon.abs() <= 180.0 && lat.abs() <= 90.0));
    }

    #[test]
    fn marks_lie_on_the_land_and_several_are_counted() {
        let area = Rect::new(0, 0, 60, 12);
        let mut buffer = Buffer::empty(area);
        let look = Look { colour: false, unicode: true };
        let mark = |latitude, longitude| Mark { latitude, longitude, tone: Tone::Good };
        let nowhere = mark(-90.0, 180.0);
        let bad = Mark { tone: Tone::Bad, ..mark(0.0, -30.0) };
        let marks = [mark(51.9, 4.5), mark(51.9, 4.5), mark(-36.8, 174.7), nowhere, bad];
        draw_map(area, &mut buffer, look, &marks);
        let symbols: String = buffer.content.iter().map(Cell::symbol).collect();
        let at = |symbol: char| symbols.chars().position(|c| c == symbol).unwrap();
        assert_eq!((at('2') % 60, at('2') / 60), (30, 2), "Rotterdam");
        assert_eq!((symbols.matches('●').count(), symbols.matches('!').count()), (2, 1));
        let land = symbols.chars().filter(|c| ('\u{2801}'..='\u{28ff}').contains(c)).count();
        assert!((100..500).contains(&land), "{land}");
        // Where there is no room there is no map.
        draw_map(Rect::new(0, 0, 0, 5), &mut buffer, look, &[nowhere]);
        draw_map(Rect::new(0, 0, 1, 1), &mut buffer, look, &[nowhere]);
    }
}
