//! Where the device stands with its cloud.

use serde::{Deserialize, Serialize};

/// The state in one word, for logs and status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// No assignment; DPS is or will be asked.
    Registering,
    /// Assigned; the hub is or will be connected to.
    Connecting,
    /// Connected to the hub.
    Online,
    /// DPS will not have this device; it is asked again after a long wait.
    Refused,
}

/// The state of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connection {
    /// Where the device stands.
    pub state: State,
    /// The assigned hub, once there is one.
    pub hub: Option<String>,
    /// Another client uses this identity.
    pub taken_over: bool,
}
