//! How a connection to a hub begins, by what DPS says of the hub.

use tracker_protocol::dps::ConnectionProfile;

use crate::link::Version;
use crate::uplink::session::dialect::classic::{Classic, username};
#[cfg(feature = "mqtt5")]
use crate::uplink::session::dialect::v5;
use crate::uplink::session::dialect::words::Dialect;

/// The beginning of one connection; another one has another.
pub struct Opening {
    /// Which MQTT is spoken.
    pub version: Version,
    /// The MQTT user name.
    pub username: String,
    /// Longest keep-alive that the hub takes, in seconds.
    pub longest_keep_alive: u16,
    /// What is said then.
    pub dialect: Box<dyn Dialect>,
}

impl Opening {
    /// To this hub, which is of this kind, and is asked to renew certificates if it can and is to (`renews`). A build without MQTT 5 accepts no assignment to a hub that speaks it.
    pub fn new(profile: ConnectionProfile, hub: &str, device_id: &str, renews: bool) -> Self {
        match profile {
            #[cfg(feature = "mqtt5")]
            ConnectionProfile::MqttV5 => {
                let (username, dialect) = v5::begin(rand::random(), device_id);
                let longest_keep_alive = tracker_protocol::hub_v5::MAX_KEEP_ALIVE;
                Self { version: Version::V5, username, longest_keep_alive, dialect: Box::new(dialect) }
            }
            _ => Self {
                version: Version::V311,
                username: username(hub, device_id, renews),
                longest_keep_alive: u16::MAX,
                dialect: Box::new(Classic { renews }),
            },
        }
    }
}
