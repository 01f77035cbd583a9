//! The fleet on one page.

use std::time::{Duration, Instant};

use ratatui_core::buffer::Buffer;
use ratatui_core::layout::Rect;
use tracker_protocol::printable;

use super::one::{facts, log, place};
use super::order::{Order, is_meant, state};
use crate::cli::terminal::screen::{
    Column, Flow, Key, Look, Mark, Page, Pane, Table, Tone, age, draw_facts, draw_map, draw_panes, footer,
    heading, keys_pane, scroll,
};
use crate::lab::board::{Board, Brief};
use crate::status::State;

const HELP: [(&str, &str); 8] = [
    ("↑ ↓, k j", "choose a container; Home, End, PgUp, PgDn"),
    ("Enter", "show the chosen one; q or Esc leads back"),
    ("/", "show those with these words; Enter keeps, Esc forgets them"),
    ("s", "the next order: device, trouble, warmest, backlog, silence"),
    ("m", "map on and off"),
    ("q, Esc", "the end, with the sums of the voyage"),
    ("Ctrl-C", "the end, from everywhere"),
    ("?", "this"),
];
/// From this width on the map lies beside the table, else above it.
const BESIDE: u16 = 150;
/// What the table then has at the least.
const TABLE: u16 = 100;
/// Rows of a map of the world, by its columns.
const SHAPE: f64 = 0.19;
/// A lower map shows nothing.
const LOWEST_MAP: u16 = 7;
/// Columns of a course in the table, at the least.
const COURSE: u16 = 8;
/// How often it looks at a fleet, by its size.
const LOOK: Duration = Duration::from_millis(200);
const LARGE: usize = 500;

const COLUMNS: [Column; 10] = [
    Column { title: "device", width: 14, rank: 0, grows: 1, to_the_right: false },
    Column { title: "voyage", width: 20, rank: 9, grows: 2, to_the_right: false },
    Column { title: "where", width: 16, rank: 8, grows: 1, to_the_right: false },
    Column { title: "°C", width: 6, rank: 1, grows: 0, to_the_right: true },
    Column { title: "", width: COURSE, rank: 4, grows: 0, to_the_right: false },
    Column { title: "%RH", width: 5, rank: 6, grows: 0, to_the_right: true },
    Column { title: "alarm", width: 11, rank: 3, grows: 1, to_the_right: false },
    Column { title: "waits", width: 5, rank: 5, grows: 0, to_the_right: true },
    Column { title: "state", width: 8, rank: 2, grows: 0, to_the_right: false },
    Column { title: "heard", width: 6, rank: 7, grows: 0, to_the_right: true },
];

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum View {
    Table,
    /// One container, by its ID.
    One(String),
    Help,
}

/// A fleet.
pub(super) struct FleetPage {
    board: &'static Board,
    devices: u16,
    speed: f64,
    begun: Instant,
    looked: Option<Instant>,
    /// All of them, and those that are shown, in their order.
    all: Vec<Brief>,
    shown: Vec<Brief>,
    view: View,
    /// The chosen one, by its ID: orders change.
    chosen: Option<String>,
    from: usize,
    order: Order,
    words: String,
    is_typing: bool,
    has_map: bool,
    scroll: u16,
}

impl FleetPage {
    /// Of so many devices, with so many hours in a second.
    pub(super) fn new(board: &'static Board, devices: u16, speed: f64) -> Self {
        Self {
            board,
            devices,
            speed,
            begun: Instant::now(),
            looked: None,
            all: Vec::new(),
            shown: Vec::new(),
            view: View::Table,
            chosen: None,
            from: 0,
            order: Order::default(),
            words: String::new(),
            is_typing: false,
            has_map: true,
            scroll: 0,
        }
    }

    /// Whom the words mean, in their order.
    fn choose(&mut self) {
        self.shown = self.all.iter().filter(|brief| is_meant(brief, &self.words)).cloned().collect();
        self.order.sort(&mut self.shown);
    }

    fn index(&self) -> usize {
        let chosen = self.chosen.as_deref();
        self.shown.iter().position(|brief| Some(&*brief.id) == chosen).unwrap_or(0)
    }

    fn move_to(&mut self, index: usize) {
        let last = self.shown.len().saturating_sub(1);
        self.chosen = self.shown.get(index.min(last)).map(|brief| brief.id.clone());
    }

    /// A key while words are typed.
    fn type_key(&mut self, key: Key) {
        match key {
            Key::Char(letter) => self.words.push(letter),
            Key::Backspace => drop(self.words.pop()),
            Key::Escape => {
                self.words.clear();
                self.is_typing = false;
            }
            Key::Enter => self.is_typing = false,
            _ => {}
        }
        self.choose();
    }

    fn press_in_table(&mut self, key: Key) -> Flow {
        let index = self.index();
        match key {
            // First what narrows the view.
            Key::Escape if !self.words.is_empty() => {
                self.words.clear();
                self.choose();
            }
            Key::Escape | Key::Char('q') => return Flow::Ends,
            Key::Up | Key::Char('k') => self.move_to(index.saturating_sub(1)),
            Key::Down | Key::Char('j') => self.move_to(index + 1),
            Key::PageUp => self.move_to(index.saturating_sub(10)),
            Key::PageDown => self.move_to(index + 10),
            Key::Home => self.move_to(0),
            Key::End => self.move_to(usize::MAX),
            Key::Enter => {
                self.scroll = 0;
                self.view = self.shown.get(index).map_or(View::Table, |brief| View::One(brief.id.clone()));
            }
            Key::Char('/') => self.is_typing = true,
            Key::Char('s') => {
                self.order = self.order.next();
                self.choose();
            }
            Key::Char('m') => self.has_map = !self.has_map,
            Key::Char('?') => self.view = View::Help,
            _ => {}
        }
        Flow::Stays
    }

    fn title(&self) -> (String, Tone) {
        let count = |meant: fn(&Brief) -> bool| self.all.iter().filter(|brief| meant(brief)).count();
        let online = count(|brief| brief.state == Some(State::Online));
        let alarms = count(|brief| !brief.alarms.is_empty());
        let waiting: u64 = self.all.iter().map(|brief| brief.backlog).sum();
        let devices = self.devices;
        let text = format!(
            "{online} of {devices} online · {alarms} in alarm · {waiting} waiting · {} · {} h/s",
            age(self.begun.elapsed().as_secs()),
            self.speed
        );
        (text, if alarms > 0 { Tone::Warning } else { Tone::Strong })
    }

    fn keys(&self) -> String {
        match (self.is_typing, self.words.is_empty()) {
            (true, _) => format!("/{}▁  Enter keeps, Esc forgets", self.words),
            (false, true) => {
                format!("q ends · Enter shows · / finds · s order: {} · ? keys", self.order.name())
            }
            (false, false) => {
                let (shown, all) = (self.shown.len(), self.all.len());
                format!(
                    "“{}”: {shown} of {all} · Esc shows all · s order: {} · ? keys",
                    self.words,
                    self.order.name()
                )
            }
        }
    }

    fn draw_fleet(&mut self, buffer: &mut Buffer, look: Look) {
        let (title, tone) = self.title();
        let area = heading(buffer.area, buffer, look, &title, tone);
        let mut area = footer(area, buffer, look, &self.keys());
        let log_rows = if area.height >= 14 { (area.height / 5).clamp(4, 9) } else { 0 };
        if self.has_map {
            let room = area.height.saturating_sub(log_rows);
            let map = if area.width >= BESIDE {
                let columns = area.width - TABLE;
                let rows = rows_of_map(columns).min(room);
                let map = Rect { x: area.x + TABLE, width: columns, height: rows, ..area };
                area.width = TABLE - 1;
                map
            } else {
                let table = (self.shown.len() as u16 + 1).min((room / 2).max(6));
                let rows = rows_of_map(area.width).min(room.saturating_sub(table));
                let rows = if rows < LOWEST_MAP { 0 } else { rows };
                let map = Rect { height: rows, ..area };
                area = Rect { y: area.y + rows, height: area.height - rows, ..area };
                map
            };
            draw_map(map, buffer, look, &self.marks());
        }
        let table = Rect { height: area.height - log_rows, ..area };
        self.draw_table(table, buffer, look);
        let log_area = Rect { y: area.y + table.height, height: log_rows, ..area };
        if log_rows > 0 {
            let log = log(&self.board.said(log_rows.into()), true);
            draw_panes(log_area, buffer, look, &[], &log, &mut 0);
        }
    }

    /// The chosen one last: it lies on top.
    fn marks(&self) -> Vec<Mark> {
        let index = self.index();
        let marked = self.shown.iter().enumerate().filter_map(|(at, brief)| {
            let (latitude, longitude) = brief.position?;
            let tone = if at == index { Tone::Chosen } else { tone(brief) };
            Some(Mark { latitude, longitude, tone })
        });
        let mut marks: Vec<Mark> = marked.collect();
        marks.sort_by_key(|mark| mark.tone == Tone::Chosen);
        marks
    }

    fn draw_table(&mut self, area: Rect, buffer: &mut Buffer, look: Look) {
        let table = Table { columns: &COLUMNS, chosen: self.index(), rows: self.shown.len() };
        let (shown, board) = (&self.shown, self.board);
        table.draw(area, buffer, look, &mut self.from, |index| {
            let brief = &shown[index];
            (tone(brief), cells(brief, board.course(&brief.id, COURSE.into())))
        });
        if shown.is_empty() && area.height > 1 {
            let why = if self.words.is_empty() {
                "none yet: certificates are made"
            } else {
                "none with these words"
            };
            let line = Rect { y: area.y + 1, height: 1, ..area };
            heading(line, buffer, look, why, Tone::Dim);
        }
    }
}

impl Page for FleetPage {
    fn refresh(&mut self) -> bool {
        let every = if self.all.len() > LARGE { 5 * LOOK } else { LOOK };
        if self.looked.is_some_and(|looked| looked.elapsed() < every) {
            return false;
        }
        self.looked = Some(Instant::now());
        self.all = self.board.briefs();
        self.choose();
        true
    }

    fn press(&mut self, key: Key) -> Flow {
        match (&self.view, key) {
            _ if self.is_typing => self.type_key(key),
            (View::Table, key) => return self.press_in_table(key),
            (View::One(_), Key::Char('q') | Key::Escape | Key::Enter) | (View::Help, _) => {
                self.view = View::Table;
            }
            (View::One(_), key) => scroll(&mut self.scroll, key),
        }
        Flow::Stays
    }

    fn draw(&mut self, buffer: &mut Buffer, look: Look) {
        match &self.view {
            View::Table => self.draw_fleet(buffer, look),
            View::One(id) => {
                if let Some(close_up) = self.board.close_up(id) {
                    let keys = "q leads back · ↑↓ scroll";
                    draw_facts(buffer, look, &facts(&close_up), &[], keys, &mut self.scroll);
                }
            }
            View::Help => {
                let area = heading(buffer.area, buffer, look, "keys", Tone::Strong);
                let area = footer(area, buffer, look, "any key leads back");
                let link = self.board.link();
                let keys: Vec<_> =
                    HELP.into_iter().chain(link.iter().map(|link| ("a page", &**link))).collect();
                draw_panes(area, buffer, look, &[keys_pane(&keys)], &Pane::default(), &mut self.scroll);
            }
        }
    }
}

fn rows_of_map(columns: u16) -> u16 {
    (f64::from(columns) * SHAPE).round() as u16
}

fn tone(brief: &Brief) -> Tone {
    let is_critical = brief.alarms.iter().any(|(_, is_critical)| *is_critical);
    match brief.state {
        _ if is_critical || brief.taken_over => Tone::Bad,
        Some(State::Refused) => Tone::Bad,
        _ if !brief.alarms.is_empty() => Tone::Warning,
        Some(State::Online) => Tone::Plain,
        None => Tone::Dim,
        _ => Tone::Warning,
    }
}

fn cells(brief: &Brief, course: String) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or("-".into(), |value| format!("{value:.1}"));
    let mut alarm = brief.alarms.first().map_or(String::new(), |(name, _)| name.clone());
    if brief.alarms.len() > 1 {
        alarm = format!("{} {alarm}", brief.alarms.len());
    }
    if brief.alarms.iter().any(|(_, is_critical)| *is_critical) {
        alarm.insert(0, '!');
    }
    vec![
        printable(&brief.id),
        brief.voyage.clone(),
        brief.place.clone().unwrap_or_else(|| place(brief.position)),
        number(brief.temperature),
        course,
        number(brief.humidity),
        alarm,
        brief.backlog.to_string(),
        state(brief).into(),
        brief.silent_s.map_or("never".into(), age),
    ]
}
