//! What is known of the date before anybody has told the time: by this a receiver's date is judged.

use std::sync::Arc;

use tracker_sensors::gps::{Known, KnownDates};

use crate::config::Config;
use crate::identity::Chain;
use crate::journal::inspect::newest_time;

/// What journal and certificate file tell at the moment when somebody asks.
pub(crate) fn known_dates(config: &Config) -> Known {
    let (directory, certificate) = (config.state.directory.clone(), config.identity.certificate.clone());
    Arc::new(move || {
        let newest = newest_time(&directory).map(|time| time.date_naive());
        let chain = Chain::read(&certificate).ok();
        let validity =
            chain.map(|chain| chain.leaf().not_before.date_naive()..=chain.leaf().not_after.date_naive());
        KnownDates { newest, validity }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Events;
    use crate::journal::{Journal, JournalOptions};
    use crate::platform::clock::{SystemClock, system_time};
    use crate::reading::{Reading, Stamp};

    #[tokio::test]
    async fn the_journal_knows_the_date_also_when_all_is_delivered() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(newest_time(directory.path()), None);
        let options = JournalOptions {
            directory: directory.path().into(),
            size_bound: 1 << 20,
            waiting_room: None,
            boot: "boot-1".into(),
        };
        let journal = Journal::open(options, Events::log("device")).unwrap();
        let reading = || Reading {
            stamp: Stamp::now(&SystemClock::new(true)),
            fields: "{}".into(),
            alerts: Vec::new(),
        };
        let today = system_time().date_naive();
        for seq in 0..3 {
            journal.append(reading());
            let lease = journal.lease(10, Stamp::now(&SystemClock::new(true))).await;
            let leased = lease.newest.iter().chain(&lease.backlog).map(|entry| entry.seq).collect();
            assert!(journal.acknowledge(leased).is_ok(), "{seq}");
        }
        journal.close().await;
        let newest = newest_time(directory.path()).unwrap();
        // Readings of the same millisecond have numbers of their own, which are ahead of it.
        let ahead = newest - system_time();
        assert!((today - newest.date_naive()).num_days() <= 1 && ahead.num_seconds() < 1, "{newest}");
    }

    #[test]
    fn the_certificate_tells_when_it_is_valid() {
        let directory = tempfile::tempdir().unwrap();
        let config = crate::config::for_tests::of_device(directory.path());
        let known = known_dates(&config);
        let leaf = Chain::read(&config.identity.certificate).unwrap().leaf().clone();
        let validity = known().validity.unwrap();
        assert_eq!(
            (*validity.start(), *validity.end()),
            (leaf.not_before.date_naive(), leaf.not_after.date_naive())
        );
        std::fs::remove_file(&config.identity.certificate).unwrap();
        assert_eq!(known().validity, None, "it is read when somebody asks");
    }
}
