//! `cloud telemetry`: readings as a file, for whatever reads such.
//!
//! ```text
//!  Source ── rows ──▶ Form: CSV, JSON lines, GeoJSON, GPX, line protocol, Parquet ──▶ Output: standard output, or a file, whole
//! ```

mod columns;
mod csv;
mod form;
mod geojson;
mod gpx;
mod json_lines;
mod line_protocol;
mod output;
#[cfg(feature = "parquet")]
mod parquet;
mod table;

use std::path::PathBuf;

use anyhow::bail;
use tracker_protocol::printable;

use super::output::OutputFormat;
use super::readings::{Source, SourceArgs};
use super::target::Target;
use crate::cli::terminal::stopping::Stop;
use crate::platform::stderr::tell;
use columns::{Column, columns_of};
use form::Form;
pub(super) use json_lines::object;
pub(super) use line_protocol::{LineProtocol, put_alarm};
use output::Output;

/// Bytes that are made before they are written.
const CHUNK: usize = 128 * 1024;

/// Write readings to a file or standard output: as CSV, JSON lines, GeoJSON, GPX, InfluxDB's line protocol or Parquet.
///
/// They come from the hub's built-in endpoint, which keeps a day or up to seven; from what a console keeps (--history), or from a
/// file of `cloud monitor` (--capture). --output chooses the form: csv, jsonl (also json), geojson, gpx, influx, parquet, table.
/// Every form has each reading once, by device, in the order of their times.
#[derive(Debug, clap::Args)]
pub(super) struct TelemetryCommand {
    #[command(flatten)]
    source: SourceArgs,
    /// Write to this file, which is replaced when all is written, and not before; without, to standard output.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Only these columns, in this order: device, time, timeUnknown, seq, place, and fields of telemetry such as temperature or location.lat. Of csv, table and parquet.
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    columns: Vec<String>,
    /// The measurement's name in line protocol.
    #[arg(long, value_name = "NAME", default_value = "reading")]
    measurement: String,
}

impl TelemetryCommand {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<()> {
        let kind = target.output.format();
        if kind == OutputFormat::Tsv || target.output.chooses() {
            bail!("readings have neither --output tsv nor --query: take --output csv, and --columns");
        }
        if kind == OutputFormat::Parquet && cfg!(not(feature = "parquet")) {
            bail!(
                "this program was built without Parquet: build it with `cargo build --release --features parquet`, or take \
                 --output csv"
            );
        }
        let has_columns = matches!(kind, OutputFormat::Csv | OutputFormat::Table | OutputFormat::Parquet);
        if !self.columns.is_empty() && !has_columns {
            bail!("--columns is for --output csv, table and parquet; the other forms have what there is");
        }
        let wanted = columns::parse(&self.columns, self.source.is_history())?;
        let stop = Stop::listen();
        let source = self.source.find(target, || stop.is_asked())?;
        let columns = columns_of(wanted, &source)?;
        let mut output = Output::open(self.to.as_deref(), kind == OutputFormat::Parquet)?;
        let (count, note) = if kind == OutputFormat::Parquet {
            (parquet_rows(&source, &columns, &mut output, &stop)?, None)
        } else {
            let mut form = self.form(kind, columns)?;
            (write(&source, &mut *form, &mut output, &stop)?, form.note())
        };
        output.finish()?;
        self.tell(&source, kind, count, note);
        Ok(())
    }

    fn form(&self, kind: OutputFormat, columns: Vec<Column>) -> anyhow::Result<Box<dyn Form>> {
        Ok(match kind {
            OutputFormat::Csv => Box::new(csv::Csv::new(columns)),
            OutputFormat::Table => Box::new(table::Table::new(columns)),
            OutputFormat::Geojson => Box::new(geojson::GeoJson::default()),
            OutputFormat::Gpx => Box::new(gpx::Gpx::default()),
            OutputFormat::Influx => Box::new(LineProtocol::new(&self.measurement)?),
            _ => Box::new(json_lines::JsonLines),
        })
    }

    /// Says what was written; on standard error, so that standard output is readings alone.
    fn tell(&self, source: &Source, kind: OutputFormat, count: u64, note: Option<String>) {
        let to = self.to.as_ref().map(|path| format!(" in {}", path.display())).unwrap_or_default();
        let whose = match &self.source.devices[..] {
            [] => "all devices".to_owned(),
            [one] => printable(one),
            several => format!("{} devices", several.len()),
        };
        tell!("{count} readings of {whose}, {}{to}", source.span());
        let unknown = source.unknown_members();
        let is_shown = matches!(kind, OutputFormat::Json | OutputFormat::Jsonl);
        if !unknown.is_empty() && !is_shown && self.columns.is_empty() {
            let first: Vec<_> = unknown
                .iter()
                .take(5)
                .map(|(name, count)| format!("{} ({count} times)", printable(name)))
                .collect();
            let more =
                if unknown.len() > 5 { format!(" and {} more", unknown.len() - 5) } else { String::new() };
            tell!(
                "members that are not known are left out: {}{more}; --output jsonl has them, and csv with --columns",
                first.join(", ")
            );
        }
        for note in source.notes().into_iter().chain(note) {
            tell!("{note}");
        }
    }
}

fn write(source: &Source, form: &mut dyn Form, output: &mut Output, stop: &Stop) -> anyhow::Result<u64> {
    let (mut text, mut count) = (String::with_capacity(CHUNK + 4096), 0);
    form.begin(&mut text)?;
    source.for_each(|row| {
        form.row(&row, &mut text)?;
        count += 1;
        if text.len() >= CHUNK {
            stop.check()?;
            output.write(text.as_bytes())?;
            text.clear();
        }
        Ok(())
    })?;
    form.end(&mut text)?;
    output.write(text.as_bytes())?;
    Ok(count)
}

#[cfg(feature = "parquet")]
fn parquet_rows(
    source: &Source,
    columns: &[Column],
    output: &mut Output,
    stop: &Stop,
) -> anyhow::Result<u64> {
    parquet::write(source, columns, output, stop)
}

#[cfg(not(feature = "parquet"))]
fn parquet_rows(_: &Source, _: &[Column], _: &mut Output, _: &Stop) -> anyhow::Result<u64> {
    bail!("this program was built without Parquet")
}
