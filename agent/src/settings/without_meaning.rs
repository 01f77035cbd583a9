//! Desired properties that this version gives no meaning: acknowledged, within a bound.
//!
//! A desired section may have thousands of them, and the answer to one is several times as large as the property. So that
//! they never take the room of what the agent has to say for itself, no more are answered than fit [`ROOM`].

use serde_json::{Map, Value};
use tracker_protocol::hub::AckCode;

use crate::settings::answer::{Answer, Standing};
use crate::settings::properties::names;

/// Bytes of the reported section that such answers take together: half of it.
const ROOM: usize = 16 * 1024;
/// A longer name is nobody's slip of the hand.
const LONGEST_NAME: usize = 40;
/// Letters more, less or other than they should be in a name that was meant to be another.
const SLIPS: usize = 2;

/// Answers those that are in `desired`, in the order of their names, as far as there is room.
pub(super) fn answers(desired: &Map<String, Value>, version: u64) -> impl Iterator<Item = Answer> {
    let others = desired.iter().filter(|(name, _)| names().all(|known| known != *name));
    let mut left = ROOM;
    others.map(move |(name, value)| answer(name, value, version)).take_while(move |answer| {
        let size = answer.size();
        let fits = size <= left;
        left = left.saturating_sub(size);
        fits
    })
}

/// It is not stored: the twin keeps it, and a later version that knows it will fetch it there. One that looks like a
/// property with a meaning is not acknowledged as if all were well.
fn answer(name: &str, value: &Value, version: u64) -> Answer {
    let meant = names().find(|known| resemble(known, name));
    let mut description = "this version gives it no meaning".to_owned();
    let mut code = AckCode::Applied;
    if let Some(meant) = meant {
        description += "; did you mean ";
        description += meant;
        description += "?";
        code = AckCode::NoSuchProperty;
    }
    Answer::new(name, value.clone(), code, version, description).standing(Standing::WithoutMeaning(meant))
}

/// Whether one may have been written for the other: letters in another case, another way to join words, a slip or two.
fn resemble(known: &str, written: &str) -> bool {
    if written.len() > LONGEST_NAME {
        return false;
    }
    let letters = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
    };
    strsim::levenshtein(&letters(known), &letters(written)) <= SLIPS
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_slip_of_the_hand_is_noticed_and_a_word_of_its_own_is_not() {
        for (written, meant) in [
            ("telemetryIntervall", Some("telemetryInterval")),
            ("TelemetryInterval", Some("telemetryInterval")),
            ("telemetry_interval", Some("telemetryInterval")),
            ("telemetryIntreval", Some("telemetryInterval")),
            ("delivry", Some("delivery")),
            ("Firmware", Some("firmware")),
            ("cargo", None),
            ("interval", Some("intervals")),
            ("deliveryAddress", None),
            ("", None),
        ] {
            let answer = answer(written, &json!(7), 3);
            assert_eq!(answer.standing, Standing::WithoutMeaning(meant), "{written}");
            let code = if meant.is_some() { 404 } else { 200 };
            assert_eq!(answer.acknowledgement.code as u16, code, "{written}");
        }
        let answer = answer("telemetryIntervall", &json!(7), 3);
        let words = "this version gives it no meaning; did you mean telemetryInterval?";
        let right = json!({"value": 7, "ac": 404, "av": 3, "ad": words});
        assert_eq!(answer.acknowledgement.to_value(), right);
    }

    /// What a hub counts, and what is sent, whatever the values are.
    #[test]
    fn whatever_they_are_they_fit_their_room() {
        let values = [
            json!(true),
            json!(7),
            json!("x".repeat(900)),
            json!("\u{1}".repeat(160)),
            json!(vec![1; 500]),
            json!({"a": {"b": "é".repeat(500)}}),
        ];
        for value in values {
            let desired: Map<_, _> = (0..3400).map(|number| (format!("p{number}"), value.clone())).collect();
            let answers: Map<_, _> = answers(&desired, u64::MAX)
                .map(|answer| (answer.property, answer.acknowledgement.to_value()))
                .collect();
            assert!(answers.len() >= 3, "{value}: {}", answers.len());
            let sent = serde_json::to_string(&answers).unwrap().len();
            assert!(sent <= 17_000, "{value}: {} have {sent} bytes", answers.len());
            let numbers = answers.len() * 2 + value.as_array().map_or(0, |all| all.len() * answers.len());
            assert!(numbers * 8 <= 16_384, "{value}");
        }
    }
}
