//! Who reads a partition for a consumer group at this moment: at most five at a time, or one with an epoch, who sends all with a
//! lower one away.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use thiserror::Error;

use crate::lock::lock;

/// Readers without an epoch, of one partition and group.
const MOST: usize = 5;

/// Why a reader is not let in, or sent away.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(in crate::hub) enum NotAttached {
    #[error(
        "At least one receiver for the endpoint is created with epoch of '{0}', and so non-epoch receiver is not allowed. \
         Either reconnect with a higher epoch, or make sure all epoch receivers are closed or disconnected."
    )]
    NeedsEpoch(i64),
    #[error(
        "Receiver with a higher epoch of '{current}' already exists. Receiver with epoch {wanted} cannot be created. Make sure \
         you are creating receiver with increasing epoch value to ensure connectivity, or ensure all old epoch receivers are \
         closed or disconnected."
    )]
    LowerEpoch { current: i64, wanted: i64 },
    #[error(
        "New receiver with higher epoch of '{0}' is created hence current receiver is getting disconnected. If you are \
         recreating the receiver, make sure a higher epoch is used."
    )]
    Stolen(i64),
    #[error(
        "Exceeded the maximum number of allowed receivers per partition in a consumer group which is {MOST}."
    )]
    TooMany,
    #[error("The consumer group was deleted.")]
    GroupDeleted,
}

type Key = (String, usize);

/// All readers of a hub.
#[derive(Debug, Default)]
pub(in crate::hub) struct Receivers(Mutex<Attached>);

#[derive(Debug, Default)]
struct Attached {
    last_id: u64,
    by_place: BTreeMap<Key, Vec<Place>>,
}

#[derive(Debug)]
struct Place {
    id: u64,
    epoch: Option<i64>,
    end: Arc<Mutex<End>>,
}

/// How a reader learns that it is to go.
#[derive(Debug, Default)]
struct End {
    why: Option<NotAttached>,
    waker: Option<Waker>,
}

impl Place {
    fn send_away(&self, why: NotAttached) {
        let mut end = lock(&self.end);
        end.why = Some(why);
        if let Some(waker) = end.waker.take() {
            waker.wake();
        }
    }
}

/// One reader's place; it goes when this is dropped.
#[derive(Debug)]
pub(in crate::hub) struct Receiver {
    receivers: Arc<Receivers>,
    key: Key,
    id: u64,
    end: Arc<Mutex<End>>,
}

impl Receivers {
    /// Lets a reader of a group, by the name that the group has, and of a partition in, or says why not.
    pub(in crate::hub) fn attach(
        self: &Arc<Self>,
        group: &str,
        partition: usize,
        epoch: Option<i64>,
    ) -> Result<Receiver, NotAttached> {
        let mut attached = lock(&self.0);
        attached.last_id += 1;
        let id = attached.last_id;
        let key = (group.to_ascii_lowercase(), partition);
        let places = attached.by_place.entry(key.clone()).or_default();
        let current = places.iter().filter_map(|place| place.epoch).max();
        match (current, epoch) {
            (Some(current), None) => return Err(NotAttached::NeedsEpoch(current)),
            (Some(current), Some(wanted)) if wanted < current => {
                return Err(NotAttached::LowerEpoch { current, wanted });
            }
            (None, None) if places.len() >= MOST => return Err(NotAttached::TooMany),
            (_, Some(epoch)) => {
                places.drain(..).for_each(|place| place.send_away(NotAttached::Stolen(epoch)));
            }
            (None, None) => {}
        }
        let end = Arc::new(Mutex::new(End::default()));
        places.push(Place { id, epoch, end: Arc::clone(&end) });
        Ok(Receiver { receivers: Arc::clone(self), key, id, end })
    }

    /// Sends the readers of a group away.
    pub(in crate::hub) fn group_deleted(&self, group: &str) {
        let group = group.to_ascii_lowercase();
        lock(&self.0).by_place.retain(|(of, _), places| {
            let stays = *of != group;
            if !stays {
                places.drain(..).for_each(|place| place.send_away(NotAttached::GroupDeleted));
            }
            stays
        });
    }
}

impl Receiver {
    /// Why this reader is to go; whoever is told to wait is woken then.
    pub(in crate::hub) fn poll_end(&self, context: &mut Context<'_>) -> Poll<NotAttached> {
        let mut end = lock(&self.end);
        match end.why.clone() {
            Some(why) => Poll::Ready(why),
            None => {
                end.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut attached = lock(&self.receivers.0);
        if let Some(places) = attached.by_place.get_mut(&self.key) {
            places.retain(|place| place.id != self.id);
            if places.is_empty() {
                attached.by_place.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(receiver: &Receiver) -> Option<NotAttached> {
        match receiver.poll_end(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(why) => Some(why),
            Poll::Pending => None,
        }
    }

    #[test]
    fn five_read_without_an_epoch_or_one_with() {
        let receivers = Arc::new(Receivers::default());
        let five: Vec<_> = (0..5).map(|_| receivers.attach("$Default", 0, None).expect("room")).collect();
        assert_eq!(receivers.attach("$default", 0, None).err(), Some(NotAttached::TooMany));
        let elsewhere = [receivers.attach("$Default", 1, None), receivers.attach("other", 0, None)];
        assert!(elsewhere.iter().all(Result::is_ok));
        let owner = receivers.attach("$DEFAULT", 0, Some(0)).expect("an epoch goes before none");
        assert!(five.iter().all(|receiver| end(receiver) == Some(NotAttached::Stolen(0))));
        assert!(elsewhere.iter().flatten().all(|receiver| end(receiver).is_none()));
        assert_eq!(receivers.attach("$Default", 0, None).err(), Some(NotAttached::NeedsEpoch(0)));
        drop(five);
        let next = receivers.attach("$Default", 0, Some(2)).expect("higher");
        assert_eq!(end(&owner), Some(NotAttached::Stolen(2)));
        drop(owner);
        let lower = receivers.attach("$Default", 0, Some(1)).err();
        assert_eq!(lower, Some(NotAttached::LowerEpoch { current: 2, wanted: 1 }));
        let same = receivers.attach("$Default", 0, Some(2)).expect("the newer of two equal ones");
        assert_eq!(end(&next), Some(NotAttached::Stolen(2)));
        drop((next, same));
        assert!(receivers.attach("$Default", 0, None).is_ok(), "all have gone");
    }

    #[test]
    fn readers_of_a_group_go_with_it() {
        let receivers = Arc::new(Receivers::default());
        let reader = receivers.attach("Shop", 0, None).expect("room");
        receivers.group_deleted("shop");
        assert_eq!(end(&reader), Some(NotAttached::GroupDeleted));
        drop(reader);
        assert!(lock(&receivers.0).by_place.is_empty());
    }
}
