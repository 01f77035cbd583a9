//! Readings as they are downloaded: as JSON like that of telemetry, and as lines of CSV.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::ser::{Serialize, SerializeMap, Serializer};

use super::decimal::{Decimal, put_time};
use crate::model::time;
use crate::telemetry::{self, Field, Reading};

/// How far an export has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(pub(super) (i64, u64, bool));

/// What a reading has in one of its fields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Cell {
    /// A number.
    Number(Decimal),
    /// A word.
    Word(&'static str),
}

/// What makes a reading itself and no other: its time, its number, and whether it knows when it was.
pub type Key = (i64, u64, bool);

/// A reading, as the device has said it, as far as the console knows its fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported(pub(super) Reading);

impl Exported {
    /// The first line of a CSV file.
    pub const HEADER: &str = "time,timeUnknown,seq,place,temperature,humidity,pressure,light,speed,course,location.alt,\
        satellites,hdop,doorOpenings,location.lat,location.lon,temperatureMin,temperatureMax,temperatureMean,\
        humidityMin,humidityMax,humidityMean,pressureMin,pressureMax,pressureMean,lightMin,lightMax,lightMean,\
        period,door,fix\r\n";

    /// The readings in a message that the hub took at `enqueued`; `None` where it says something else, or nothing that can be read.
    pub fn read(
        body: &[u8],
        properties: &BTreeMap<String, String>,
        enqueued: DateTime<Utc>,
    ) -> Option<Vec<Self>> {
        let said = telemetry::read(body, properties, enqueued);
        let is_other = said.notice.is_some() || said.is_unreadable || said.readings.is_empty();
        (!is_other).then(|| said.readings.into_iter().map(Self).collect())
    }

    /// The names of its fields, as telemetry has them; members of the location with a dot. What asks for a field does so by its
    /// number in this list.
    pub fn fields() -> impl ExactSizeIterator<Item = &'static str> {
        Field::ALL.into_iter().map(Field::name)
    }

    /// What is in the field of this number.
    pub fn cell(&self, field: usize) -> Option<Cell> {
        let field = *Field::ALL.get(field)?;
        let kept = self.0.values.kept(field)?;
        match field.words() {
            Some(_) => self.0.values.word(field).map(Cell::Word),
            None => Some(Cell::Number(Decimal::new(kept, field.decimals()))),
        }
    }

    /// Its time in milliseconds since 1970; of one that has none, when the hub took it.
    pub fn milliseconds(&self) -> i64 {
        self.0.time
    }

    /// Whether the device knows when it was.
    pub fn has_time(&self) -> bool {
        self.0.has_time
    }

    /// Its number among those of the device.
    pub fn seq(&self) -> Option<u64> {
        self.0.seq
    }

    /// The fence that it is in.
    pub fn place(&self) -> Option<&str> {
        self.0.place.as_deref()
    }

    /// Longitude and latitude in degrees.
    pub fn position(&self) -> Option<[f64; 2]> {
        self.0.values.position()
    }

    /// What makes it itself.
    pub fn key(&self) -> Key {
        self.0.key()
    }

    /// Its time; of one that has none, when the hub took it.
    pub fn time(&self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0.time).unwrap_or_default()
    }

    /// Appends it as a line of CSV (RFC 4180). The time of one that has none is when the hub took it. A text that a spreadsheet would
    /// take for a formula has an apostrophe before it.
    pub fn csv(&self, out: &mut String) {
        let Reading { has_time, seq, place, .. } = &self.0;
        put_time(self.0.time, out);
        out.push_str(if *has_time { ",," } else { ",true," });
        out.push_str(&seq.map(|seq| seq.to_string()).unwrap_or_default());
        out.push(',');
        quote(place.as_deref().unwrap_or_default(), out);
        for field in 0..Field::COUNT {
            out.push(',');
            match self.cell(field) {
                Some(Cell::Word(word)) => out.push_str(word),
                Some(Cell::Number(number)) => number.put(out),
                None => {}
            }
        }
        out.push_str("\r\n");
    }
}

fn quote(text: &str, out: &mut String) {
    if text.is_empty() {
        return;
    }
    out.push('"');
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

impl Serialize for Exported {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let Reading { has_time, seq, values, place, .. } = &self.0;
        let mut map = out.serialize_map(None)?;
        for field in values.present() {
            match (field, values.word(field), values.get(field)) {
                (Field::Latitude | Field::Longitude | Field::Altitude, ..) => {}
                (_, Some(word), _) => map.serialize_entry(field.name(), word)?,
                (_, None, Some(value)) => map.serialize_entry(field.name(), &number(value))?,
                _ => {}
            }
        }
        if let Some([longitude, latitude]) = values.position() {
            let mut location = serde_json::json!({"lat": latitude, "lon": longitude});
            if let Some(altitude) = values.get(Field::Altitude) {
                location["alt"] = altitude.into();
            }
            map.serialize_entry("location", &location)?;
        }
        if let Some(place) = place {
            map.serialize_entry("place", place)?;
        }
        if *has_time {
            map.serialize_entry("time", &time::text(self.time()))?;
        } else {
            map.serialize_entry("timeUnknown", &true)?;
            map.serialize_entry("enqueuedTime", &time::text(self.time()))?;
        }
        if let Some(seq) = seq {
            map.serialize_entry("seq", seq)?;
        }
        map.end()
    }
}

/// Whole numbers without a point, as devices write counts.
fn number(value: f64) -> serde_json::Value {
    if value.fract() == 0.0 && value.abs() < 1e15 { (value as i64).into() } else { value.into() }
}
