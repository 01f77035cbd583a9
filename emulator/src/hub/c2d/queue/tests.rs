//! What becomes of the messages to one device.

use super::*;
use crate::hub::c2d::Acknowledgement::{self, Full, Negative, None as NotAtAll, Positive};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
const NOBODY: Option<u64> = None;

fn asking(ack: Acknowledgement) -> CloudToDeviceMessage {
    CloudToDeviceMessage { message_id: Some("m".into()), ack, ..CloudToDeviceMessage::default() }
}

#[test]
fn a_message_stays_until_it_is_acknowledged() {
    let mut queue = MessageQueue::default();
    queue.push("d", CloudToDeviceMessage::default(), NOW).expect("room");
    let first = queue.next("d", 1, NOW).expect("one waits");
    assert!(queue.next("d", 1, NOW).is_none(), "it is under way on this connection");
    queue.release(1);
    let again = queue.next("d", 2, NOW).expect("the next connection gets it");
    assert_eq!(first.number, again.number);
    queue.complete(again.number);
    assert_eq!(queue.len(), 0);
}

#[test]
fn the_queue_is_bounded_in_number_size_time_and_tries() {
    let mut queue = MessageQueue::default();
    for _ in 0..MAX_QUEUED {
        queue.push("d", CloudToDeviceMessage::default(), NOW).expect("room");
    }
    let full = queue.push("d", CloudToDeviceMessage::default(), NOW);
    assert!(matches!(full, Err(HubError::QueueFull { .. })));
    let large = CloudToDeviceMessage { body: vec![0; MAX_SIZE + 1], ..CloudToDeviceMessage::default() };
    assert!(matches!(queue.push("d", large, NOW), Err(HubError::MessageTooLarge { .. })));
    assert!(queue.next("d", 1, NOW + DEFAULT_LIFE).is_none(), "all have expired");

    queue.push("d", CloudToDeviceMessage::default(), NOW).expect("room");
    for connection in 0..10 {
        assert!(queue.next("d", connection, NOW).is_some());
        queue.release(connection);
    }
    assert_eq!(queue.len(), 0, "given up after ten tries");
}

#[test]
fn a_lock_is_good_once_and_ends_with_time_and_with_its_connection() {
    let mut queue = MessageQueue::default();
    queue.push("d", CloudToDeviceMessage::default(), NOW).expect("room");
    let first = queue.receive(NOBODY, LOCK_TIME, NOW).expect("one waits");
    assert!(queue.receive(NOBODY, LOCK_TIME, NOW).is_none(), "it is locked");
    assert_eq!(queue.due(), Some(NOW + LOCK_TIME));
    let later = NOW + LOCK_TIME;
    assert!(!queue.finish(&first.lock_token, Outcome::Success, later), "the lock has ended");
    let second = queue.receive(Some(7), LOCK_TIME, later).expect("it is back");
    assert_eq!((second.deliveries, second.sequence_number), (2, first.sequence_number));
    assert_ne!(second.lock_token, first.lock_token);
    queue.release(7);
    assert!(!queue.abandon(&second.lock_token, later), "it went with the connection");
    let third = queue.receive(NOBODY, LOCK_TIME, later).expect("it is back");
    assert!(queue.abandon(&third.lock_token, later));
    let fourth = queue.receive(NOBODY, LOCK_TIME, later).expect("it is back");
    assert!(queue.finish(&fourth.lock_token, Outcome::Success, later));
    assert!(!queue.finish(&fourth.lock_token, Outcome::Success, later), "twice");
    assert_eq!(queue.len(), 0);
}

/// How the way of a message ends.
type End = fn(&mut MessageQueue);

#[test]
fn the_sender_hears_of_what_he_asked_for() {
    let ends: [(&str, End, Outcome); 5] = [
        ("completed", |queue| queue.complete(1), Outcome::Success),
        ("expired", |queue| queue.pass_time(NOW + DEFAULT_LIFE), Outcome::Expired),
        ("purged", |queue| assert_eq!(queue.purge(), 1), Outcome::Purged),
        (
            "rejected",
            |queue| {
                let token = queue.receive(NOBODY, LOCK_TIME, NOW).expect("one").lock_token;
                assert!(queue.finish(&token.to_uppercase(), Outcome::Rejected, NOW));
            },
            Outcome::Rejected,
        ),
        (
            "tried too often",
            |queue| {
                for _ in 0..MAX_DELIVERIES {
                    let token = queue.receive(NOBODY, LOCK_TIME, NOW).expect("one").lock_token;
                    assert!(queue.abandon(&token, NOW));
                }
            },
            Outcome::DeliveryCountExceeded,
        ),
    ];
    for (what, end, outcome) in ends {
        for ack in [NotAtAll, Positive, Negative, Full] {
            let mut queue = MessageQueue::default();
            queue.push("d", asking(ack), NOW).expect("room");
            end(&mut queue);
            let is_good = outcome == Outcome::Success;
            let hears = ack == Full || (ack == Positive && is_good) || (ack == Negative && !is_good);
            let expected = hears.then(|| ("m".to_owned(), outcome));
            assert_eq!(queue.take_settled(), Vec::from_iter(expected), "{what}, {ack:?}");
            assert_eq!(queue.len(), 0, "{what}");
        }
    }
}

#[test]
fn a_message_that_expires_under_a_lock_may_still_be_completed() {
    let mut queue = MessageQueue::default();
    let soon = NOW + TimeDelta::seconds(1);
    let short = CloudToDeviceMessage { expiry_time: Some(soon), ..asking(Full) };
    queue.push("d", short.clone(), NOW).expect("room");
    let taken = queue.receive(NOBODY, LOCK_TIME, NOW).expect("one waits");
    assert!(queue.finish(&taken.lock_token, Outcome::Success, soon));
    queue.push("d", short, NOW).expect("room");
    let taken = queue.receive(NOBODY, LOCK_TIME, NOW).expect("one waits");
    assert!(queue.abandon(&taken.lock_token, soon));
    let outcomes: Vec<_> = queue.take_settled().into_iter().map(|(_, outcome)| outcome).collect();
    assert_eq!(outcomes, [Outcome::Success, Outcome::Expired]);
}
