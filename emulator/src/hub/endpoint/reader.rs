//! A reader of one partition.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use super::{partition::StoredEvent, position::Position, store::Store};

/// A place in a partition that moves on as events are read. One that falls behind what is kept goes on with the oldest.
#[derive(Debug)]
pub(in crate::hub) struct Reader {
    store: Arc<Store>,
    id: u64,
    partition: usize,
    next: i64,
}

impl Reader {
    /// Begins at this position; `None` if there is no such partition.
    pub(in crate::hub) fn new(store: &Arc<Store>, partition: usize, position: Position) -> Option<Self> {
        let next = store.place(partition, position)?;
        Some(Self { store: Arc::clone(store), id: store.reader_id(), partition, next })
    }

    /// The next events, at most so many of them. Whoever is told to wait is woken when there is one.
    pub(in crate::hub) fn poll(&mut self, most: usize, context: &mut Context<'_>) -> Poll<Vec<StoredEvent>> {
        let polled = self.store.poll(self.id, self.partition, self.next, most, context);
        if let Poll::Ready(events) = &polled
            && let Some(last) = events.last()
        {
            self.next = last.sequence_number + 1;
        }
        polled
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.store.forget_reader(self.id, self.partition);
    }
}

#[cfg(test)]
mod tests {
    use std::{future::poll_fn, time::Duration};

    use bytes::Bytes;
    use chrono::{DateTime, TimeDelta, Utc};
    use tracker_protocol::PropertyBag;

    use super::{
        super::{Mark, Position, Retention, StoreParts, position::Property},
        *,
    };
    use crate::{hub::TelemetryMessage, lock::Changes};

    const BEGIN: DateTime<Utc> = DateTime::from_timestamp(1_700_000_000, 0).expect("in range");

    fn store(retention: Retention, marks: Vec<Mark>) -> Arc<Store> {
        Arc::new(Store::new(StoreParts { partitions: 4, retention, changes: Changes::default(), marks }))
    }

    fn put(store: &Store, device_id: &str, body: &[u8], seconds: i64) {
        let message = TelemetryMessage {
            hub: "hub-1.azure-devices.net".into(),
            device_id: device_id.into(),
            module_id: None,
            enqueued_time: BEGIN + TimeDelta::seconds(seconds),
            sequence_number: 1,
            body: Bytes::copy_from_slice(body),
            properties: PropertyBag::new().with("$.ct", "application/json"),
            marked_duplicate: false,
            repeated_message_id: false,
        };
        let length = message.size();
        store.put(&message, length, None);
    }

    fn partition_with_events(store: &Store) -> usize {
        let has_events = |partition: &usize| store.state(*partition).is_some_and(|state| !state.is_empty);
        (0..store.partitions()).find(has_events).expect("one has")
    }

    fn now(reader: &mut Reader, most: usize) -> Vec<i64> {
        let mut context = Context::from_waker(std::task::Waker::noop());
        match reader.poll(most, &mut context) {
            Poll::Ready(events) => events.iter().map(|event| event.sequence_number).collect(),
            Poll::Pending => Vec::new(),
        }
    }

    #[test]
    fn a_device_stays_in_its_partition_and_devices_spread() {
        let store = store(Retention::default(), Vec::new());
        for device in 0..200 {
            put(&store, &format!("sensor-{device:03}"), b"{}", 0);
            put(&store, &format!("sensor-{device:03}"), b"{}", 0);
        }
        let counts: Vec<i64> =
            (0..4).map(|partition| store.state(partition).expect("there").last_sequence_number + 1).collect();
        assert_eq!(counts.iter().sum::<i64>(), 400);
        assert!(counts.iter().all(|count| (60..=140).contains(count) && count % 2 == 0), "{counts:?}");
        assert_eq!(store.state(4), None);
        // Devices and partitions as Azure has them, reckoned by Microsoft's suite in C.
        let of = |device: &str| {
            let store = self::store(Retention::default(), Vec::new());
            put(&store, device, b"{}", 0);
            partition_with_events(&store)
        };
        assert_eq!(["sensor-thl-001", "box-1", "a", "Ü"].map(of), [1, 2, 1, 3]);
    }

    #[test]
    fn readers_begin_where_they_say() {
        let filled = || {
            let store = store(Retention::default(), Vec::new());
            (0..10).for_each(|second| put(&store, "d1", b"{\"a\":1}", second));
            store
        };
        let partition = partition_with_events(&filled());
        let step = filled().state(partition).expect("there").last_offset / 9;
        let begin = BEGIN.timestamp_millis();
        let by = |property, bound, is_inclusive| Position::By { property, bound, is_inclusive };
        for (position, first) in [
            (Position::START, Some(0)),
            (Position::Latest, None),
            (by(Property::Offset, step * 3, false), Some(4)),
            (by(Property::Offset, step * 3, true), Some(3)),
            (by(Property::Offset, step * 3 - 1, true), Some(3)),
            (by(Property::SequenceNumber, 7, false), Some(8)),
            (by(Property::SequenceNumber, 7, true), Some(7)),
            (by(Property::SequenceNumber, 9, false), None),
            (by(Property::SequenceNumber, 90_000, true), None),
            (by(Property::EnqueuedTime, begin + 4_500, false), Some(5)),
            (by(Property::EnqueuedTime, begin + 5_000, false), Some(6)),
            (by(Property::EnqueuedTime, begin + 5_000, true), Some(5)),
            (by(Property::EnqueuedTime, 0, false), Some(0)),
        ] {
            let store = filled();
            let mut reader = Reader::new(&store, partition, position).expect("there");
            let expected: Vec<i64> = first.map_or_else(Vec::new, |first| (first..10).collect());
            assert_eq!(now(&mut reader, 100), expected, "{position:?}");
            put(&store, "d1", b"{}", 10);
            let newest = store.state(partition).expect("there").last_sequence_number;
            assert_eq!(now(&mut reader, 100).last(), Some(&newest), "{position:?}: what comes then");
        }
        assert!(Reader::new(&filled(), 4, Position::START).is_none());
    }

    #[test]
    fn retention_is_by_bytes_over_all_partitions_and_by_time() {
        let retention = Retention { time: Duration::from_mins(1), bytes: 1024 * 1024 };
        let store = store(retention, Vec::new());
        put(&store, "other", b"x", 0);
        let mut slow = Reader::new(&store, partition_with_events(&store), Position::START).expect("there");
        let body = vec![0; 10_000];
        for _ in 0..400 {
            put(&store, "d1", &body, 1);
            assert!(store.bytes() <= 1024 * 1024 + 64 * 1024, "{}", store.bytes());
        }
        assert_eq!(now(&mut slow, 9), Vec::<i64>::new(), "the oldest of all have gone");
        let partition = partition_with_events(&store);
        let state = store.state(partition).expect("there");
        assert_eq!(state.last_sequence_number, 399);
        assert!((295..=305).contains(&state.begin_sequence_number), "{state:?}");
        let mut reader = Reader::new(&store, partition, Position::START).expect("there");
        assert_eq!(now(&mut reader, 1), [state.begin_sequence_number]);
        for _ in 0..400 {
            put(&store, "d1", &body, 2);
        }
        let begin = store.state(partition).expect("there").begin_sequence_number;
        assert_eq!(now(&mut reader, 1), [begin], "one that fell behind goes on with the oldest");
        store.expire(BEGIN + TimeDelta::seconds(62));
        assert!(!store.state(partition).expect("there").is_empty);
        store.expire(BEGIN + TimeDelta::seconds(63));
        let state = store.state(partition).expect("there");
        assert!(state.is_empty && state.begin_sequence_number == 800, "{state:?}");
        assert!(store.bytes() < 64 * 1024, "the memory is given back: {}", store.bytes());
        put(&store, "d1", &vec![0; 2 * 1024 * 1024], 70);
        assert_eq!(now(&mut reader, 9), [800], "one larger than all that may be kept is kept alone");
    }

    #[test]
    fn time_does_not_go_back_within_a_partition() {
        let store = store(Retention::default(), Vec::new());
        put(&store, "d1", b"", 100);
        put(&store, "d1", b"", 50);
        let state = store.state(partition_with_events(&store)).expect("there");
        assert_eq!(state.last_enqueued_ms, BEGIN.timestamp_millis() + 100_000);
    }

    #[test]
    fn numbers_go_on_over_a_restart() {
        let first = store(Retention::default(), Vec::new());
        assert_eq!(first.keep(), vec![Mark::default(); 4], "nothing was given yet");
        put(&first, "d1", b"{}", 0);
        let partition = partition_with_events(&first);
        let killed = store(Retention::default(), first.keep());
        put(&killed, "d1", b"{}", 0);
        let of = |store: &Store| store.state(partition).expect("there").last_sequence_number;
        assert_eq!((of(&first), of(&killed)), (0, 100_001));
        killed.close();
        let mut marks = killed.keep();
        marks.push(Mark { sequence_number: 5, offset: 5 });
        let ended = store(Retention::default(), marks.clone());
        let state = ended.state(partition).expect("there");
        assert_eq!((state.begin_sequence_number, state.last_sequence_number), (100_002, 100_001));
        assert!(state.is_empty && state.last_offset == -1);
        put(&ended, "d1", b"{}", 0);
        assert_eq!(of(&ended), 100_002);
        assert_eq!(ended.keep().len(), 5, "of partitions that it does not have too");
    }

    #[tokio::test]
    async fn many_readers_wait_and_all_are_woken() {
        let store = store(Retention::default(), Vec::new());
        put(&store, "d1", b"{}", 0);
        let partition = partition_with_events(&store);
        let readers: Vec<_> = (0..50)
            .map(|_| {
                let mut reader = Reader::new(&store, partition, Position::Latest).expect("there");
                tokio::spawn(async move {
                    let mut read = Vec::new();
                    while read.len() < 20 {
                        let events = poll_fn(|context| reader.poll(3, context)).await;
                        read.extend(events.iter().map(|event| event.sequence_number));
                    }
                    read
                })
            })
            .collect();
        for _ in 0..20 {
            tokio::task::yield_now().await;
            put(&store, "d1", b"{}", 0);
        }
        for reader in readers {
            assert_eq!(reader.await.expect("no panic"), (1..=20).collect::<Vec<i64>>());
        }
    }
}
