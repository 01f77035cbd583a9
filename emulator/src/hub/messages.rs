//! Messages to devices as the service and the devices call for them, and the feedback on them.

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::watch;
use tracker_protocol::dps::ConnectionProfile;

use super::{
    CloudToDeviceMessage, Feedback, Hub, HubError, LOCK_TIME, ReceivedMessage,
    c2d::Outcome,
    connection::Push,
    module_id::is_module,
    registry::{Entry, Registry},
};
use crate::lock::ChangeGuard;

/// The service.
impl Hub {
    /// Queues a message for a device; it is delivered as soon as the device is connected and subscribed.
    pub fn send(&self, device_id: &str, message: CloudToDeviceMessage) -> Result<(), HubError> {
        self.check_has_messages()?;
        if is_module(device_id) {
            return Err(HubError::ArgumentInvalid(format!(
                "\"{device_id}\" is a module, which a hub sends no messages: call a direct method, or set desired properties"
            )));
        }
        let (mut registry, now) = self.messages();
        let pushed = registry.entry(device_id)?.queue.push(device_id, message, now);
        registry.settle_messages(device_id, now);
        pushed?;
        wake(registry.entry(device_id)?);
        Ok(())
    }

    /// Forgets the messages that wait for a device; tells how many there were.
    pub fn purge_messages(&self, device_id: &str) -> Result<usize, HubError> {
        let (mut registry, now) = self.messages();
        let purged = registry.entry(device_id)?.queue.purge();
        registry.settle_messages(device_id, now);
        Ok(purged)
    }

    /// Takes a batch of feedback, which is locked for a minute.
    pub(crate) fn take_feedback(&self) -> Option<Feedback> {
        let (mut registry, now) = self.messages();
        registry.pass_message_time(now);
        registry.feedback.take(now)
    }

    /// The service has the batch.
    pub(crate) fn complete_feedback(&self, lock_token: &str) -> Result<(), HubError> {
        let (mut registry, now) = self.messages();
        registry.feedback.complete(lock_token, now).then_some(()).ok_or(HubError::LockLost)
    }

    /// The service does not want the batch now; it is delivered anew, up to ten times.
    pub(crate) fn abandon_feedback(&self, lock_token: &str) -> Result<(), HubError> {
        let (mut registry, now) = self.messages();
        registry.feedback.abandon(lock_token, now).then_some(()).ok_or(HubError::LockLost)
    }

    /// Changes whenever [`Self::take_feedback`] may have something new.
    pub(crate) fn feedback_arrivals(&self) -> watch::Receiver<u64> {
        self.0.registry.lock().feedback.subscribe()
    }

    /// Ends the locks and the messages whose time is over. The emulator looks every second.
    pub(crate) fn check_messages(&self) {
        let now = self.0.clock.now();
        let mut registry = self.0.registry.lock();
        registry.feedback.pass_time(now);
        let is_changed = registry.pass_message_time(now);
        drop(registry);
        if is_changed {
            self.0.changes.count();
        }
    }
}

/// The devices.
impl Hub {
    /// Takes the next message to a device. It is locked for a minute, or until its connection ends.
    pub(crate) fn receive_message(
        &self,
        device_id: &str,
        connection_id: Option<u64>,
    ) -> Result<Option<ReceivedMessage>, HubError> {
        self.receive_message_for(device_id, connection_id, LOCK_TIME)
    }

    /// The same with a lock of another length.
    pub(crate) fn receive_message_for(
        &self,
        device_id: &str,
        connection_id: Option<u64>,
        lock_time: TimeDelta,
    ) -> Result<Option<ReceivedMessage>, HubError> {
        self.check_has_messages()?;
        let (mut registry, now) = self.messages();
        let received = registry.entry(device_id)?.queue.receive(connection_id, lock_time, now);
        registry.settle_messages(device_id, now);
        Ok(received)
    }

    /// The device is done with the message.
    pub(crate) fn complete_message(&self, device_id: &str, lock_token: &str) -> Result<(), HubError> {
        self.finish(device_id, lock_token, Outcome::Success)
    }

    /// The device will not have the message.
    pub(crate) fn reject_message(&self, device_id: &str, lock_token: &str) -> Result<(), HubError> {
        self.finish(device_id, lock_token, Outcome::Rejected)
    }

    fn finish(&self, device_id: &str, lock_token: &str, outcome: Outcome) -> Result<(), HubError> {
        let (mut registry, now) = self.messages();
        let is_done = registry.entry(device_id)?.queue.finish(lock_token, outcome, now);
        registry.settle_messages(device_id, now);
        is_done.then_some(()).ok_or(HubError::LockLost)
    }

    /// The device can't take the message now; it is delivered anew, up to ten times.
    pub(crate) fn abandon_message(&self, device_id: &str, lock_token: &str) -> Result<(), HubError> {
        let (mut registry, now) = self.messages();
        let is_done = registry.entry(device_id)?.queue.abandon(lock_token, now);
        registry.settle_messages(device_id, now);
        wake(registry.entry(device_id)?);
        is_done.then_some(()).ok_or(HubError::LockLost)
    }

    /// A device of MQTT has acknowledged the message of this number.
    pub(super) fn complete_number(&self, device_id: &str, number: u64) {
        let (mut registry, now) = self.messages();
        if let Some(entry) = registry.find(device_id) {
            entry.queue.complete(number);
        }
        registry.settle_messages(device_id, now);
    }

    fn check_has_messages(&self) -> Result<(), HubError> {
        if self.0.profile == ConnectionProfile::MqttV5 {
            return Err(HubError::ArgumentInvalid(format!(
                "{} is a hub of MQTT 5, which has no messages to devices: call a direct method, or set desired properties",
                self.0.name
            )));
        }
        Ok(())
    }

    fn messages(&self) -> (ChangeGuard<'_, Registry>, DateTime<Utc>) {
        let now = self.0.clock.now();
        (self.0.registry.change(), now)
    }
}

/// Tells a connected device that there are messages.
fn wake(entry: &Entry) {
    if let Some(connection) = &entry.connection {
        connection.give(Push::Messages);
    }
}
