//! GPX 1.1: a track for each device. Temperatures stand in the extension that Garmin's programs read, and most others.

use tracker_console::history::{Cell, Exported, put_time};

use super::form::Form;
use super::geojson::without_position;
use crate::cli::cloud::readings::Row;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
<gpx version=\"1.1\" creator=\"container-tracker\" xmlns=\"http://www.topografix.com/GPX/1/1\" \
xmlns:gpxtpx=\"http://www.garmin.com/xmlschemas/TrackPointExtension/v1\">\n";

/// Tracks.
pub(super) struct Gpx {
    device: Option<String>,
    without: u64,
    altitude: usize,
    temperature: usize,
}

impl Default for Gpx {
    fn default() -> Self {
        let number = |name: &str| Exported::fields().position(|field| field == name).unwrap_or(usize::MAX);
        Self {
            device: None,
            without: 0,
            altitude: number("location.alt"),
            temperature: number("temperature"),
        }
    }
}

impl Form for Gpx {
    fn begin(&mut self, out: &mut String) -> anyhow::Result<()> {
        out.push_str(HEAD);
        Ok(())
    }

    fn row(&mut self, row: &Row<'_>, out: &mut String) -> anyhow::Result<()> {
        let Some([longitude, latitude]) = row.reading.position() else {
            self.without += 1;
            return Ok(());
        };
        if self.device.as_deref() != Some(row.device) {
            self.close(out);
            out.push_str(&format!("<trk><name>{}</name><trkseg>\n", escaped(row.device)));
            self.device = Some(row.device.to_owned());
        }
        out.push_str(&format!("<trkpt lat=\"{latitude}\" lon=\"{longitude}\">"));
        let number = |field| match row.reading.cell(field) {
            Some(Cell::Number(number)) => Some(number.value()),
            _ => None,
        };
        // The order is that of the schema.
        if let Some(altitude) = number(self.altitude) {
            out.push_str(&format!("<ele>{altitude}</ele>"));
        }
        if row.reading.has_time() {
            out.push_str("<time>");
            put_time(row.reading.milliseconds(), out);
            out.push_str("</time>");
        }
        if let Some(temperature) = number(self.temperature) {
            out.push_str(&format!(
                "<extensions><gpxtpx:TrackPointExtension><gpxtpx:atemp>{temperature}</gpxtpx:atemp>\
                 </gpxtpx:TrackPointExtension></extensions>"
            ));
        }
        out.push_str("</trkpt>\n");
        Ok(())
    }

    fn end(&mut self, out: &mut String) -> anyhow::Result<()> {
        self.close(out);
        out.push_str("</gpx>\n");
        Ok(())
    }

    fn note(&self) -> Option<String> {
        without_position(self.without)
    }
}

impl Gpx {
    fn close(&mut self, out: &mut String) {
        if self.device.take().is_some() {
            out.push_str("</trkseg></trk>\n");
        }
    }
}

/// A text in XML. What XML has no form for is left out.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            character if character.is_control() => {}
            character => out.push(character),
        }
    }
    out
}
