//! Results on standard output: JSON for programs, a table for people, TSV for scripts, and a choice from them in `JMESPath`.

mod expression;
mod grid;
mod moment;
mod table;
mod tsv;

use serde_json::Value;
use tracker_protocol::printable_json;

use crate::cli::terminal::width::width;
use crate::platform::clock::system_time;
use crate::platform::stdout::line;

pub(super) use expression::Expression;
pub(crate) use grid::Column;
use grid::Grid;
pub(super) use moment::relative;

/// Options of every command about what it prints.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct Output {
    /// How results are printed; json, where a command doesn't say otherwise.
    #[arg(long = "output", short = 'o', value_enum, value_name = "FORMAT", global = true)]
    format: Option<OutputFormat>,
    /// What is printed of the result, in `JMESPath` (jmespath.org), like "[].deviceId" or "[].{id: deviceId, state: status}".
    #[arg(long, value_name = "JMESPATH", global = true)]
    query: Option<Expression>,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum OutputFormat {
    /// Indented JSON.
    #[default]
    Json,
    /// The most important columns, cut to the terminal; times as `3 min ago`.
    Table,
    /// The same columns without titles, whole, between tabs.
    Tsv,
    /// Of `telemetry`.
    #[value(hide = true)]
    Csv,
    /// Of `telemetry`.
    #[value(hide = true)]
    Jsonl,
    /// Of `telemetry`.
    #[value(hide = true)]
    Geojson,
    /// Of `telemetry`.
    #[value(hide = true)]
    Gpx,
    /// Of `telemetry`.
    #[value(hide = true)]
    Influx,
    /// Of `telemetry`.
    #[value(hide = true)]
    Parquet,
}

impl Output {
    /// What was asked for.
    pub(crate) fn format(&self) -> OutputFormat {
        self.format.unwrap_or_default()
    }

    /// Whether something is chosen from the result.
    pub(crate) fn chooses(&self) -> bool {
        self.query.is_some()
    }

    /// With another format, where none was asked for.
    pub(crate) fn usually(&self, format: OutputFormat) -> Self {
        Self { format: Some(self.format.unwrap_or(format)), query: self.query.clone() }
    }

    /// Prints one thing, or a list of things.
    pub(crate) fn show(&self, value: &Value, columns: &[Column<'_>]) -> anyhow::Result<()> {
        let Some(query) = &self.query else { return self.print(value, || Grid::of(value, columns)) };
        let chosen = query.search(value)?;
        self.print(&chosen, || Grid::own(&chosen, |name| query.place_of(name)))
    }

    /// The choice from one thing of many, each of which is printed on a line of its own; `None` without --query.
    pub(crate) fn chosen(&self, value: &Value) -> anyhow::Result<Option<String>> {
        let Some(query) = &self.query else { return Ok(None) };
        let chosen = query.search(value)?;
        Ok(Some(match self.format() {
            OutputFormat::Json => printable_json(&chosen),
            _ => tsv::rows(&Grid::own(&chosen, |name| query.place_of(name))),
        }))
    }

    fn print<'a>(&self, value: &Value, grid: impl FnOnce() -> Grid<'a>) -> anyhow::Result<()> {
        let text = match self.format() {
            OutputFormat::Json => printable_json(serde_json::to_string_pretty(value)?),
            OutputFormat::Table => table::table(&grid(), width(), system_time()),
            OutputFormat::Tsv => tsv::rows(&grid()),
            _ => anyhow::bail!(
                "--output csv, jsonl, geojson, gpx, influx and parquet are forms of `cloud telemetry`"
            ),
        };
        if !text.is_empty() {
            line(&text);
        }
        Ok(())
    }
}
