//! A table whose columns come and go with the width of the terminal.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;

use super::look::{Look, Tone};
use crate::lab::text::{cut, width};

/// A column.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct Column {
    pub(in crate::cli) title: &'static str,
    /// In columns of the terminal.
    pub(in crate::cli) width: u16,
    /// Of those that don't fit the greatest are left out first.
    pub(in crate::cli) rank: u8,
    /// So much of what is left over.
    pub(in crate::cli) grows: u16,
    pub(in crate::cli) to_the_right: bool,
}

/// A table.
pub(in crate::cli) struct Table<'a> {
    pub(in crate::cli) columns: &'a [Column],
    /// Index of the chosen row.
    pub(in crate::cli) chosen: usize,
    pub(in crate::cli) rows: usize,
}

impl Table<'_> {
    /// Draws the titles, and the rows from `from` on, which becomes what shows the chosen one. `cell` gives what is printable.
    pub(in crate::cli) fn draw(
        &self,
        area: Rect,
        buffer: &mut Buffer,
        look: Look,
        from: &mut usize,
        mut row: impl FnMut(usize) -> (Tone, Vec<String>),
    ) {
        let widths = self.widths(area.width);
        let titles: Vec<_> = self.columns.iter().map(|column| column.title.to_owned()).collect();
        let height = usize::from(area.height.saturating_sub(1));
        self.line(area, 0, buffer, &widths, &titles);
        buffer.set_style(Rect { height: area.height.min(1), ..area }, look.style(Tone::Strong));
        *from = (*from).min(self.chosen).max((self.chosen + 1).saturating_sub(height.max(1)));
        *from = (*from).min(self.rows.saturating_sub(height));
        for (y, index) in (*from..self.rows.min(*from + height)).enumerate() {
            let (tone, cells) = row(index);
            let y = y as u16 + 1;
            self.line(area, y, buffer, &widths, &cells);
            let line = Rect { y: area.y + y, height: 1, ..area };
            buffer.set_style(line, look.style(tone));
            if index == self.chosen {
                buffer.set_style(line, look.style(Tone::Chosen));
            }
        }
    }

    fn line(&self, area: Rect, y: u16, buffer: &mut Buffer, widths: &[u16], cells: &[String]) {
        if y >= area.height {
            return;
        }
        let mut x = area.x;
        for ((column, columns), cell) in self.columns.iter().zip(widths).zip(cells) {
            if *columns == 0 {
                continue;
            }
            let text = cut(cell, (*columns).into());
            let before = if column.to_the_right { *columns - width(&text) as u16 } else { 0 };
            buffer.set_stringn(
                x + before,
                area.y + y,
                text,
                (*columns).into(),
                ratatui_core::style::Style::new(),
            );
            x += columns + 1;
        }
    }

    /// The width of each column; 0 for one that is left out.
    fn widths(&self, room: u16) -> Vec<u16> {
        let mut widths = vec![0; self.columns.len()];
        let mut ranked: Vec<_> = self.columns.iter().enumerate().collect();
        ranked.sort_by_key(|(_, column)| column.rank);
        let mut left = room + 1;
        for (index, column) in ranked {
            if left > column.width {
                left -= column.width + 1;
                widths[index] = column.width;
            } else {
                break;
            }
        }
        let grows = |index: usize| if widths[index] > 0 { self.columns[index].grows } else { 0 };
        let all: u16 = (0..widths.len()).map(grows).sum();
        let more: Vec<u16> = (0..widths.len())
            .map(|index| {
                (u32::from(left) * u32::from(grows(index))).checked_div(all.into()).unwrap_or(0) as u16
            })
            .collect();
        widths.iter().zip(more).map(|(width, more)| width + more).collect()
    }
}
