//! A page as plain text, for tests.

use ratatui_core::backend::TestBackend;
use ratatui_core::buffer::Cell;
use ratatui_core::terminal::Terminal;

use super::look::Look;
use super::page::Page;

/// The page on a terminal of this size without colours, line by line, without blanks at their ends.
pub(in crate::cli) fn snapshot(page: &mut dyn Page, columns: u16, rows: u16) -> String {
    let Ok(mut terminal) = Terminal::new(TestBackend::new(columns, rows));
    let look = Look { colour: false, unicode: true };
    let Ok(_) = terminal.draw(|frame| page.draw(frame.buffer_mut(), look));
    let cells = &terminal.backend().buffer().content;
    assert!(cells.iter().all(|cell| cell.fg == Cell::EMPTY.fg && cell.bg == Cell::EMPTY.bg), "a colour");
    let line = |cells: &[Cell]| {
        let line: String = cells.iter().map(Cell::symbol).collect();
        line.trim_end().to_owned() + "\n"
    };
    cells.chunks(columns.into()).map(line).collect()
}
