//! The telemetry fields of a reading. A field without a true value is absent.

use serde::Serialize;

/// Fields, as instruments set them, each of them once.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fields {
    object: Object,
    /// Numbers at full precision, for bounds.
    numbers: Vec<(&'static str, f64)>,
}

/// A JSON object in the making: its text, as nobody takes it apart again before it is sent.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Object {
    /// Without its braces.
    members: Vec<u8>,
}

impl Fields {
    /// Sets `name` to a number, rounded to what the sensor can tell; leaves it out without a finite value.
    pub fn number(&mut self, name: &'static str, value: Option<f64>, decimals: i32) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.object.set(name, &rounded(value, decimals));
            self.numbers.push((name, value));
        }
    }

    /// Sets `name` to a whole number.
    pub fn count(&mut self, name: &'static str, value: u64) {
        self.object.set(name, &value);
        self.numbers.push((name, value as f64));
    }

    /// Sets `name` to a word.
    pub fn word(&mut self, name: &'static str, word: &str) {
        self.object.set(name, word);
    }

    /// Sets `name` to an object with the members that `fill` sets.
    pub fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object)) {
        let mut inner = Object::default();
        fill(&mut inner);
        self.object.begin(name);
        self.object.members.extend_from_slice(inner.into_json().as_bytes());
    }

    /// A number as it was measured.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.numbers.iter().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }

    /// The JSON object.
    pub fn into_json(self) -> String {
        self.object.into_json()
    }
}

impl Object {
    /// Sets `name` to a number, rounded to so many decimals; leaves it out without a finite value.
    pub fn number(&mut self, name: &'static str, value: Option<f64>, decimals: i32) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.set(name, &rounded(value, decimals));
        }
    }

    fn set<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) {
        self.begin(name);
        // Numbers and words can be written, and memory takes all.
        let _ = serde_json::to_writer(&mut self.members, value);
    }

    fn begin(&mut self, name: &'static str) {
        let before: &[u8] = if self.members.is_empty() { b"\"" } else { b",\"" };
        for part in [before, name.as_bytes(), b"\":"] {
            self.members.extend_from_slice(part);
        }
    }

    fn into_json(self) -> String {
        let members = String::from_utf8(self.members).unwrap_or_default();
        ["{", &members, "}"].concat()
    }
}

/// Of latitude and longitude: 1 cm.
pub const POSITION_DECIMALS: i32 = 7;

/// A number with so many decimals at the most.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_rounded_for_the_hub_and_whole_for_bounds() {
        let mut fields = Fields::default();
        assert_eq!(fields.clone().into_json(), "{}");
        fields.number("temperature", Some(8.004), 2);
        fields.number("humidity", None, 2);
        fields.number("pressure", Some(f64::NAN), 2);
        fields.word("fix", "none");
        fields.object("location", |location| {
            location.number("lat", Some(51.123_456_789), POSITION_DECIMALS);
            location.number("alt", None, 1);
        });
        fields.count("satellites", 9);
        assert_eq!(fields.get("temperature"), Some(8.004));
        assert_eq!(fields.get("humidity"), None);
        assert_eq!(
            fields.into_json(),
            r#"{"temperature":8.0,"fix":"none","location":{"lat":51.1234568},"satellites":9}"#
        );
    }
}
