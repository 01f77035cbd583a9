//! What the hub is told about one desired property.
//!
//! A reported section has 32 KB for all properties together, and a hub refuses a report that is larger as a whole. So
//! a value that takes more than 1 KB, or whose answer would be nested deeper than a hub takes, is not repeated: its
//! SHA-256 tells whether it is the one that was meant.

use std::fmt::Write;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use tracker_protocol::hub::{AckCode, Acknowledgement};

use crate::platform::shorten::shorten;

/// Bytes of compact JSON up to which a value is reported as it is.
const WHOLE: usize = 1024;
/// Characters up to which a sentence is reported as it is; a bad value may be quoted in it.
const SENTENCE: usize = 300;
/// Objects and arrays in each other up to which a value is reported as it is: a hub takes ten levels, and the section and
/// the answer are two of them.
const DEEPEST: usize = 8;
/// Characters of a bad value that a sentence quotes.
const QUOTED: usize = 80;

/// What became of one desired property.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Its name.
    pub property: String,
    /// What is reported.
    pub acknowledgement: Acknowledgement,
    /// What it answers.
    pub standing: Standing,
}

/// How a property stands with the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has a meaning, and the twin sets it or has never set it.
    Meaningful,
    /// It was set once, and somebody has removed it.
    Removed,
    /// It was set once, and the twin that was fetched has none: nobody may have done anything.
    Absent,
    /// This version gives it no meaning; perhaps the property of this name was meant.
    WithoutMeaning(Option<&'static str>),
}

impl Answer {
    /// An answer that shows the value in force, or what tells it from others, and a sentence of bounded length.
    pub(super) fn new(
        property: &str,
        in_force: Value,
        code: AckCode,
        version: u64,
        description: String,
    ) -> Self {
        let description = shorten(description, SENTENCE);
        let acknowledgement = Acknowledgement { value: shown(in_force), code, version, description };
        Self { property: property.to_owned(), acknowledgement, standing: Standing::Meaningful }
    }

    /// The same, of a property that stands so.
    pub(super) fn standing(self, standing: Standing) -> Self {
        Self { standing, ..self }
    }

    /// Whether it says that what nobody has ever set is empty, as alarms and fences are: that is neither told nor reported.
    pub(super) fn says_nothing(&self) -> bool {
        let is_empty = match &self.acknowledgement.value {
            Value::Array(members) => members.is_empty(),
            Value::Object(members) => members.is_empty(),
            Value::String(text) => text.is_empty(),
            _ => false,
        };
        is_empty && self.standing == Standing::Meaningful && self.acknowledgement.code == AckCode::Default
    }

    /// Whether it says what `other` says, be it to another version of the desired properties.
    pub(super) fn says(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.acknowledgement, &other.acknowledgement);
        self.property == other.property
            && (ours.code, &ours.value, &ours.description)
                == (theirs.code, &theirs.value, &theirs.description)
    }

    /// Bytes that it takes of a reported section, at the most. A hub counts numbers as eight, and no quotes and escapes.
    pub(super) fn size(&self) -> usize {
        let Acknowledgement { value, description, .. } = &self.acknowledgement;
        let text = self.property.len() + value.to_string().len() + description.len();
        text + 8 * (numbers(value) + 2) + FRAME
    }
}

/// The names of an answer's fields, with what stands between them.
const FRAME: usize = 40;

fn numbers(value: &Value) -> usize {
    match value {
        Value::Number(_) => 1,
        Value::Array(values) => values.iter().map(numbers).sum(),
        Value::Object(members) => members.values().map(numbers).sum(),
        _ => 0,
    }
}

fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(values) => values.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or(0)
}

/// A value as a sentence about it quotes it.
pub(super) fn quoted(value: &Value) -> String {
    shorten(value.to_string(), QUOTED)
}

/// The value itself, or `{"sha256": "…", "members": n}` where it is larger than [`WHOLE`] or deeper than [`DEEPEST`].
///
/// The digest is that of its compact JSON: UTF-8, no space between tokens, the members of objects in the order of their
/// names. An array or object has so many members as stand at its top, anything else is one.
fn shown(value: Value) -> Value {
    let json = value.to_string();
    if json.len() <= WHOLE && depth(&value) <= DEEPEST {
        return value;
    }
    let members = match &value {
        Value::Object(members) => members.len(),
        Value::Array(members) => members.len(),
        _ => 1,
    };
    let mut sha256 = String::with_capacity(64);
    for byte in digest(&SHA256, json.as_bytes()).as_ref() {
        // Writing to a string does not fail.
        let _ = write!(sha256, "{byte:02x}");
    }
    json!({"sha256": sha256, "members": members})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value of exactly so many bytes as JSON.
    fn of_size(bytes: usize) -> Value {
        Value::String("x".repeat(bytes - 2))
    }

    #[test]
    fn a_value_of_a_kilobyte_is_shown_and_a_larger_one_is_told_by_its_digest() {
        assert_eq!(of_size(WHOLE).to_string().len(), 1024);
        assert_eq!(shown(of_size(WHOLE)), of_size(WHOLE));
        let larger = shown(of_size(WHOLE + 1));
        // printf '"%s"' $(printf 'x%.0s' $(seq 1023)) | sha256sum
        let sha256 = "bd752ecad52fb02540c855864234ec6479fba3cb8278ebe0e97b612c6b326600";
        assert_eq!(larger, json!({"sha256": sha256, "members": 1}));
    }

    #[test]
    fn the_digest_is_that_of_compact_json_in_the_order_of_names() {
        let value = json!({"zones": vec![[4.5, 51.9]; 200], "name": "Rotterdam"});
        let sorted = format!("{{\"name\":\"Rotterdam\",\"zones\":[{}]}}", vec!["[4.5,51.9]"; 200].join(","));
        assert_eq!(value.to_string(), sorted);
        // sha256sum of the text in `sorted`.
        let sha256 = "6d365af5c1acadb0bcbed96dfa04b5559cbb454e70133b25e1c57298620cbcde";
        assert_eq!(shown(value), json!({"sha256": sha256, "members": 2}));
        assert_eq!(shown(json!(vec![[4.5, 51.9]; 200]))["members"], 200);
    }

    #[test]
    fn a_value_that_would_be_too_deep_in_its_answer_is_told_by_its_digest() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!({ "k": inner }));
        assert_eq!(shown(nested(8)), nested(8));
        assert_eq!(shown(nested(9))["members"], 1);
        assert!(shown(json!(vec![vec![nested(7)]]))["sha256"].is_string());
    }

    #[test]
    fn a_long_sentence_is_cut_between_characters() {
        let answer = Answer::new("p", json!(1), AckCode::Bad, 1, "é".repeat(4000));
        assert_eq!(answer.acknowledgement.description, "é".repeat(300) + "…");
        let answer = Answer::new("p", json!(1), AckCode::Bad, 1, "é".repeat(300));
        assert_eq!(answer.acknowledgement.description, "é".repeat(300));
    }
}
