//! A map of the world in dots of Braille: two columns and four rows of them a character.

use std::sync::OnceLock;

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

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
    let mut dots = Dots::new(area);
    for ring in land() {
        for pair in ring.windows(2) {
            dots.line(dots.at(pair[0]), dots.at(pair[1]));
        }
    }
    for (index, dots) in dots.cells.iter().enumerate().filter(|(_, dots)| **dots != 0) {
        let (x, y) = (index as u16 % area.width, index as u16 / area.width);
        let symbol = char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' ');
        if let Some(cell) = buffer.cell_mut((area.x + x, area.y + y)) {
            cell.set_char(symbol).set_style(look.style(Tone::Dim));
        }
    }
    let mut there = vec![0_u16; dots.cells.len()];
    for mark in marks {
        let (x, y) = dots.at((mark.longitude, mark.latitude));
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

struct Dots {
    width: i32,
    height: i32,
    columns: i32,
    cells: Vec<u8>,
}

impl Dots {
    fn new(area: Rect) -> Self {
        let (columns, rows) = (i32::from(area.width), i32::from(area.height));
        Self { width: 2 * columns, height: 4 * rows, columns, cells: vec![0; (columns * rows) as usize] }
    }

    /// The dot of a longitude and a latitude, on the map whatever they are.
    fn at(&self, (longitude, latitude): (f64, f64)) -> (i32, i32) {
        let part = |value: f64, from: f64, to: f64| ((value - from) / (to - from)).clamp(0.0, 1.0);
        let x = part(longitude, -180.0, 180.0) * f64::from(self.width - 1);
        let y = part(latitude, NORTH, SOUTH) * f64::from(self.height - 1);
        (x.round() as i32, y.round() as i32)
    }

    fn line(&mut self, from: (i32, i32), to: (i32, i32)) {
        let (across, down) = (to.0 - from.0, to.1 - from.1);
        let steps = across.abs().max(down.abs());
        // Along the edges of the map there is no coast.
        let is_edge = |value: i32, last: i32| value == 0 || value == last;
        let along = (across == 0 && is_edge(from.0, self.width - 1))
            || (down == 0 && is_edge(from.1, self.height - 1));
        if along {
            return;
        }
        for step in 0..=steps {
            let part = |whole: i32| (f64::from(whole * step) / f64::from(steps.max(1))).round() as i32;
            self.set(from.0 + part(across), from.1 + part(down));
        }
    }

    fn set(&mut self, x: i32, y: i32) {
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let cell = (y / 4 * self.columns + x / 2) as usize;
        if let Some(dots) = self.cells.get_mut(cell) {
            *dots |= BITS[(y % 4) as usize][(x % 2) as usize];
        }
    }
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
