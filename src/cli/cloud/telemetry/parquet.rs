//! Parquet: a column for each field, numbers as doubles, times as milliseconds in UTC, texts as UTF-8; compressed by Snappy.
//!
//! Rows are collected to groups, which programs read as a whole: no more is held in memory than one of them.

use std::io::{self, Write};
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};
use tracker_console::history::Cell;

use super::columns::Column;
use super::output::Output;
use crate::cli::cloud::readings::{Row, Source};
use crate::cli::terminal::stopping::Stop;

/// Rows of a group.
const GROUP: usize = 100_000;

/// Writes all rows.
pub(super) fn write(
    source: &Source,
    columns: &[Column],
    output: &mut Output,
    stop: &Stop,
) -> anyhow::Result<u64> {
    let made = Made::default();
    let schema = schema(columns).context("no schema of Parquet can be made of these columns")?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut writer = SerializedFileWriter::new(made.clone(), schema, Arc::new(properties))?;
    let mut group: Vec<Values> = columns.iter().map(Values::of).collect();
    let (mut count, mut rows) = (0, 0);
    source.for_each(|row| {
        for (values, column) in group.iter_mut().zip(columns) {
            values.push(column, &row);
        }
        (count, rows) = (count + 1, rows + 1);
        if rows == GROUP {
            stop.check()?;
            write_group(&mut writer, &mut group)?;
            output.write(&made.take())?;
            rows = 0;
        }
        Ok(())
    })?;
    if rows > 0 {
        write_group(&mut writer, &mut group)?;
    }
    writer.close()?;
    output.write(&made.take())?;
    Ok(count)
}

/// Bytes that the writer has made and nobody has taken yet.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Vec<u8>>>);

impl Made {
    fn take(&self) -> Vec<u8> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Made {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The values of a column, and for each row whether it has one.
enum Values {
    Texts(Vec<ByteArray>, Vec<i16>),
    Numbers(Vec<f64>, Vec<i16>),
    Whole(Vec<i64>, Vec<i16>),
    Flags(Vec<bool>, Vec<i16>),
}

impl Values {
    fn of(column: &Column) -> Self {
        match column {
            Column::Time | Column::Seq => Self::Whole(Vec::new(), Vec::new()),
            Column::TimeUnknown => Self::Flags(Vec::new(), Vec::new()),
            column if column.is_number() => Self::Numbers(Vec::new(), Vec::new()),
            _ => Self::Texts(Vec::new(), Vec::new()),
        }
    }

    fn push(&mut self, column: &Column, row: &Row<'_>) {
        fn put<T>(values: &mut Vec<T>, levels: &mut Vec<i16>, value: Option<T>) {
            levels.push(i16::from(value.is_some()));
            values.extend(value);
        }
        match self {
            Self::Whole(values, levels) => {
                let value = match column {
                    Column::Time => Some(row.reading.milliseconds()),
                    _ => row.reading.seq().map(|seq| seq as i64),
                };
                put(values, levels, value);
            }
            Self::Flags(values, levels) => put(values, levels, Some(!row.reading.has_time())),
            Self::Numbers(values, levels) => {
                let cell = match column {
                    Column::Field(number, _) => row.reading.cell(*number),
                    _ => None,
                };
                let value = match cell {
                    Some(Cell::Number(number)) => Some(number.value()),
                    _ => None,
                };
                put(values, levels, value);
            }
            Self::Texts(values, levels) => {
                let mut text = String::new();
                column.put(row, &mut text);
                put(values, levels, (!text.is_empty()).then(|| text.into_bytes().into()));
            }
        }
    }
}

fn schema(columns: &[Column]) -> Result<TypePtr, ParquetError> {
    let fields = columns.iter().map(|column| {
        let (physical, logical) = match Values::of(column) {
            Values::Texts(..) => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
            Values::Numbers(..) => (PhysicalType::DOUBLE, None),
            Values::Flags(..) => (PhysicalType::BOOLEAN, None),
            Values::Whole(..) if *column == Column::Time => {
                (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS)))
            }
            Values::Whole(..) => (PhysicalType::INT64, None),
        };
        let field = Type::primitive_type_builder(&column.name(), physical)
            .with_repetition(Repetition::OPTIONAL)
            .with_logical_type(logical)
            .build()?;
        Ok(Arc::new(field))
    });
    let fields = fields.collect::<Result<Vec<_>, ParquetError>>()?;
    Ok(Arc::new(Type::group_type_builder("reading").with_fields(fields).build()?))
}

fn write_group(writer: &mut SerializedFileWriter<Made>, group: &mut [Values]) -> Result<(), ParquetError> {
    let mut row_group = writer.next_row_group()?;
    for values in group {
        write_column(&mut row_group, values)?;
    }
    row_group.close()?;
    Ok(())
}

fn write_column(
    row_group: &mut SerializedRowGroupWriter<'_, Made>,
    values: &mut Values,
) -> Result<(), ParquetError> {
    let Some(mut column) = row_group.next_column()? else {
        return Err(ParquetError::General("there are more columns than in the schema".into()));
    };
    match values {
        Values::Texts(values, levels) => {
            column.typed::<ByteArrayType>().write_batch(&mem::take(values), Some(&mem::take(levels)), None)
        }
        Values::Numbers(values, levels) => {
            column.typed::<DoubleType>().write_batch(&mem::take(values), Some(&mem::take(levels)), None)
        }
        Values::Whole(values, levels) => {
            column.typed::<Int64Type>().write_batch(&mem::take(values), Some(&mem::take(levels)), None)
        }
        Values::Flags(values, levels) => {
            column.typed::<BoolType>().write_batch(&mem::take(values), Some(&mem::take(levels)), None)
        }
    }?;
    column.close()
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use clap::Parser;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::super::columns::columns_of;
    use super::*;
    use crate::cli::cloud::readings::SourceArgs;
    use crate::cli::cloud::target::Target;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        source: SourceArgs,
        #[command(flatten)]
        target: Target,
    }

    #[test]
    fn what_is_written_can_be_read() {
        let directory = tempfile::tempdir().unwrap();
        let (capture, file) =
            (directory.path().join("capture.jsonl"), directory.path().join("readings.parquet"));
        let line = |seq: u32, door: &str| {
            format!(
                r#"{{"deviceId":"box","enqueuedTime":"2026-11-28T12:00:00Z","body":{{"temperature":4.{seq},"seq":{seq},"time":"2026-11-28T12:00:0{seq}Z"{door}}}}}"#
            )
        };
        std::fs::write(&capture, [line(2, ""), line(1, r#","door":"open""#)].join("\n")).unwrap();
        let capture = capture.to_str().unwrap();
        let arguments = Arguments::parse_from([
            "x",
            "--since",
            "2026-11-01",
            "--until",
            "2026-12-01",
            "--capture",
            capture,
        ]);
        let source = arguments.source.find(&arguments.target, || false).unwrap();
        let columns = columns_of(Vec::new(), &source).unwrap();
        let mut output = Output::open(Some(&file), true).unwrap();
        assert_eq!(write(&source, &columns, &mut output, &Stop::listen()).unwrap(), 2);
        output.finish().unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&file).unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(|row| row.unwrap().to_string()).collect();
        assert_eq!(
            rows,
            [
                "{device: \"box\", time: 2026-11-28 12:00:01.000 +00:00, timeUnknown: false, seq: 1, place: null, temperature: 4.1, door: \"open\"}",
                "{device: \"box\", time: 2026-11-28 12:00:02.000 +00:00, timeUnknown: false, seq: 2, place: null, temperature: 4.2, door: null}",
            ]
        );
    }
}
