//! The name of a device at DPS, checked before DPS is asked.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The identifier of a device at DPS. With X.509 attestation it is the subject common name of the leaf certificate.
///
/// 1–128 characters, ASCII letters and digits and `-` `.` `_` `:`; the last one a letter, a digit or a dash
/// (DPS service concepts, "Registration ID"). DPS compares without regard to case, device IDs at a hub are
/// compared with regard to it, so lower case is the safe choice.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RegistrationId(String);

/// Why a text can't be a registration ID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationIdError {
    /// It has no characters.
    #[error("a registration ID can't be empty")]
    Empty,
    /// It has more than 128 characters.
    #[error("{0:?} is too long for a registration ID: {1} characters, 128 at most")]
    TooLong(String, usize),
    /// It has a character outside the allowed set.
    #[error("{0:?} can't be a registration ID: {1:?} is not allowed, only A-Z a-z 0-9 and - . _ :")]
    Character(String, char),
    /// It ends in `.`, `_` or `:`.
    #[error("{0:?} can't be a registration ID: the last character must be a letter, a digit or a dash")]
    End(String),
}

impl RegistrationId {
    /// The ID as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RegistrationId {
    type Err = RegistrationIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let length = text.chars().count();
        if length > 128 {
            return Err(RegistrationIdError::TooLong(
                text.chars().take(40).chain("…".chars()).collect(),
                length,
            ));
        }
        if let Some(bad) = text.chars().find(|c| !c.is_ascii_alphanumeric() && !"-._:".contains(*c)) {
            return Err(RegistrationIdError::Character(text.into(), bad));
        }
        match text.chars().last() {
            None => Err(RegistrationIdError::Empty),
            Some(last) if last.is_ascii_alphanumeric() || last == '-' => Ok(Self(text.into())),
            Some(_) => Err(RegistrationIdError::End(text.into())),
        }
    }
}

impl TryFrom<String> for RegistrationId {
    type Error = RegistrationIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RegistrationId> for String {
    fn from(id: RegistrationId) -> Self {
        id.0
    }
}

impl fmt::Display for RegistrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_azure_accepts() {
        for id in ["sensor-thl-001", "A", "a:b_c.d", "ends-with-dash-", &"x".repeat(128)] {
            assert_eq!(id.parse::<RegistrationId>().unwrap().as_str(), id);
        }
    }

    #[test]
    fn refuses_with_a_reason() {
        let refusal = |id: &str| id.parse::<RegistrationId>().unwrap_err().to_string();
        assert_eq!(refusal(""), "a registration ID can't be empty");
        assert_eq!(
            refusal("truck 7"),
            "\"truck 7\" can't be a registration ID: ' ' is not allowed, only A-Z a-z 0-9 and - . _ :"
        );
        assert!(refusal("käse").contains("'ä' is not allowed"));
        assert!(refusal("box.").contains("the last character must be a letter, a digit or a dash"));
        assert!(refusal(&"x".repeat(129)).contains("129 characters, 128 at most"));
    }
}
