//! What alarms look at.

/// Where the values of an alarm come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A numeric field of telemetry.
    Field(String),
}
