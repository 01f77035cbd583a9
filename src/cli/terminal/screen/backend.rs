//! What a buffer's changes are in the terminal's own language: ECMA-48, as every terminal since the VT100 knows it.

use std::fmt::Write;
use std::io;

use ratatui_core::backend::{Backend, ClearType, WindowSize};
use ratatui_core::buffer::Cell;
use ratatui_core::layout::{Position, Size};
use ratatui_core::style::{Color, Modifier};

use super::device;

/// Collects a frame, and writes it at once.
#[derive(Debug, Default)]
pub(super) struct Ansi {
    frame: String,
    /// The last style that was set.
    style: Option<(Color, Modifier)>,
}

impl Ansi {
    fn say(&mut self, sequence: &str) -> io::Result<()> {
        self.frame.push_str(sequence);
        Ok(())
    }

    fn set_style(&mut self, cell: &Cell) {
        let style = (cell.fg, cell.modifier);
        if self.style.replace(style) == Some(style) {
            return;
        }
        self.frame.push_str("\x1b[0");
        for (modifier, code) in [(Modifier::BOLD, ";1"), (Modifier::DIM, ";2"), (Modifier::REVERSED, ";7")] {
            if cell.modifier.contains(modifier) {
                self.frame.push_str(code);
            }
        }
        self.frame.push_str(match cell.fg {
            Color::Red => ";31",
            Color::Green => ";32",
            Color::Yellow => ";33",
            Color::Cyan => ";36",
            _ => "",
        });
        self.frame.push('m');
    }
}

impl Backend for Ansi {
    type Error = io::Error;

    fn draw<'a, I>(&mut self, content: I) -> io::Result<()>
    where
        I: Iterator<Item = (u16, u16, &'a Cell)>,
    {
        self.style = None;
        let mut next = None;
        for (x, y, cell) in content {
            // The cursor stands where the last character has left it; of wide ones terminals have different opinions.
            if next != Some((x, y)) {
                let _ = write!(self.frame, "\x1b[{};{}H", y + 1, x + 1);
            }
            self.set_style(cell);
            self.frame.push_str(cell.symbol());
            next = cell.symbol().is_ascii().then_some((x + 1, y));
        }
        self.say("\x1b[0m")
    }

    fn hide_cursor(&mut self) -> io::Result<()> {
        self.say("\x1b[?25l")
    }

    fn show_cursor(&mut self) -> io::Result<()> {
        self.say("\x1b[?25h")
    }

    fn get_cursor_position(&mut self) -> io::Result<Position> {
        Ok(Position::ORIGIN)
    }

    fn set_cursor_position<P: Into<Position>>(&mut self, position: P) -> io::Result<()> {
        let Position { x, y } = position.into();
        self.say(&format!("\x1b[{};{}H", y + 1, x + 1))
    }

    fn clear(&mut self) -> io::Result<()> {
        self.say("\x1b[0m\x1b[2J")
    }

    fn clear_region(&mut self, _region: ClearType) -> io::Result<()> {
        self.clear()
    }

    fn size(&self) -> io::Result<Size> {
        Ok(device::size())
    }

    fn window_size(&mut self) -> io::Result<WindowSize> {
        Ok(WindowSize { columns_rows: device::size(), pixels: Size::ZERO })
    }

    fn flush(&mut self) -> io::Result<()> {
        device::write(std::mem::take(&mut self.frame).as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::buffer::Buffer;
    use ratatui_core::style::Style;

    use super::*;

    #[test]
    fn a_frame_moves_the_cursor_and_sets_the_style_only_where_it_must() {
        let before = Buffer::empty(ratatui_core::layout::Rect::new(0, 0, 12, 2));
        let mut after = before.clone();
        after.set_string(1, 0, "ab", Style::new().fg(Color::Red).add_modifier(Modifier::BOLD));
        after.set_string(0, 1, "é", Style::new());
        after.set_string(1, 1, "c", Style::new());
        let mut backend = Ansi::default();
        backend.draw(before.diff(&after).into_iter()).unwrap();
        assert_eq!(backend.frame, "\x1b[1;2H\x1b[0;1;31mab\x1b[2;1H\x1b[0mé\x1b[2;2Hc\x1b[0m");
    }
}
