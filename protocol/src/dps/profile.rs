//! How to speak to the hub that DPS has assigned.

use crate::ParseError;

/// The kind of a hub, by what a device has to speak there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ConnectionProfile {
    /// MQTT 3.1.1 with the topics of [`hub`](crate::hub).
    #[default]
    Classic,
    /// MQTT 5 with envelopes, a preview.
    MqttV5,
}

impl ConnectionProfile {
    /// As DPS writes them.
    pub const CLASSIC: &str = "classic";
    /// See [`ConnectionProfile::CLASSIC`].
    pub const MQTT_V5: &str = "mqttV5";

    /// The `connectionProfile` of a registration: absent, null and `classic` are the same. Azure's own tools write the other
    /// name in three ways (`mqttv5`, `MqttV5`, `mqttV5`), which differ in case alone; case means nothing here.
    ///
    /// # Errors
    ///
    /// For a word that this version does not know; the error shows it, shortened.
    pub fn parse(word: Option<&str>) -> Result<Self, ParseError> {
        match word {
            None => Ok(Self::Classic),
            Some(word) if word.eq_ignore_ascii_case(Self::CLASSIC) => Ok(Self::Classic),
            Some(word) if word.eq_ignore_ascii_case(Self::MQTT_V5) => Ok(Self::MqttV5),
            Some(word) => {
                Err(ParseError::new("connectionProfile", word, "this version knows classic and mqttV5"))
            }
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Classic => Self::CLASSIC,
            Self::MqttV5 => Self::MQTT_V5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_in_any_case_and_others_are_shown() {
        use ConnectionProfile::{Classic, MqttV5};
        for (word, profile) in [
            (None, Classic),
            (Some("classic"), Classic),
            (Some("Classic"), Classic),
            (Some("mqttV5"), MqttV5),
            (Some("mqttv5"), MqttV5),
            (Some("MqttV5"), MqttV5),
        ] {
            assert_eq!(ConnectionProfile::parse(word), Ok(profile), "{word:?}");
            assert_eq!(ConnectionProfile::parse(Some(profile.word())), Ok(profile));
        }
        for odd in ["", "mqttV6", "mqttV5 ", "a\u{1b}[2Jb\n<3>", &"x".repeat(10_000)] {
            let why = ConnectionProfile::parse(Some(odd)).unwrap_err().to_string();
            assert!(why.starts_with("not a valid connectionProfile: this version knows"), "{why}");
            assert!(why.len() < 400 && !why.contains(char::is_control), "{why}");
        }
    }
}
