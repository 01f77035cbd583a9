//! All that is known of one container, on one page.

use ratatui_core::buffer::Buffer;

use super::keys::Key;
use super::look::{Look, Tone};
use super::page::{Flow, Page, footer, heading};
use super::pane::{Pane, Row, draw_panes};

const KEYS: &str = "q ends · ↑↓ scroll · ? keys";
const HELP: [(&str, &str); 5] = [
    ("q, Esc", "the end; Ctrl-C likewise"),
    ("↑ ↓, k j", "a line up, down"),
    ("PgUp, PgDn", "ten lines up, down"),
    ("Home, End", "the first line, the last"),
    ("?", "this"),
];

/// What there is to say.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Facts {
    pub(in crate::cli) title: String,
    pub(in crate::cli) tone: Tone,
    pub(in crate::cli) panes: Vec<Pane>,
    /// What happened, the newest last.
    pub(in crate::cli) log: Pane,
}

/// A page with the facts that `latest` gives.
pub(in crate::cli) struct ContainerPage<F> {
    latest: F,
    facts: Facts,
    scroll: u16,
    help: bool,
}

impl<F: FnMut() -> Option<Facts>> ContainerPage<F> {
    /// Begins with these; `latest` gives new ones where there are any.
    pub(in crate::cli) fn new(facts: Facts, latest: F) -> Self {
        Self { latest, facts, scroll: 0, help: false }
    }
}

impl<F: FnMut() -> Option<Facts>> Page for ContainerPage<F> {
    fn refresh(&mut self) -> bool {
        let news = (self.latest)();
        let is_new = news.is_some();
        if let Some(facts) = news {
            self.facts = facts;
        }
        is_new
    }

    fn press(&mut self, key: Key) -> Flow {
        match key {
            Key::Char('?') => self.help = !self.help,
            // First what lies above.
            Key::Escape if self.help => self.help = false,
            Key::Char('q') | Key::Escape => return Flow::Ends,
            key => scroll(&mut self.scroll, key),
        }
        Flow::Stays
    }

    fn draw(&mut self, buffer: &mut Buffer, look: Look) {
        let help: &[(&'static str, &str)] = if self.help { &HELP } else { &[] };
        draw_facts(buffer, look, &self.facts, help, KEYS, &mut self.scroll);
    }
}

/// Draws them; `help` above them, where there is any.
pub(in crate::cli) fn draw_facts(
    buffer: &mut Buffer,
    look: Look,
    facts: &Facts,
    help: &[(&'static str, &str)],
    keys: &str,
    scroll: &mut u16,
) {
    let area = heading(buffer.area, buffer, look, &facts.title, facts.tone);
    let area = footer(area, buffer, look, keys);
    let mut panes = facts.panes.clone();
    if !help.is_empty() {
        panes.insert(0, keys_pane(help));
    }
    draw_panes(area, buffer, look, &panes, &facts.log, scroll);
}

/// What keys do.
pub(in crate::cli) fn keys_pane(keys: &[(&'static str, &str)]) -> Pane {
    Pane::new("keys", keys.iter().map(|(key, does)| Row::Fact(key, Tone::Plain, (*does).into())).collect())
}

/// Scrolls by what a key says.
pub(in crate::cli) fn scroll(lines: &mut u16, key: Key) {
    *lines = match key {
        Key::Up | Key::Char('k') => lines.saturating_sub(1),
        Key::Down | Key::Char('j') => lines.saturating_add(1),
        Key::PageUp => lines.saturating_sub(10),
        Key::PageDown => lines.saturating_add(10),
        Key::Home => 0,
        Key::End => u16::MAX,
        _ => return,
    };
}
