//! GeoJSON (RFC 7946): a point for each reading that has a place on the map.

use serde_json::{Value, json};

use super::form::Form;
use super::json_lines::object;
use crate::cli::cloud::readings::Row;

/// A collection of points.
#[derive(Default)]
pub(super) struct GeoJson {
    points: u64,
    without: u64,
}

impl Form for GeoJson {
    fn begin(&mut self, out: &mut String) -> anyhow::Result<()> {
        out.push_str("{\"type\":\"FeatureCollection\",\"features\":[");
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut String) -> anyhow::Result<()> {
        let Some([longitude, latitude]) = row.reading.position() else {
            self.without += 1;
            return Ok(());
        };
        let mut properties = object(row)?;
        let location = properties.as_object_mut().and_then(|members| members.remove("location"));
        let mut coordinates = vec![longitude, latitude];
        coordinates.extend(location.and_then(|location| location["alt"].as_f64()));
        out.push_str(if self.points > 0 { ",\n" } else { "\n" });
        self.points += 1;
        let feature: Value = json!({
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": coordinates},
            "properties": properties,
        });
        out.push_str(&feature.to_string());
        Ok(())
    }

    fn end(&mut self, out: &mut String) -> anyhow::Result<()> {
        out.push_str("\n]}\n");
        Ok(())
    }

    fn note(&self) -> Option<String> {
        without_position(self.without)
    }
}

/// What is said of readings that no map can show.
pub(super) fn without_position(count: u64) -> Option<String> {
    (count > 0).then(|| format!("{count} readings have no position, and are left out"))
}
