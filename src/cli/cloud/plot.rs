//! `cloud plot`: a field over time, in dots of Braille.

use std::io::IsTerminal;

use anyhow::bail;
use chrono::{DateTime, Utc};
use tracker_console::history::{Cell, Exported};
use tracker_protocol::printable;

use super::readings::SourceArgs;
use super::target::Target;
use crate::cli::terminal::screen::{Dots, Look, terminal_width};
use crate::cli::terminal::stopping::Stop;
use crate::platform::stderr::tell;
use crate::platform::stdout::line;

/// Readings that are drawn; more are thinned.
const MOST: usize = 200_000;
/// A pause of so many usual intervals is one, and no line leads over it.
const PAUSE: i64 = 4;
/// Columns of the numbers at the left.
const LABEL: usize = 10;

/// Draw fields of a device over time in the terminal.
///
/// Readings are found as by `cloud telemetry`.
#[derive(Debug, clap::Args)]
pub(super) struct PlotCommand {
    #[command(flatten)]
    source: SourceArgs,
    /// The fields to draw, such as temperature or humidity, one below the other.
    #[arg(required = true, value_name = "FIELD")]
    fields: Vec<String>,
    /// Rows of each drawing.
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(3..=100))]
    height: u16,
    /// Columns; without, those of the terminal, or 80.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(30..=500))]
    width: Option<u16>,
}

/// Values over time.
#[derive(Default)]
struct Series {
    points: Vec<(i64, f64)>,
}

impl PlotCommand {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<()> {
        let fields = self.fields.iter().map(|name| field(name)).collect::<anyhow::Result<Vec<_>>>()?;
        let [device] = &self.source.devices[..] else {
            bail!("a plot is of one device: name it with -d");
        };
        let stop = Stop::listen();
        let source = self.source.find(target, || stop.is_asked())?;
        let mut all: Vec<Series> = fields.iter().map(|_| Series::default()).collect();
        source.for_each(|row| {
            stop.check()?;
            for (series, field) in all.iter_mut().zip(&fields) {
                if let Some(Cell::Number(number)) = row.reading.cell(*field) {
                    series.push(row.reading.milliseconds(), number.value());
                }
            }
            Ok(())
        })?;
        let width = self
            .width
            .unwrap_or_else(|| if std::io::stdout().is_terminal() { terminal_width().max(30) } else { 80 });
        let look = Look::of_environment();
        for (series, name) in all.iter().zip(&self.fields) {
            if series.points.is_empty() {
                line(&format!("{}: no reading of {} has one, {}", name, printable(device), source.span()));
                continue;
            }
            for row in series.draw(name, width, self.height, look.has_unicode()) {
                line(&row);
            }
        }
        for note in source.notes() {
            tell!("{note}");
        }
        Ok(())
    }
}

/// The number of a field that can be drawn.
fn field(name: &str) -> anyhow::Result<usize> {
    let known: Vec<&str> = Exported::fields().filter(|known| !["door", "fix"].contains(known)).collect();
    match Exported::fields().position(|field| field == name && known.contains(&name)) {
        Some(number) => Ok(number),
        None => bail!(
            "there is no field {:?} that could be drawn; there are {}",
            printable(name),
            known.join(", ")
        ),
    }
}

impl Series {
    fn push(&mut self, time: i64, value: f64) {
        if self.points.len() == MOST {
            // Each second one goes, and with it the detail that no terminal shows.
            let mut keeps = false;
            self.points.retain(|_| {
                keeps = !keeps;
                keeps
            });
        }
        self.points.push((time, value));
    }

    fn draw(&self, name: &str, width: u16, height: u16, unicode: bool) -> Vec<String> {
        let columns = width.saturating_sub(LABEL as u16).max(10);
        let values = || self.points.iter().map(|(_, value)| *value);
        let (low, high) =
            values().fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        let mean = values().sum::<f64>() / self.points.len() as f64;
        let last = self.points.last().map_or(0.0, |(_, value)| *value);
        let mut rows = vec![format!(
            "{name}  lowest {}, mean {}, highest {}, last {} ({} readings)",
            short(low),
            short(mean),
            short(high),
            short(last),
            self.points.len()
        )];
        // One value is a line in the middle.
        let (bottom, top) = if high - low < 1e-9 { (low - 0.5, high + 0.5) } else { (low, high) };
        let dots = self.dots(columns, height, (bottom, top));
        for row in 0..height {
            let label = match row {
                0 => short(top),
                _ if row == height - 1 => short(bottom),
                _ if row == height / 2 => {
                    short(top - (top - bottom) * f64::from(row) / f64::from(height - 1))
                }
                _ => String::new(),
            };
            let text: String =
                dots.row(row).map(|symbol| if unicode { symbol } else { plain(symbol) }).collect();
            let rule = if unicode { '│' } else { '|' };
            rows.push(format!("{label:>width$} {rule}{}", text.trim_end(), width = LABEL - 2));
        }
        let (begin, end) = (self.time(0), self.time(self.points.len() - 1));
        let room = usize::from(columns).saturating_sub(begin.len());
        rows.push(format!("{}{begin}{end:>room$}", " ".repeat(LABEL)));
        rows
    }

    fn dots(&self, columns: u16, height: u16, (bottom, top): (f64, f64)) -> Dots {
        let mut dots = Dots::new(columns, height);
        let (wide, high) = (i32::from(columns) * 2 - 1, i32::from(height) * 4 - 1);
        let (first, last) = (self.points[0].0, self.points[self.points.len() - 1].0);
        let at = |(time, value): (i64, f64)| {
            let along = (time - first) as f64 / (last - first).max(1) as f64;
            let up = (value - bottom) / (top - bottom);
            ((along * f64::from(wide)).round() as i32, high - (up * f64::from(high)).round() as i32)
        };
        let pause = self.usual_interval().saturating_mul(PAUSE);
        let mut before: Option<(i64, (i32, i32))> = None;
        for point in &self.points {
            let here = at(*point);
            match before {
                Some((time, there)) if point.0 - time <= pause => dots.line(there, here),
                _ => dots.set(here.0, here.1),
            }
            before = Some((point.0, here));
        }
        dots
    }

    /// The interval that half of the readings keep.
    fn usual_interval(&self) -> i64 {
        let mut intervals: Vec<i64> = self.points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        if intervals.is_empty() {
            return 0;
        }
        let middle = intervals.len() / 2;
        *intervals.select_nth_unstable(middle).1
    }

    fn time(&self, at: usize) -> String {
        let time: DateTime<Utc> = DateTime::from_timestamp_millis(self.points[at].0).unwrap_or_default();
        // Seconds matter where all of it is minutes.
        let span = self.points[self.points.len() - 1].0 - self.points[0].0;
        time.format(if span < 600_000 { "%Y-%m-%d %H:%M:%S" } else { "%Y-%m-%d %H:%M" }).to_string()
    }
}

/// A number as people read it.
fn short(number: f64) -> String {
    match number.abs() {
        size if size >= 1000.0 => format!("{number:.0}"),
        size if size >= 100.0 => format!("{number:.1}"),
        _ => format!("{number:.2}"),
    }
}

/// Dots for a terminal that knows only ASCII.
fn plain(symbol: char) -> char {
    let dots = u32::from(symbol).saturating_sub(0x2800);
    let (upper, lower) = (dots & 0b0001_1011 != 0, dots & 0b1110_0100 != 0);
    match (upper, lower) {
        (true, true) => ':',
        (true, false) => '\'',
        (false, true) => '.',
        (false, false) => ' ',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_drawn_from_its_lowest_to_its_highest_and_over_no_pause() {
        let mut series = Series::default();
        for n in 0..100 {
            series.push(1_795_867_200_000 + n * 60_000, n as f64 / 10.0);
        }
        let rows = series.draw("temperature", 60, 6, true);
        assert_eq!(rows.len(), 8);
        assert!(
            rows[0].contains("lowest 0.00, mean 4.95, highest 9.90, last 9.90 (100 readings)"),
            "{}",
            rows[0]
        );
        let symbols = |row: &str| row.chars().skip(LABEL).position(|c| c != ' ' && c != '\u{2800}').unwrap();
        assert!(symbols(&rows[6]) == 0 && symbols(&rows[1]) > 35, "{rows:#?}");
        assert!(
            rows[7].ends_with("2026-11-28 13:39") && rows[1..].iter().all(|row| row.chars().count() <= 60),
            "{rows:#?}"
        );
        // A day later, nothing is drawn between.
        series.push(1_795_867_200_000 + 86_400_000, 5.0);
        let rows = series.draw("temperature", 60, 6, false);
        let inked = rows[1..7]
            .iter()
            .flat_map(|row| row.chars().skip(LABEL + 10).take(30))
            .filter(|c| *c != ' ')
            .count();
        assert_eq!(inked, 0, "{rows:#?}");
        assert!(rows.iter().all(|row| row.is_ascii()));
        let mut one = Series::default();
        one.push(0, 4.0);
        assert_eq!(one.draw("humidity", 40, 3, true).len(), 5);
    }

    #[test]
    fn a_long_series_is_thinned() {
        let mut series = Series::default();
        (0..MOST as i64 + 10).for_each(|n| series.push(n, 1.0));
        assert_eq!(series.points.len(), MOST / 2 + 10);
        assert!(field("temperature").is_ok() && field("door").is_err() && field("x").is_err());
    }
}
