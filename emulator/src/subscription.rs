//! Bounded streams of what happens.
//!
//! A feed keeps its newest items, up to a number and a size of them all: either whoever listens, for those that come back, or
//! until all that listen have had them. A subscriber is no more than a place in it: one that falls behind learns how many it has
//! lost.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::{Arc, Mutex},
    task::{Poll, Waker},
};

use bytes::Bytes;
use thiserror::Error;

use crate::lock::lock;

/// A subscriber fell behind, or the emulator is gone.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SubscriptionError {
    /// The oldest items were dropped; the next call goes on with what is left.
    #[error("{0} items were dropped because they were not fetched in time")]
    Lagged(u64),
    /// There will be no more.
    #[error("the emulator has been shut down")]
    Closed,
}

/// The writing end. Clones are the same feed; when the last is gone, its subscribers are told.
#[derive(Debug)]
pub(crate) struct Feed<T>(Arc<Writer<T>>);

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

#[derive(Debug)]
struct Writer<T> {
    kept: Arc<Mutex<Kept<T>>>,
}

impl<T> Drop for Writer<T> {
    fn drop(&mut self) {
        let mut kept = lock(&self.kept);
        kept.is_closed = true;
        let waiting = kept.waiting();
        drop(kept);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// The items of a feed that are still there.
#[derive(Debug)]
struct Kept<T> {
    items: VecDeque<(Item<T>, usize)>,
    /// The place of the oldest; places count from 0.
    first: u64,
    size: usize,
    most_items: usize,
    most_bytes: usize,
    /// Whether items stay though all have had them.
    is_for_returners: bool,
    readers: Vec<Reader>,
    next_reader: u64,
    /// There will be no more.
    is_closed: bool,
}

/// A subscriber.
#[derive(Debug)]
struct Reader {
    number: u64,
    place: u64,
    /// It has had all there is.
    waiting: Option<Waker>,
}

/// As an item is kept.
#[derive(Debug)]
enum Item<T> {
    Whole(Arc<T>),
    /// In one piece, from which it is made for whoever wants it.
    Packed(Bytes, Unpack<T>),
}

type Unpack<T> = fn(&Bytes) -> Option<T>;

impl<T> Clone for Item<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Whole(item) => Self::Whole(Arc::clone(item)),
            Self::Packed(bytes, unpack) => Self::Packed(bytes.clone(), *unpack),
        }
    }
}

impl<T> Item<T> {
    fn open(self) -> Option<Arc<T>> {
        match self {
            Self::Whole(item) => Some(item),
            Self::Packed(bytes, unpack) => unpack(&bytes).map(Arc::new),
        }
    }
}

/// A row with room for more than this is given back when it is empty.
const ROW: usize = 64;

impl<T> Feed<T> {
    /// Keeps at most so many items, and so many bytes of them together; a single larger one is not kept at all.
    pub(crate) fn new(most_items: usize, most_bytes: usize) -> Self {
        Self::made(most_items, most_bytes, true)
    }

    /// The same until all subscribers have had them; without any, nothing.
    pub(crate) fn of_listeners(most_items: usize, most_bytes: usize) -> Self {
        Self::made(most_items, most_bytes, false)
    }

    fn made(most_items: usize, most_bytes: usize, is_for_returners: bool) -> Self {
        let (items, readers) = (VecDeque::new(), Vec::new());
        let kept = Kept {
            items,
            first: 0,
            size: 0,
            most_items,
            most_bytes,
            is_for_returners,
            readers,
            next_reader: 0,
            is_closed: false,
        };
        Self(Arc::new(Writer { kept: Arc::new(Mutex::new(kept)) }))
    }

    /// Whether somebody listens.
    pub(crate) fn is_heard(&self) -> bool {
        !lock(&self.0.kept).readers.is_empty()
    }

    /// Puts an item of this size, in bytes, at the end.
    pub(crate) fn put(&self, item: T, size: usize) {
        self.put_item(Item::Whole(Arc::new(item)), size);
    }

    /// The same for one in one piece.
    pub(crate) fn put_packed(&self, item: Bytes, unpack: Unpack<T>, size: usize) {
        self.put_item(Item::Packed(item, unpack), size);
    }

    fn put_item(&self, item: Item<T>, size: usize) {
        let mut kept = lock(&self.0.kept);
        kept.size += size;
        kept.items.push_back((item, size));
        while (kept.items.len() > kept.most_items || kept.size > kept.most_bytes) && kept.pop() {}
        kept.forget();
        let waiting = kept.waiting();
        // Whoever wakes may let go of a subscription, which takes the lock.
        drop(kept);
        waiting.into_iter().for_each(Waker::wake);
    }

    /// What comes from now on.
    pub(crate) fn subscribe(&self) -> Subscription<T> {
        let mut kept = lock(&self.0.kept);
        let (reader, next) = (kept.next_reader, kept.end());
        kept.next_reader += 1;
        kept.readers.push(Reader { number: reader, place: next, waiting: None });
        Subscription { kept: Arc::clone(&self.0.kept), reader, next }
    }

    /// What came since this place, as far as it is still there, and what comes from now on. A place that is not reached
    /// yet is of an earlier life of the feed: all that is kept came after.
    pub(crate) fn since(&self, place: u64) -> Subscription<T> {
        let mut subscription = self.subscribe();
        let kept = lock(&self.0.kept);
        subscription.next = if place > kept.end() { kept.first } else { place.max(kept.first) };
        drop(kept);
        subscription
    }
}

impl<T> Kept<T> {
    fn end(&self) -> u64 {
        self.first + self.items.len() as u64
    }

    /// Lets go of the oldest; whether there was one.
    fn pop(&mut self) -> bool {
        let Some((_, size)) = self.items.pop_front() else { return false };
        self.size -= size;
        self.first += 1;
        true
    }

    /// Those who are to be woken.
    fn waiting(&mut self) -> Vec<Waker> {
        self.readers.iter_mut().filter_map(|reader| reader.waiting.take()).collect()
    }

    /// Lets go of what nobody waits for.
    fn forget(&mut self) {
        if self.is_for_returners {
            return;
        }
        let end = self.end();
        let slowest = self.readers.iter().map(|reader| reader.place).min().unwrap_or(end);
        while self.first < slowest && self.pop() {}
        if self.items.is_empty() && self.items.capacity() > ROW {
            self.items = VecDeque::new();
        }
    }
}

/// A bounded stream of what happens from the moment of subscribing.
#[derive(Debug)]
pub struct Subscription<T> {
    kept: Arc<Mutex<Kept<T>>>,
    /// Its number among those of the feed.
    reader: u64,
    /// The place of the next item to hand out.
    next: u64,
}

impl<T> Subscription<T> {
    /// The next item.
    pub async fn next(&mut self) -> Result<Arc<T>, SubscriptionError> {
        poll_fn(|context| match self.take(Some(context.waker())) {
            Ok(Some(item)) => Poll::Ready(Ok(item)),
            Ok(None) => Poll::Pending,
            Err(end) => Poll::Ready(Err(end)),
        })
        .await
    }

    /// The next item if there is one already.
    pub fn try_next(&mut self) -> Result<Option<Arc<T>>, SubscriptionError> {
        self.take(None)
    }

    /// Takes the next item, or is woken by it.
    fn take(&mut self, waker: Option<&Waker>) -> Result<Option<Arc<T>>, SubscriptionError> {
        let mut kept = lock(&self.kept);
        let Some(offset) = self.next.checked_sub(kept.first) else {
            let lost = kept.first - self.next;
            self.next = kept.first;
            return Err(SubscriptionError::Lagged(lost));
        };
        let item = kept.items.get(offset as usize).map(|(item, _)| item.clone());
        if item.is_none() && kept.is_closed {
            return Err(SubscriptionError::Closed);
        }
        self.next += u64::from(item.is_some());
        if let Some(reader) = kept.readers.iter_mut().find(|reader| reader.number == self.reader) {
            reader.place = self.next;
            reader.waiting = waker.filter(|_| item.is_none()).cloned();
        }
        if item.is_some() {
            kept.forget();
        }
        drop(kept);
        // What can't be made is lost.
        item.map(|item| item.open().ok_or(SubscriptionError::Lagged(1))).transpose()
    }
}

impl<T> Drop for Subscription<T> {
    fn drop(&mut self) {
        let mut kept = lock(&self.kept);
        kept.readers.retain(|reader| reader.number != self.reader);
        kept.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn what_waits_for_a_slow_subscriber_is_bounded_in_bytes_and_given_back() {
        let feed = Feed::new(16_384, 8 * MIB);
        let mut slow = feed.subscribe();
        let mut items = Vec::new();
        for _ in 0..400 {
            feed.put(vec![0_u8; 200_000], 200_000);
            let newest = lock(&feed.0.kept).items.back().cloned();
            if let Some((Item::Whole(item), _)) = newest {
                items.push(Arc::downgrade(&item));
            }
        }
        let held =
            || -> usize { items.iter().filter_map(std::sync::Weak::upgrade).map(|item| item.len()).sum() };
        assert_eq!(held(), 41 * 200_000, "the newest, within 8 MB");
        assert_eq!(slow.try_next(), Err(SubscriptionError::Lagged(400 - 41)));
        assert!(matches!(slow.try_next(), Ok(Some(_))), "and it goes on with what is left");
        drop((slow, feed));
        assert_eq!(held(), 0);
    }

    #[tokio::test]
    async fn a_subscriber_hears_what_comes_after_it_and_of_the_end() {
        let feed = Feed::new(4, MIB);
        feed.put(b"before".to_vec(), 6);
        let mut subscriber = feed.subscribe();
        assert_eq!(subscriber.try_next(), Ok(None));
        let waiting = tokio::spawn(async move {
            let first = subscriber.next().await;
            (first, subscriber.next().await)
        });
        tokio::task::yield_now().await;
        feed.put(b"after".to_vec(), 5);
        let mut resumed = feed.since(0);
        let mut of_an_earlier_life = feed.since(99);
        drop(feed);
        let (first, end) = waiting.await.expect("no panic");
        assert_eq!(first.expect("an item").as_slice(), b"after");
        assert_eq!(end, Err(SubscriptionError::Closed));
        for subscriber in [&mut resumed, &mut of_an_earlier_life] {
            assert_eq!(subscriber.next().await.expect("kept").as_slice(), b"before");
            assert_eq!(subscriber.next().await.expect("kept").as_slice(), b"after");
            assert_eq!(subscriber.try_next(), Err(SubscriptionError::Closed));
        }
    }

    #[test]
    fn what_all_listeners_have_had_is_given_back() {
        let feed = Feed::of_listeners(4, MIB);
        let kept = || lock(&feed.0.kept).items.len();
        feed.put(0, 1);
        assert_eq!((kept(), feed.is_heard()), (0, false), "nobody listens");
        let (mut quick, mut slow) = (feed.subscribe(), feed.subscribe());
        (1..=3).for_each(|item| feed.put(item, 1));
        for item in 1..=3 {
            assert_eq!(quick.try_next().expect("kept").as_deref(), Some(&item));
        }
        assert_eq!((kept(), slow.try_next().expect("kept").as_deref()), (3, Some(&1)));
        assert_eq!(kept(), 2);
        (4..=6).for_each(|item| feed.put(item, 1));
        assert_eq!(slow.try_next(), Err(SubscriptionError::Lagged(1)));
        assert_eq!(slow.try_next().expect("kept").as_deref(), Some(&3));
        drop(slow);
        assert_eq!((kept(), quick.try_next().expect("kept").as_deref()), (3, Some(&4)));
        drop(quick);
        assert_eq!((kept(), feed.is_heard()), (0, false));
    }

    #[test]
    fn what_is_kept_in_one_piece_is_made_anew_or_lost() {
        let feed = Feed::new(4, MIB);
        let mut subscriber = feed.subscribe();
        feed.put_packed(Bytes::from_static(b"7"), |bytes| Some(bytes.len()), 1);
        feed.put_packed(Bytes::new(), |_| None, 1);
        feed.put(3, 1);
        assert_eq!(subscriber.try_next().expect("kept").as_deref(), Some(&1));
        assert_eq!(subscriber.try_next(), Err(SubscriptionError::Lagged(1)));
        assert_eq!(subscriber.try_next().expect("kept").as_deref(), Some(&3));
        assert_eq!(subscriber.try_next(), Ok(None));
    }

    #[test]
    fn an_item_too_large_for_the_feed_counts_as_lost() {
        let feed = Feed::new(4, 10);
        let mut subscriber = feed.subscribe();
        feed.put(vec![0; 11], 11);
        feed.put(vec![1], 1);
        assert_eq!(subscriber.try_next(), Err(SubscriptionError::Lagged(1)));
        assert_eq!(subscriber.try_next().expect("kept").expect("kept").as_slice(), [1]);
    }
}
