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
use crate::cli::cloud::stopping::Stop;

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
