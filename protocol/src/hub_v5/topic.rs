//! The seven topics of a device.

use std::fmt;
use std::str::FromStr;

use crate::{ParseError, check_device_id};

/// What a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// That a device is there.
    Presence,
    /// The device twin.
    Twin,
    /// Direct methods.
    Methods,
    /// Messages from the device; there is no such topic towards it.
    Telemetry,
}

/// Who publishes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// The hub: `dev`.
    ToDevice,
    /// The device: `srv`.
    ToService,
}

/// `ih/{id}/dev/{presence, twin, methods}` or `ih/{id}/srv/{presence, twin, methods, telemetry}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// As in the assignment; not encoded.
    pub device_id: String,
    /// Who publishes.
    pub direction: Direction,
    /// What about.
    pub channel: Channel,
}

/// The one filter that a device subscribes to, with `QoS` 1: `ih/{id}/dev/#`.
pub fn device_filter(device_id: &str) -> String {
    format!("ih/{device_id}/dev/#")
}

impl Channel {
    /// The last level of the topic.
    pub fn name(self) -> &'static str {
        match self {
            Self::Presence => "presence",
            Self::Twin => "twin",
            Self::Methods => "methods",
            Self::Telemetry => "telemetry",
        }
    }

    /// The `QoS` with which both sides publish: 0 for presence and twin, 1 for methods and telemetry.
    pub fn qos(self) -> u8 {
        u8::from(matches!(self, Self::Methods | Self::Telemetry))
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = match self.direction {
            Direction::ToDevice => "dev",
            Direction::ToService => "srv",
        };
        write!(f, "ih/{}/{direction}/{}", self.device_id, self.channel.name())
    }
}

impl FromStr for Topic {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bad = |why: String| ParseError::new("topic of a hub of MQTT 5", text, why);
        let parts: Vec<&str> = text.split('/').collect();
        let ["ih", device_id, direction, channel] = parts[..] else {
            return Err(bad("it is not ih/{device}/dev/… or ih/{device}/srv/…".into()));
        };
        check_device_id(device_id).map_err(bad)?;
        let direction = match direction {
            "dev" => Direction::ToDevice,
            "srv" => Direction::ToService,
            other => return Err(bad(format!("\"{other}\" is neither dev nor srv"))),
        };
        let channel = match (channel, direction) {
            ("presence", _) => Channel::Presence,
            ("twin", _) => Channel::Twin,
            ("methods", _) => Channel::Methods,
            ("telemetry", Direction::ToService) => Channel::Telemetry,
            (other, _) => return Err(bad(format!("there is no topic \"{other}\" in this direction"))),
        };
        Ok(Self { device_id: device_id.to_owned(), direction, channel })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seven_topics_go_both_ways_and_no_other_is_read() {
        for (text, direction, channel) in [
            ("ih/tracker-1/dev/presence", Direction::ToDevice, Channel::Presence),
            ("ih/tracker-1/dev/twin", Direction::ToDevice, Channel::Twin),
            ("ih/tracker-1/dev/methods", Direction::ToDevice, Channel::Methods),
            ("ih/tracker-1/srv/presence", Direction::ToService, Channel::Presence),
            ("ih/tracker-1/srv/twin", Direction::ToService, Channel::Twin),
            ("ih/tracker-1/srv/methods", Direction::ToService, Channel::Methods),
            ("ih/tracker-1/srv/telemetry", Direction::ToService, Channel::Telemetry),
        ] {
            let topic = Topic { device_id: "tracker-1".into(), direction, channel };
            assert_eq!(topic.to_string(), text);
            assert_eq!(text.parse::<Topic>().unwrap(), topic);
        }
        for wrong in [
            "ih/tracker-1/dev/telemetry",
            "ih/tracker-1/dev/c2d",
            "ih/tracker-1/both/twin",
            "ih//dev/twin",
            "ih/tracker-1/dev/twin/more",
            "ih/tracker-1/dev",
            "devices/tracker-1/messages/events/",
        ] {
            assert!(wrong.parse::<Topic>().is_err(), "{wrong}");
        }
        assert_eq!(device_filter("tracker-1"), "ih/tracker-1/dev/#");
    }
}
