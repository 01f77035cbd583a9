//! The telemetry fields of a reading. A field without a true value is absent.

use std::fmt::Write;

/// Fields, as instruments set them, each of them once. Of one that was set again the last value counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Fields {
    /// A JSON object without its end: nobody takes it apart again before it is sent.
    json: String,
    /// Numbers at full precision, for bounds.
    numbers: Vec<(&'static str, f64)>,
}

/// A JSON object to be filled.
#[derive(Debug)]
pub struct Object<'a>(&'a mut String);

impl Fields {
    /// Sets `name` to a number, rounded to what the sensor can tell; leaves it out without a finite value.
    pub fn number(&mut self, name: &'static str, value: Option<f64>, decimals: i32) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            self.object().number(name, Some(value), decimals);
            self.numbers.push((name, value));
        }
    }

    /// Sets `name` to a whole number.
    pub fn count(&mut self, name: &'static str, value: u64) {
        // Writing to memory does not fail, here and below.
        let _ = write!(self.object().place_of(name), "{value}");
        self.numbers.push((name, value as f64));
    }

    /// Whether the door is open, as [`Fields::get`] has it: 1 or 0.
    pub const DOOR_OPEN: &str = "doorOpen";

    /// Notes a number for bounds that is not sent.
    pub fn note(&mut self, name: &'static str, value: f64) {
        self.numbers.push((name, value));
    }

    /// Sets `name` to a word.
    pub fn word(&mut self, name: &'static str, word: &str) {
        let mut object = self.object();
        let place = object.place_of(name);
        // What JSON takes as it is.
        if word.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            for part in ["\"", word, "\""] {
                place.push_str(part);
            }
        } else {
            place.push_str(&serde_json::to_string(word).unwrap_or_default());
        }
    }

    /// Sets `name` to an object with the members that `fill` sets.
    pub fn object_of(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        self.object().place_of(name).push('{');
        fill(&mut self.object());
        self.json.push('}');
    }

    /// A number as it was measured.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.numbers.iter().rev().find(|(field, _)| *field == name).map(|(_, value)| *value)
    }

    /// The JSON object.
    pub fn into_json(mut self) -> String {
        self.json.push('}');
        self.json
    }

    /// The JSON object in place of what `text` was, whose memory is used again.
    #[cfg(feature = "lab")]
    pub fn write_json(&self, text: &mut String) {
        text.clear();
        text.push_str(&self.json);
        text.push('}');
    }

    fn object(&mut self) -> Object<'_> {
        Object(&mut self.json)
    }
}

impl Default for Fields {
    fn default() -> Self {
        // Room for what a tracker with all instruments says.
        let mut json = String::with_capacity(256);
        json.push('{');
        Self { json, numbers: Vec::with_capacity(10) }
    }
}

impl Object<'_> {
    /// Sets `name` to a number, rounded to so many decimals; leaves it out without a finite value.
    pub fn number(&mut self, name: &'static str, value: Option<f64>, decimals: i32) {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            write_rounded(self.place_of(name), value, decimals);
        }
    }

    /// Where the value of `name` is to be written.
    fn place_of(&mut self, name: &'static str) -> &mut String {
        let before = if self.0.ends_with('{') { "\"" } else { ",\"" };
        for part in [before, name, "\":"] {
            self.0.push_str(part);
        }
        self.0
    }
}

/// Of latitude and longitude: 1 cm.
pub const POSITION_DECIMALS: i32 = 7;

/// A number with so many decimals at the most.
pub fn rounded(value: f64, decimals: i32) -> f64 {
    let scale = 10_f64.powi(decimals);
    (value * scale).round() / scale
}

/// Writes [`rounded`] as the shortest decimal that is no whole number, for JSON: 8 as `8.0`. Digit by digit, as general
/// formatting costs many times as much.
fn write_rounded(text: &mut String, value: f64, decimals: i32) {
    // Of larger ones a double does not have every digit.
    const MOST: f64 = 1e15;
    let scaled = (value * 10_f64.powi(decimals)).round();
    if scaled.abs() >= MOST || !(1..=15).contains(&decimals) {
        let _ = write!(text, "{:?}", rounded(value, decimals));
        return;
    }
    if scaled < 0.0 {
        text.push('-');
    }
    let mut digits = [b'0'; 18];
    let mut at = digits.len();
    let mut rest = scaled.abs() as u64;
    let point = digits.len() - 1 - decimals as usize;
    while rest > 0 || at >= point {
        at -= 1;
        if at == point {
            digits[at] = b'.';
        } else {
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    let zeros = digits[point + 2..].iter().rev().take_while(|digit| **digit == b'0').count();
    text.push_str(std::str::from_utf8(&digits[at..digits.len() - zeros]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_rounded_for_the_hub_and_whole_for_bounds() {
        let mut fields = Fields::default();
        assert_eq!(fields.clone().into_json(), "{}");
        fields.number("temperature", Some(8.004), 2);
        fields.number("humidity", None, 2);
        fields.number("pressure", Some(f64::NAN), 2);
        fields.word("fix", "none");
        fields.word("door", "\"open\"");
        fields.word("place", "Gävle, quay 3");
        fields.object_of("location", |location| {
            location.number("lat", Some(-51.123_456_789), POSITION_DECIMALS);
            location.number("alt", None, 1);
            location.number("lon", Some(0.05), POSITION_DECIMALS);
        });
        fields.count("satellites", 9);
        assert_eq!(fields.get("temperature"), Some(8.004));
        assert_eq!(fields.get("humidity"), None);
        assert_eq!(
            fields.into_json(),
            r#"{"temperature":8.0,"fix":"none","door":"\"open\"","place":"Gävle, quay 3","location":{"lat":-51.1234568,"lon":0.05},"satellites":9}"#
        );
    }

    proptest! {
        #[test]
        fn a_number_is_written_as_any_other_writer_of_json_does(
            value in prop_oneof![-200.0..200.0, -1e9..1e9, any::<f64>().prop_filter("finite", |value| value.is_finite())],
            decimals in 1..=POSITION_DECIMALS,
        ) {
            let mut text = String::new();
            write_rounded(&mut text, value, decimals);
            let expected = rounded(value, decimals);
            prop_assert_eq!(text.parse::<f64>().unwrap(), expected);
            // Where doubles have all digits there is only one way to write a number.
            if (1e-5..1e7).contains(&expected.abs()) {
                prop_assert_eq!(text, serde_json::to_string(&expected).unwrap());
            }
        }
    }
}
