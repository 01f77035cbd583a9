//! How a device answers a desired property: IoT Plug and Play's convention for writable properties.

use serde_json::{Value, json};

/// The answer to one desired property, reported under the property's own name as `{value, ac, av, ad}`
/// (IoT Plug and Play conventions, "Writable properties").
#[derive(Debug, Clone, PartialEq)]
pub struct Acknowledgement {
    /// The value in force: the desired one if it was applied, else the one that was kept.
    pub value: Value,
    /// Whether it was applied.
    pub code: AckCode,
    /// `$version` of the desired properties that is answered; 0 when there was no desired value.
    pub version: u64,
    /// For people: what was done, or why not.
    pub description: String,
}

/// Status of an [`Acknowledgement`], numbered as in HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum AckCode {
    /// The desired value is in force.
    Applied = 200,
    /// The value is acceptable, and somebody else will bring it into force later.
    Pending = 202,
    /// Nothing was desired; the device's own value is in force.
    Default = 203,
    /// The desired value is not acceptable.
    Bad = 400,
    /// There is no such property, and it looks as if another one was meant.
    NoSuchProperty = 404,
}

impl Acknowledgement {
    /// The JSON object to report.
    pub fn to_value(&self) -> Value {
        json!({
            "value": self.value,
            "ac": self.code as u16,
            "av": self.version,
            "ad": self.description,
        })
    }
}
