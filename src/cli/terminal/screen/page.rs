//! What is shown on a screen, and what keys do there.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::keys::Key;
use super::look::{Look, Tone};
use crate::lab::text::cut;

/// What a key has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Flow {
    Stays,
    Ends,
}

/// A page. It draws what it knows, and asks nobody while it does.
pub(in crate::cli) trait Page {
    /// Takes in what is new; whether anything is.
    fn refresh(&mut self) -> bool;

    /// Does what a key says.
    fn press(&mut self, key: Key) -> Flow;

    /// Draws itself.
    fn draw(&mut self, buffer: &mut Buffer, look: Look);
}

/// Draws the first line, and gives what is left.
pub(in crate::cli) fn heading(area: Rect, buffer: &mut Buffer, look: Look, title: &str, tone: Tone) -> Rect {
    line(area, buffer, title, look, tone);
    Rect { y: area.y + area.height.min(1), height: area.height.saturating_sub(1), ..area }
}

/// Draws the last line, and gives what is left.
pub(in crate::cli) fn footer(area: Rect, buffer: &mut Buffer, look: Look, text: &str) -> Rect {
    let height = area.height.saturating_sub(1);
    if area.height > 0 {
        line(Rect { y: area.y + height, height: 1, ..area }, buffer, text, look, Tone::Dim);
    }
    Rect { height, ..area }
}

fn line(area: Rect, buffer: &mut Buffer, text: &str, look: Look, tone: Tone) {
    if area.height > 0 {
        let width = usize::from(area.width);
        buffer.set_stringn(area.x, area.y, cut(text, width), width, look.style(tone));
    }
}
