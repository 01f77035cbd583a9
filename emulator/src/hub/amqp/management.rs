//! `$management` of the built-in endpoint: what there is, asked by messages with the operation READ.

use std::sync::Arc;

use tracker_amqp::{Body, Error, Message, Outcome, Value, get};

use super::rights::{check_listen, shown};
use crate::{
    amqp::{Guest, Node, Replies, Verdict, status},
    hub::{Hub, endpoint::PartitionState},
};

/// "Never", as Event Hubs say it: the beginning of the year 1.
const NEVER_MS: i64 = -62_135_596_800_000;

/// Takes the questions of one link.
pub(super) struct ManagementNode {
    hub: Hub,
    guest: Arc<Guest>,
    replies: Replies,
}

/// Why a question has no answer.
struct NotRead {
    status: i32,
    condition: &'static str,
    description: String,
}

impl ManagementNode {
    pub(super) fn new(hub: Hub, guest: Arc<Guest>, replies: Replies) -> Self {
        Self { hub, guest, replies }
    }

    fn read(&self, message: &Message) -> Result<Value, NotRead> {
        let text = |name: &str| {
            get(&message.application_properties, name).and_then(Value::as_str).unwrap_or_default()
        };
        let wrong = |description: String| NotRead {
            status: 400,
            condition: "com.microsoft:argument-error",
            description,
        };
        if !text("operation").eq_ignore_ascii_case("READ") {
            return Err(wrong(format!(
                "the operation '{}' is not one of this endpoint: READ is",
                shown(text("operation"))
            )));
        }
        let name = text("name");
        if !name.eq_ignore_ascii_case(self.hub.label()) {
            return Err(NotRead {
                status: 404,
                condition: "amqp:not-found",
                description: format!("The messaging entity '{}' could not be found.", shown(name)),
            });
        }
        match text("type") {
            "com.microsoft:eventhub" => Ok(self.event_hub(name)),
            "com.microsoft:partition" => {
                let partition = match get(&message.application_properties, "partition") {
                    Some(Value::String(text) | Value::Symbol(text)) => text.clone(),
                    Some(number) => number.as_i64().map(|number| number.to_string()).unwrap_or_default(),
                    None => String::new(),
                };
                let found = self.hub.partition_number(&partition);
                let state = found.and_then(|number| self.hub.partition_state(number));
                let state = state.ok_or_else(|| NotRead {
                    status: 400,
                    condition: "com.microsoft:argument-out-of-range",
                    description: format!(
                        "The specified partition '{}' is invalid. It should be between 0 and {}.",
                        shown(&partition),
                        self.hub.partitions().saturating_sub(1)
                    ),
                })?;
                Ok(describe_partition(name, &partition, &state))
            }
            other => Err(wrong(format!(
                "the type '{}' is not one of this endpoint: com.microsoft:eventhub and com.microsoft:partition are",
                shown(other)
            ))),
        }
    }

    fn event_hub(&self, name: &str) -> Value {
        let ids = 0..self.hub.partitions();
        let count = i32::try_from(self.hub.partitions()).unwrap_or(i32::MAX);
        map([
            ("name", Value::String(name.to_owned())),
            ("type", "com.microsoft:eventhub".into()),
            ("created_at", Value::Timestamp(self.hub.began_ms())),
            ("partition_count", Value::Int(count)),
            ("partition_ids", Value::Array(ids.map(|id| Value::String(id.to_string())).collect())),
        ])
    }
}

fn describe_partition(name: &str, partition: &str, state: &PartitionState) -> Value {
    let has_any = state.last_offset >= 0;
    map([
        ("name", Value::String(name.to_owned())),
        ("type", "com.microsoft:partition".into()),
        ("partition", Value::String(partition.to_owned())),
        ("begin_sequence_number", Value::Long(state.begin_sequence_number)),
        ("last_enqueued_sequence_number", Value::Long(state.last_sequence_number)),
        ("last_enqueued_offset", Value::String(state.last_offset.to_string())),
        ("last_enqueued_time_utc", Value::Timestamp(if has_any { state.last_enqueued_ms } else { NEVER_MS })),
        ("is_partition_empty", Value::Bool(state.is_empty)),
    ])
}

fn map<const N: usize>(members: [(&str, Value); N]) -> Value {
    Value::Map(members.into_iter().map(|(name, value)| (name.into(), value)).collect())
}

impl Node for ManagementNode {
    fn receive(&mut self, _number: u64, message: Message) -> Verdict {
        let answer = match self.read(&message) {
            Ok(body) => Message {
                application_properties: status(200, "OK"),
                body: Body::Value(body),
                ..Message::default()
            },
            Err(NotRead { status: code, condition, description }) => {
                let mut properties = status(code, description);
                properties.push(("error-condition".into(), Value::Symbol(condition.to_owned())));
                Message {
                    application_properties: properties,
                    body: Body::Value(Value::Null),
                    ..Message::default()
                }
            }
        };
        self.replies.answer(&message.properties, answer);
        Verdict::Now(Outcome::Accepted)
    }

    fn check(&mut self) -> Result<(), Error> {
        check_listen(&self.hub, &self.guest, &format!("{}/$management", self.hub.label()))
    }
}
