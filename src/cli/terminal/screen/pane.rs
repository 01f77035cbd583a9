//! Facts under titles, side by side where there is room, else one under the other, to be scrolled.

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use ratatui_core::text::{Line, Span};

use super::look::{Look, Tone};
use crate::lab::board::Trend;
use crate::lab::text::{cut, width, wrapped};

/// A column of panes is as wide as this at the least, where there are several.
const COLUMN: u16 = 58;
const MOST_COLUMNS: u16 = 3;
/// Between columns.
const GAP: u16 = 2;
/// Names of facts.
const NAME: usize = 13;
/// Values that have a course.
const VALUE: usize = 12;
/// A course is no wider.
const TREND: usize = 40;
/// Its bounds.
const RANGE: usize = 15;
/// The last pane has so many lines at the least, with its title.
const LAST: u16 = 5;

/// Facts that belong together.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Pane {
    pub(in crate::cli) title: String,
    pub(in crate::cli) rows: Vec<Row>,
}

/// A fact. Its texts are printable already.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Row {
    /// A sentence.
    Text(Tone, String),
    /// Something that has a name.
    Fact(&'static str, Tone, String),
    /// A value, its course, and how many decimals its bounds have.
    Measured(&'static str, String, Trend, usize),
}

impl Pane {
    pub(in crate::cli) fn new(title: impl Into<String>, rows: Vec<Row>) -> Self {
        Self { title: title.into(), rows }
    }

    fn lines(&self, columns: usize, look: Look) -> Vec<Line<'static>> {
        let title = format!("── {} ", self.title);
        let rule = "─".repeat(columns.saturating_sub(width(&title)));
        let mut lines = vec![Line::styled(cut(&(title + &rule), columns), look.style(Tone::Strong))];
        lines.extend(self.rows.iter().flat_map(|row| row.lines(columns, look)));
        lines
    }
}

impl Row {
    fn lines(&self, columns: usize, look: Look) -> Vec<Line<'static>> {
        match self {
            Self::Text(tone, text) => {
                let style = look.style(*tone);
                wrapped(text, columns).into_iter().map(|line| Line::styled(line, style)).collect()
            }
            Self::Fact(name, tone, value) => {
                let values = wrapped(value, columns.saturating_sub(NAME + 1));
                let style = look.style(*tone);
                let named = values.into_iter().enumerate().map(|(index, value)| {
                    let name = if index == 0 { *name } else { "" };
                    Line::from(vec![self::name(name, look), Span::styled(value, style)])
                });
                named.collect()
            }
            Self::Measured(name, value, trend, decimals) => {
                let room = columns.saturating_sub(NAME + VALUE + 3);
                let mut spans = vec![self::name(name, look), Span::raw(format!("{value:>VALUE$}  "))];
                // Where there is room for both.
                let (course, range) = if room >= RANGE + 8 {
                    let room = (room - RANGE).min(TREND);
                    let range = trend
                        .range(room)
                        .map(|(low, high)| (format!("{low:.decimals$}"), format!("{high:.decimals$}")));
                    let range = range.filter(|(low, high)| low != high);
                    let range = range.map(|(low, high)| format!(" {low}…{high}"));
                    (trend.columns(room), range.unwrap_or_default())
                } else {
                    (trend.columns(room), String::new())
                };
                spans.push(Span::styled(course, look.style(Tone::Good)));
                spans.push(Span::styled(range, look.style(Tone::Dim)));
                vec![Line::from(spans)]
            }
        }
    }
}

fn name(name: &str, look: Look) -> Span<'static> {
    Span::styled(format!("{name:<NAME$} "), look.style(Tone::Dim))
}

/// Draws panes, and below them `last`, of which the end counts. Scrolls by `scroll` lines, which becomes smaller where that is more
/// than there is.
pub(in crate::cli) fn draw_panes(
    area: Rect,
    buffer: &mut Buffer,
    look: Look,
    panes: &[Pane],
    last: &Pane,
    scroll: &mut u16,
) {
    let count = ((area.width + GAP) / (COLUMN + GAP)).clamp(1, MOST_COLUMNS);
    let column = (area.width - GAP * (count - 1)) / count;
    let mut columns = vec![Vec::new(); usize::from(count)];
    for pane in panes {
        if let Some(shortest) = columns.iter_mut().min_by_key(|column| column.len()) {
            shortest.extend(pane.lines(column.into(), look));
        }
    }
    let height = columns.iter().map(Vec::len).max().unwrap_or_default() as u16;
    let rest = if panes.is_empty() { area.height } else { area.height.saturating_sub(height).max(LAST) };
    let mut below = last.lines(area.width.into(), look);
    if last.title.is_empty() {
        below.clear();
    }
    let spare = below.len().saturating_sub(rest.into());
    if spare > 0 {
        below.drain(1..below.len().min(spare + 1));
    }
    let all = height + below.len() as u16;
    *scroll = (*scroll).min(all.saturating_sub(area.height));
    let mut put = |x: u16, y: u16, line: &Line<'_>, columns: u16| {
        if y >= *scroll && y - *scroll < area.height {
            buffer.set_line(area.x + x, area.y + y - *scroll, line, columns);
        }
    };
    for (index, lines) in columns.iter().enumerate() {
        for (y, line) in lines.iter().enumerate() {
            put(index as u16 * (column + GAP), y as u16, line, column);
        }
    }
    for (y, line) in below.iter().enumerate() {
        put(0, height + y as u16, line, area.width);
    }
    if all > area.height && area.height > 0 {
        let hint = format!(" {}/{all} ", *scroll + area.height);
        let columns = (width(&hint) as u16).min(area.width);
        let x = area.x + area.width - columns;
        buffer.set_stringn(x, area.y + area.height - 1, hint, columns.into(), look.style(Tone::Chosen));
    }
}
