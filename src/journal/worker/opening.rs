//! How the file is opened, set aside where it can't be used, and brought together with what memory holds.

use std::collections::BTreeSet;
use std::time::Instant;

use super::Worker;
use crate::event::Event;
use crate::journal::disk::{Disk, OpenError};
use crate::journal::files::set_aside;
use crate::journal::memory::CAPACITY;
use crate::journal::row::PROVISIONAL;
use crate::journal::{JournalHealth, JournalOptions};

impl Worker {
    pub(super) fn open(&mut self, now: Instant) {
        let JournalOptions { directory, boot, .. } = &self.options;
        let mut aside = None;
        let disk = Disk::open(directory, boot).or_else(|error| match error {
            OpenError::Unusable(why) => {
                let path = set_aside(directory, "bad")
                    .map_err(|error| format!("{why}, and can't be set aside: {error}"))?;
                aside = path.map(|path| {
                    format!("the journal could not be used ({why}); it is set aside as {}", path.display())
                });
                Disk::open(directory, boot).map_err(|error| match error {
                    OpenError::Disk(why) | OpenError::Unusable(why) => why,
                })
            }
            OpenError::Disk(why) => Err(why),
        });
        if let Some(what) = aside {
            self.report_set_aside(what);
        }
        match disk {
            Ok(disk) => self.opened(disk, now),
            Err(why) => {
                self.failed = Some(now);
                self.report(Some(format!(
                    "the journal can't be opened in {} ({why}); the newest {CAPACITY} readings are kept in memory and would \
                     be lost with the power",
                    self.options.directory.display()
                )));
            }
        }
        self.count_backlog();
    }

    /// Brings together what is on the disk and what memory holds.
    fn opened(&mut self, disk: Disk, now: Instant) {
        let known = (|| {
            // A commit that failed may have come through all the same.
            let mut both = BTreeSet::new();
            for row in self.memory.all() {
                if disk.holds(row)? {
                    both.insert(row.seq);
                }
            }
            Ok((both, disk.last_numbers()?, disk.thinned()?))
        })();
        self.disk = Some(disk);
        let Some((both, (last, provisional), thinned)) = self.checked(known, now) else { return };
        self.memory.forget(&both);
        self.shared.stats().thinned = thinned;
        self.lowest_seq = last.map_or(1, |last| last + 1).max(self.lowest_seq);
        let free = if self.time_is_known() {
            self.lowest_seq
        } else {
            provisional.map_or(PROVISIONAL, |last| last + 1)
        };
        self.next_seq = self.next_seq.max(free);
        if self.first_held().is_some_and(|first| first < free) {
            self.next_seq = self.number_held(self.next_seq);
            // Only where numbers have run ahead of time can any of these have been sent already.
            self.deaf = self.time_is_known();
            self.leases.release();
        }
        if let (Some(last), true) = (provisional, self.time_is_known()) {
            self.shift = PROVISIONAL - self.next_seq;
            self.next_seq = last + 1 - self.shift;
            self.unnumbered = true;
        }
        (self.offset_stored, self.given) = (false, 0);
        self.store_offset(now);
    }

    fn report_set_aside(&self, what: String) {
        self.events.emit(Event::Trouble(what.clone()));
        self.shared.health.send_modify(|health: &mut JournalHealth| health.set_aside = Some(what));
    }
}
