//! The built-in endpoint from the service side: what is kept, and the consumer groups.

use super::{ConsumerGroup, Hub, HubError};

impl Hub {
    /// Lets go of the messages that are too old for the readers of the built-in endpoint.
    pub(crate) fn expire_messages(&self) {
        self.0.endpoint.expire(self.0.clock.now());
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
