//! The debouncer on any sequence of edges.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::time::Duration;

use proptest::prelude::*;
use tracker_sensors::door::{Change, Debouncer};

const PERIOD_MS: u64 = 50;

/// Levels that take turns, each with its length in ms; the first is open.
fn levels() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(prop_oneof![0..PERIOD_MS, PERIOD_MS..500], 1..60)
}

/// What comes out of a door that is closed at first, if every edge is read at once, or up to `late_ms` late.
fn changes(lengths: &[u64], late_ms: u64) -> Vec<Change> {
    let millis = Duration::from_millis;
    let mut debouncer = Debouncer::new(millis(PERIOD_MS), false);
    let (mut at, mut found) = (1000, Vec::new());
    for (index, length) in lengths.iter().enumerate() {
        found.extend(debouncer.edge(index % 2 == 0, millis(at)));
        at += length;
        // A reader that is in time is woken at the deadline; one that is late reads the next edge first.
        if let Some(deadline) = debouncer.deadline()
            && deadline + millis(late_ms) < millis(at)
        {
            found.extend(debouncer.tick(deadline + millis(late_ms)));
        }
    }
    // The last level lasts.
    found.extend(debouncer.tick(millis(at + 1000)));
    found
}

/// The same by looking at the whole: a level counts if it lasted.
fn expected(lengths: &[u64]) -> Vec<Change> {
    let (mut at, mut settled, mut found) = (1000, false, Vec::new());
    for (index, length) in lengths.iter().enumerate() {
        let open = index % 2 == 0;
        let lasts = *length >= PERIOD_MS || index + 1 == lengths.len();
        if lasts && open != settled {
            settled = open;
            found.push(Change { open, at: Duration::from_millis(at) });
        }
        at += length;
    }
    found
}

proptest! {
    #[test]
    fn bounces_shorter_than_the_period_are_one_change(bounces in prop::collection::vec(0..PERIOD_MS, 0..40)) {
        // An even number of bounces ends open, an odd one closed as it began.
        let mut lengths = bounces;
        lengths.push(10 * PERIOD_MS);
        let found = changes(&lengths, 0);
        let ends_open = lengths.len() % 2 == 1;
        prop_assert_eq!(found.len(), usize::from(ends_open), "{:?}", found);
        prop_assert!(found.iter().all(|change| change.open));
    }

    #[test]
    fn no_change_that_lasts_is_missed_and_none_is_made_up(lengths in levels()) {
        prop_assert_eq!(changes(&lengths, 0), expected(&lengths));
    }

    #[test]
    fn it_is_all_the_same_how_late_the_edges_are_read(lengths in levels(), late_ms in 0..10_000_u64) {
        prop_assert_eq!(changes(&lengths, late_ms), changes(&lengths, 0));
    }

    #[test]
    fn changes_take_turns(lengths in levels()) {
        let found = changes(&lengths, 0);
        prop_assert!(found.iter().enumerate().all(|(index, change)| change.open == (index % 2 == 0)), "{:?}", found);
    }

    #[test]
    fn a_level_of_which_edges_are_lost_has_not_lasted(before_ms in 1..PERIOD_MS, gap_ms in 0..10_000_u64, ends_open: bool) {
        let millis = Duration::from_millis;
        let mut debouncer = Debouncer::new(millis(PERIOD_MS), false);
        prop_assert_eq!(debouncer.edge(true, millis(1000)), None);
        let at = millis(1000 + before_ms + gap_ms);
        prop_assert_eq!(debouncer.edge_after_gap(ends_open, at), None);
        let settled = ends_open.then_some(Change { open: true, at });
        prop_assert_eq!(debouncer.tick(at + millis(PERIOD_MS)), settled);
    }

    #[test]
    fn without_a_period_every_edge_counts(lengths in levels()) {
        let mut debouncer = Debouncer::new(Duration::ZERO, false);
        let mut at = Duration::ZERO;
        for (index, length) in lengths.iter().enumerate() {
            at += Duration::from_millis(*length);
            let open = index % 2 == 0;
            prop_assert_eq!(debouncer.edge(open, at), Some(Change { open, at }));
            prop_assert_eq!(debouncer.deadline(), None);
        }
    }
}
