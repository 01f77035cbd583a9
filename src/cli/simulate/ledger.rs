//! What devices say was delivered, against what the hub has.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::bail;
use serde_json::json;
use tracker_emulator::TelemetryMessage;

use crate::event::Readings;
use crate::journal::JournalStats;
use crate::lab::Received;
use crate::lab::screen::Screen;

/// The account of a fleet.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    /// Devices whose trackers were started, and of those, that have told their counts at the end.
    started: usize,
    ended: usize,
    totals: JournalStats,
    /// What the hub has; `None` where the hub is not ours to ask.
    received: Option<Received>,
    /// Readings that the hub has acknowledged and does not have.
    missing: u64,
    /// Messages that came faster than the screen takes them.
    not_shown: u64,
}

impl Ledger {
    /// Of a fleet at a hub that shows what it receives.
    pub(super) fn at_a_local_hub() -> Self {
        Self(Mutex::new(Entries { received: Some(Received::default()), ..Entries::default() }))
    }

    /// A tracker was started.
    pub(super) fn started(&self) {
        self.entries().started += 1;
    }

    /// The hub has a message; to be told before it is acknowledged.
    pub(super) fn received(&self, message: &TelemetryMessage) {
        if let Some(received) = &mut self.entries().received {
            received.count(message);
        }
    }

    /// A device was told that the hub has this reading.
    pub(super) fn delivered(&self, device: &str, seq: u64) {
        let mut entries = self.entries();
        let is_missing = entries.received.as_ref().is_some_and(|received| !received.has(device, seq));
        entries.missing += u64::from(is_missing);
    }

    /// So many messages were not shown.
    pub(super) fn not_shown(&self, messages: u64) {
        self.entries().not_shown += messages;
    }

    /// A tracker has ended.
    pub(super) fn ended(&self, stats: JournalStats) {
        let mut entries = self.entries();
        entries.ended += 1;
        let totals = &mut entries.totals;
        totals.taken += stats.taken;
        totals.sent += stats.sent;
        totals.acknowledged += stats.acknowledged;
        totals.backlog += stats.backlog;
        totals.dropped += stats.dropped;
        totals.thinned += stats.thinned;
    }

    /// Shows the sums, of a fleet of which `wanted` devices were to be started. A reading that is lost is an error.
    pub(super) fn settle(&self, screen: Screen, wanted: u16) -> anyhow::Result<()> {
        let entries = self.entries();
        let Entries { started, ended, missing, not_shown, .. } = *entries;
        let JournalStats { taken, sent, acknowledged, backlog, dropped, .. } = entries.totals;
        let lost = missing + dropped;
        let devices = if ended == 1 { "device" } else { "devices" };
        let mut text = format!(
            "{ended} {devices}: {} taken, {sent} sent, {acknowledged} acknowledged, {backlog} not yet sent",
            Readings(taken)
        );
        let mut details = json!({
            "devices": ended, "notStarted": usize::from(wanted).saturating_sub(started), "cutOff": started - ended,
            "taken": taken, "sent": sent, "acknowledged": acknowledged, "backlog": backlog, "dropped": dropped,
        });
        if let Some(received) = &entries.received {
            let (distinct, duplicates) = (received.distinct(), received.duplicates);
            text += &format!("; {distinct} received by the hub, {duplicates} duplicates, {lost} lost");
            details["received"] = distinct.into();
            details["duplicates"] = duplicates.into();
            details["lost"] = lost.into();
            details["notShown"] = not_shown.into();
        }
        let asides = [
            (not_shown, "messages came too fast to be shown"),
            ((usize::from(wanted).saturating_sub(started)) as u64, "devices were not started any more"),
            ((started - ended) as u64, "devices were cut off before they had told their counts"),
        ];
        for (count, what) in asides.into_iter().filter(|(count, _)| *count > 0) {
            text += &format!("; {count} {what}");
        }
        drop(entries);
        screen.note("summary", &text, details);
        if lost > 0 {
            bail!(
                "{lost} readings are lost: acknowledged and not at the hub, or dropped; that is a fault of this program"
            );
        }
        Ok(())
    }

    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tracker_protocol::PropertyBag;

    use super::*;

    #[test]
    fn lost_is_what_the_hub_has_acknowledged_and_lacks_and_not_what_was_not_shown() {
        let message = TelemetryMessage {
            hub: "hub".into(),
            device_id: "box".into(),
            module_id: None,
            enqueued_time: chrono::DateTime::UNIX_EPOCH,
            sequence_number: 1,
            body: br#"[{"seq": 1}, {"seq": 2}]"#.to_vec().into(),
            properties: PropertyBag::default(),
            marked_duplicate: false,
            repeated_message_id: false,
        };
        let ledger = Ledger::at_a_local_hub();
        ledger.received(&message);
        ledger.delivered("box", 1);
        ledger.delivered("box", 2);
        ledger.not_shown(1000);
        assert!(ledger.settle(Screen::new(true), 0).is_ok());
        // The same number of another device is another reading.
        ledger.delivered("case", 2);
        let error = ledger.settle(Screen::new(true), 0).unwrap_err().to_string();
        assert!(error.starts_with("1 readings are lost"), "{error}");
    }
}
