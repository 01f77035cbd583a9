//! The built-in endpoint from outside: what is kept, who reads it, and the consumer groups.

use super::{
    ConsumerGroup, Hub, HubError,
    endpoint::{NotAttached, PartitionState, Position, Reader, Receiver, endpoint_host},
};

impl Hub {
    /// The host name of the built-in endpoint, `iothub-ns-{hub}-….servicebus.windows.net`, the same in every run.
    pub fn event_hubs_host(&self) -> String {
        endpoint_host(&self.0.name)
    }

    /// Lets go of the messages that are too old for the readers of the built-in endpoint.
    pub(crate) fn expire_messages(&self) {
        self.0.endpoint.expire(self.0.clock.now());
    }

    /// How many partitions the built-in endpoint has.
    pub(super) fn partitions(&self) -> usize {
        self.0.endpoint.partitions()
    }

    /// What a partition holds; `None` if there is no such partition.
    pub(super) fn partition_state(&self, partition: usize) -> Option<PartitionState> {
        self.0.endpoint.state(partition)
    }

    /// Reads a partition from this position on; `None` if there is no such partition.
    pub(super) fn reader(&self, partition: usize, position: Position) -> Option<Reader> {
        Reader::new(&self.0.endpoint, partition, position)
    }

    /// Lets a reader of a consumer group in, or says why not.
    pub(super) fn attach_receiver(
        &self,
        group: &str,
        partition: usize,
        epoch: Option<i64>,
    ) -> Result<Receiver, NotAttached> {
        self.0.receivers.attach(group, partition, epoch)
    }

    /// When this run of the hub began, in milliseconds since 1970.
    pub(super) fn began_ms(&self) -> i64 {
        self.0.began.timestamp_millis()
    }

    /// The consumer groups of the built-in endpoint by name, `$Default` among them.
    pub fn consumer_groups(&self) -> Vec<ConsumerGroup> {
        self.0.groups.list()
    }

    /// One consumer group; case does not count.
    pub fn consumer_group(&self, name: &str) -> Option<ConsumerGroup> {
        self.0.groups.get(name)
    }

    /// Makes a consumer group; one that is there stays as it is.
    pub fn create_consumer_group(&self, name: &str) -> Result<ConsumerGroup, HubError> {
        let (group, is_new) = self.0.groups.create(name, self.0.clock.now())?;
        if is_new {
            self.0.changes.count();
        }
        Ok(group)
    }

    /// Deletes a consumer group, and sends its readers away; tells whether it was there.
    pub fn delete_consumer_group(&self, name: &str) -> Result<bool, HubError> {
        let was_there = self.0.groups.delete(name)?;
        if was_there {
            self.0.receivers.group_deleted(name);
            self.0.changes.count();
        }
        Ok(was_there)
    }
}
