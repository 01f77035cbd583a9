//! A hub as one connection sees it.

use std::sync::Arc;

use tracker_amqp::{Error, condition};

use super::{
    devices::DeviceLinks,
    events::EndpointLinks,
    handouts::{FEEDBACK, FILES, HandoutNode},
    rights::{check_direction, check_service, shown},
    send::SendNode,
};
use crate::{
    amqp::{Asked, Guest, Node, Place},
    events::DisconnectReason,
    hub::Hub,
    id::hexadecimal_of_chance,
};

/// A hub, or the event hub built into it, as one connection sees it.
pub(crate) struct HubPlace {
    hub: Hub,
    /// Whether the client has come by the name of the built-in endpoint.
    is_event_hub: bool,
    devices: DeviceLinks,
    endpoint: EndpointLinks,
}

impl HubPlace {
    pub(crate) fn new(hub: Hub, guest: &Arc<Guest>, is_event_hub: bool) -> Self {
        Self {
            devices: DeviceLinks::new(hub.clone(), guest),
            endpoint: EndpointLinks::new(hub.clone()),
            hub,
            is_event_hub,
        }
    }

    /// A node of a service, for whoever may be one.
    fn service_node(&self, asked: &Asked<'_>, kind: ServiceNode) -> Result<Box<dyn Node>, Error> {
        check_direction(asked, kind == ServiceNode::Send)?;
        check_service(asked.guest, asked.path)?;
        let (hub, guest) = (self.hub.clone(), Arc::clone(asked.guest));
        Ok(match kind {
            ServiceNode::Send => Box::new(SendNode::new(hub, guest, asked.path)),
            ServiceNode::Feedback => Box::new(HandoutNode::new(FEEDBACK, hub, guest, asked.path)),
            ServiceNode::FileNotifications => Box::new(HandoutNode::new(FILES, hub, guest, asked.path)),
        })
    }
}

/// The nodes that services use.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ServiceNode {
    Send,
    Feedback,
    FileNotifications,
}

impl Place for HubPlace {
    fn name(&self) -> &str {
        self.hub.name()
    }

    fn identity(&self) -> (String, Option<String>) {
        let chance = hexadecimal_of_chance();
        if self.is_event_hub {
            return (format!("{chance}_G0"), None);
        }
        (format!("DeviceGateway_{chance}"), Some("localhost".into()))
    }

    fn attach(&mut self, asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        let path = asked.path.to_ascii_lowercase();
        let words: Vec<&str> = path.split('/').collect();
        match words[..] {
            ["messages", "devicebound"] => self.service_node(asked, ServiceNode::Send),
            ["messages", "servicebound", "feedback"] => self.service_node(asked, ServiceNode::Feedback),
            ["messages", "servicebound", "filenotifications"] => {
                self.service_node(asked, ServiceNode::FileNotifications)
            }
            ["devices", ..] => self.devices.attach(asked),
            ["messages", "events", ..] | ["$management"] | [_, "consumergroups", ..] | [_, "$management"] => {
                self.endpoint.attach(asked)
            }
            _ => Err(unknown(asked.path)),
        }
    }

    fn ended(&mut self, reason: &DisconnectReason) {
        self.devices.ended(reason);
    }
}

/// The words by which clients know it (some tell it by them).
fn unknown(path: &str) -> Error {
    Error::new(
        condition::NOT_FOUND,
        format!(
            "The messaging entity '{}' could not be found: this emulator has no such address.",
            shown(path)
        ),
    )
}
