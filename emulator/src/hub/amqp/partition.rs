//! A reader of a partition.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};

use tracker_amqp::{Attach, Error, ReceiverSettleMode, SenderSettleMode, Value, condition, get};

use super::{
    event_message::{Metrics, write},
    rights::check_listen,
};
use crate::{
    amqp::{Act, Asked, Guest, Node},
    hub::{
        Hub,
        endpoint::{NotAttached, Position, Reader, Receiver, StoredEvent},
    },
};

/// Where the selector stands among filters.
const SELECTOR: &str = "apache.org:selector-filter:string";
/// The owner level of a reader.
const EPOCH: &str = "com.microsoft:epoch";
/// What a reader desires that wants to hear of its partition with each event.
const METRICS: &str = "com.microsoft:enable-receiver-runtime-metric";

/// Events taken from the partition at once.
const AT_ONCE: usize = 64;

/// Sends the events of a partition, settled, as far as there is credit.
pub(super) struct PartitionNode {
    hub: Hub,
    guest: Arc<Guest>,
    path: String,
    partition: usize,
    reader: Reader,
    receiver: Receiver,
    /// Taken, and not sent yet.
    taken: VecDeque<StoredEvent>,
    wants_metrics: bool,
    metrics: Option<Metrics>,
}

impl PartitionNode {
    pub(super) fn new(hub: Hub, asked: &Asked<'_>, group: &str, partition: usize) -> Result<Self, Error> {
        let position = position(asked.attach)?;
        let epoch = get(&asked.attach.properties, EPOCH).and_then(Value::as_i64);
        let receiver = hub.attach_receiver(group, partition, epoch).map_err(|why| refusal(&why))?;
        let reader = hub
            .reader(partition, position)
            .ok_or_else(|| Error::new(condition::ARGUMENT_OUT_OF_RANGE, "there is no such partition."))?;
        Ok(Self {
            guest: Arc::clone(asked.guest),
            path: asked.path.to_owned(),
            partition,
            reader,
            receiver,
            taken: VecDeque::new(),
            wants_metrics: asked.attach.desired_capabilities.iter().any(|capability| capability == METRICS),
            metrics: None,
            hub,
        })
    }
}

/// Where a reader begins: by its filter, or with all there is.
fn position(attach: &Attach) -> Result<Position, Error> {
    let source = attach.source.as_ref();
    let filters = source.map(|source| source.filter.as_slice()).unwrap_or_default();
    let Some((_, filter)) = filters.iter().find(|(name, _)| name.as_str() == Some(SELECTOR)) else {
        return Ok(Position::START);
    };
    let text = match filter {
        Value::Described(described) => described.value.as_str(),
        plain => plain.as_str(),
    };
    let error = |text: String| Error::new(condition::ARGUMENT_ERROR, text);
    let text = text.ok_or_else(|| error("the filter is no text.".into()))?;
    Position::parse(text).map_err(|wrong| error(wrong.to_string()))
}

fn refusal(why: &NotAttached) -> Error {
    let condition = match why {
        NotAttached::NeedsEpoch(_) | NotAttached::LowerEpoch { .. } | NotAttached::Stolen(_) => {
            condition::STOLEN
        }
        NotAttached::TooMany => condition::RESOURCE_LIMIT_EXCEEDED,
        NotAttached::GroupDeleted => condition::NOT_FOUND,
    };
    Error::new(condition, why.to_string())
}

impl Node for PartitionNode {
    fn shape(&self, answer: &mut Attach) {
        // Whatever the client asked for, as Event Hubs do; clients settle nothing, or late.
        answer.snd_settle_mode = SenderSettleMode::Settled;
        answer.rcv_settle_mode = ReceiverSettleMode::First;
    }

    fn poll(&mut self, context: &mut Context<'_>, credit: u32) -> Poll<Act> {
        // Not for each of a batch: it is soon over.
        if (credit == 0 || self.taken.is_empty())
            && let Poll::Ready(why) = self.receiver.poll_end(context)
        {
            return Poll::Ready(Act::Detach(Some(refusal(&why))));
        }
        if credit == 0 {
            return Poll::Pending;
        }
        if self.taken.is_empty() {
            let most = usize::try_from(credit).unwrap_or(AT_ONCE).min(AT_ONCE);
            let Poll::Ready(events) = self.reader.poll(most, context) else { return Poll::Pending };
            self.taken = events.into();
            let state = self.wants_metrics.then(|| self.hub.partition_state(self.partition)).flatten();
            let now_ms = self.guest.clock().now().timestamp_millis();
            self.metrics = state.map(|state| Metrics { state, now_ms });
        }
        match self.taken.pop_front() {
            Some(event) => Poll::Ready(Act::SendEncoded {
                parts: write(&event, self.metrics.as_ref()),
                settled: true,
                key: 0,
            }),
            None => Poll::Pending,
        }
    }

    fn check(&mut self) -> Result<(), Error> {
        check_listen(&self.hub, &self.guest, &self.path)
    }
}
