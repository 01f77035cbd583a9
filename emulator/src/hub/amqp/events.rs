//! The built-in endpoint: `$management`, partitions, and the way to them from the hub's name.
//!
//! | address | by | |
//! | --- | --- | --- |
//! | `$management`, `{hub}/$management` | any name | what partitions there are |
//! | `{hub}/ConsumerGroups/{group}/Partitions/{n}` | any name | the events of a partition |
//! | `messages/events/ConsumerGroups/{group}/Partitions/{n}` | the hub's name | the same, as older clients ask for it |
//! | `messages/events`, `messages/events/$management` … | the hub's name | redirected to the endpoint's own name |

use std::sync::Arc;

use tracker_amqp::{Error, Value, condition};

use super::{
    management::ManagementNode,
    partition::PartitionNode,
    rights::{check_direction, check_listen, shown},
};
use crate::{
    amqp::{Asked, Node, Replies},
    hub::{Hub, endpoint::endpoint_host},
};

/// The port of AMQP, as a redirection says it: clients of it know no other.
const PORT: u32 = 5671;

/// The built-in endpoint as one connection sees it.
pub(super) struct EndpointLinks {
    hub: Hub,
    replies: Replies,
}

/// What an address names.
#[derive(Debug, PartialEq, Eq)]
enum Named<'a> {
    Management,
    Partition {
        group: &'a str,
        partition: &'a str,
    },
    /// What is at the endpoint's own name.
    Elsewhere,
    Nothing,
}

/// What a path names at the hub of this label.
fn named<'a>(path: &'a str, label: &str) -> Named<'a> {
    let words: Vec<&str> = path.split('/').collect();
    let is = |word: &str, other: &str| word.eq_ignore_ascii_case(other);
    let of_hub = match words[..] {
        [management] if is(management, MANAGEMENT) => return Named::Management,
        [messages, events, ..] if is(messages, "messages") && is(events, "events") => false,
        [hub, ..] if is(hub, label) => true,
        _ => return Named::Nothing,
    };
    let rest = if of_hub { words.get(1..) } else { words.get(2..) };
    match *rest.unwrap_or_default() {
        [groups, group, partitions, partition]
            if is(groups, "ConsumerGroups") && is(partitions, "Partitions") =>
        {
            Named::Partition { group, partition }
        }
        [management] if of_hub && is(management, MANAGEMENT) => Named::Management,
        _ if of_hub => Named::Nothing,
        [] => Named::Elsewhere,
        [management] | [_, management] if is(management, MANAGEMENT) => Named::Elsewhere,
        _ => Named::Nothing,
    }
}

const MANAGEMENT: &str = "$management";

impl EndpointLinks {
    pub(super) fn new(hub: Hub) -> Self {
        Self { hub, replies: Replies::default() }
    }

    /// The node of `messages/events…`, `$management`, or `{event hub}/ConsumerGroups/…`.
    pub(super) fn attach(&mut self, asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        match named(asked.path, self.hub.label()) {
            Named::Management => self.management(asked),
            Named::Partition { group, partition } => self.partition(asked, group, partition),
            Named::Elsewhere => {
                check_listen(&self.hub, asked.guest, asked.path)?;
                Err(self.redirection())
            }
            Named::Nothing => Err(no_entity(&self.hub, asked.path)),
        }
    }

    fn management(&self, asked: &Asked<'_>) -> Result<Box<dyn Node>, Error> {
        // Tokens are for the event hub, or for its $management.
        check_listen(&self.hub, asked.guest, &format!("{}/{MANAGEMENT}", self.hub.label()))?;
        if asked.is_sender {
            let (hub, guest) = (self.hub.clone(), Arc::clone(asked.guest));
            return Ok(Box::new(ManagementNode::new(hub, guest, self.replies.clone())));
        }
        let outlet = self.replies.outlet(asked).ok_or_else(|| {
            Error::new(
                condition::RESOURCE_LIMIT_EXCEEDED,
                "there are too many links from '$management' on this connection.",
            )
        })?;
        Ok(Box::new(outlet))
    }

    fn partition(&self, asked: &Asked<'_>, group: &str, partition: &str) -> Result<Box<dyn Node>, Error> {
        check_direction(asked, false)?;
        check_listen(&self.hub, asked.guest, asked.path)?;
        let known = self.hub.consumer_group(group).ok_or_else(|| {
            no_entity(&self.hub, &format!("{}/consumergroups/{}", self.hub.label(), shown(group)))
        })?;
        let number = self.hub.partition_number(partition).ok_or_else(|| {
            let last = self.hub.partitions().saturating_sub(1);
            Error::new(
                condition::ARGUMENT_OUT_OF_RANGE,
                format!(
                    "The specified partition is invalid for an EventHub partition sender or receiver. It should be between 0 \
                     and {last}."
                ),
            )
        })?;
        Ok(Box::new(PartitionNode::new(self.hub.clone(), asked, &known.name, number)?))
    }

    /// Where clients of the hub's name are sent to.
    fn redirection(&self) -> Error {
        let host = endpoint_host(self.hub.name());
        let address = format!("amqps://{host}/{}/", self.hub.label());
        let symbol = |name: &str| Value::Symbol(name.to_owned());
        Error {
            info: vec![
                (symbol("hostname"), Value::String(host.clone())),
                (symbol("network-host"), Value::String(host)),
                (symbol("port"), Value::Uint(PORT)),
                (symbol("address"), Value::String(address)),
            ],
            ..Error::new(condition::LINK_REDIRECT, "the built-in endpoint has a name of its own.")
        }
    }
}

/// Clients tell it by these words.
fn no_entity(hub: &Hub, path: &str) -> Error {
    let host = endpoint_host(hub.name());
    let sentence = format!("The messaging entity 'sb://{host}/{}' could not be found.", shown(path));
    Error::new(condition::NOT_FOUND, sentence)
}

impl Hub {
    /// Whether this is the first label of the built-in endpoint's host name.
    pub(super) fn is_namespace(&self, label: &str) -> bool {
        endpoint_host(self.name()).split('.').next().is_some_and(|known| known.eq_ignore_ascii_case(label))
    }

    /// The partition that a text names, if there is one.
    pub(super) fn partition_number(&self, text: &str) -> Option<usize> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && text.len() <= 3;
        let number = is_plain.then(|| text.parse().ok())??;
        (number < self.partitions()).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_the_same_in_all_their_forms() {
        let partition = |group, partition| Named::Partition { group, partition };
        for (path, expected) in [
            ("$management", Named::Management),
            ("$Management", Named::Management),
            ("hub-1/$management", Named::Management),
            ("hub-1/ConsumerGroups/$Default/Partitions/0", partition("$Default", "0")),
            ("HUB-1/consumergroups/Shop/partitions/31", partition("Shop", "31")),
            ("messages/events/ConsumerGroups/$Default/Partitions/3", partition("$Default", "3")),
            ("messages/events", Named::Elsewhere),
            ("messages/events/$management", Named::Elsewhere),
            ("Messages/Events/ConsumerGroups/$management", Named::Elsewhere),
            ("messages/events/other", Named::Nothing),
            ("hub-2/ConsumerGroups/$Default/Partitions/0", Named::Nothing),
            ("hub-1", Named::Nothing),
            ("hub-1/ConsumerGroups/$Default", Named::Nothing),
            ("hub-1/ConsumerGroups/$Default/Partitions/0/more", Named::Nothing),
            ("", Named::Nothing),
        ] {
            assert_eq!(named(path, "hub-1"), expected, "{path}");
        }
    }
}
