//! Uploads that were promised a place and have not ended: ten of a device at the most, each for an hour.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::clock::wire_time;

/// Uploads of one device at a time, as at Azure.
pub(crate) const MAX_UPLOADS: usize = 10;

/// One that was promised a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::hub) struct Promise {
    pub correlation_id: String,
    pub device_id: String,
    /// A device that was made anew has none of those that its forerunner had.
    pub generation_id: String,
    /// The whole name.
    pub blob_name: String,
    #[serde(with = "wire_time")]
    pub expires: DateTime<Utc>,
}

impl Promise {
    fn is_of(&self, device_id: &str, generation_id: &str) -> bool {
        self.device_id == device_id && self.generation_id == generation_id
    }
}

/// All of a hub.
#[derive(Debug, Default)]
pub(in crate::hub) struct Promised(Vec<Promise>);

impl Promised {
    /// How long a place is good, and an upload may take.
    pub(in crate::hub) const LIFE: TimeDelta = TimeDelta::hours(1);

    pub(super) fn restore(kept: Vec<Promise>) -> Self {
        Self(kept)
    }

    pub(super) fn keep(&self) -> Vec<Promise> {
        self.0.clone()
    }

    /// Adds one; `false` if the device has as many as it may.
    pub(in crate::hub) fn add(&mut self, promise: Promise, now: DateTime<Utc>) -> bool {
        self.0.retain(|promise| promise.expires > now);
        let is_of_device = |known: &&Promise| known.is_of(&promise.device_id, &promise.generation_id);
        if self.0.iter().filter(is_of_device).count() >= MAX_UPLOADS {
            return false;
        }
        self.0.push(promise);
        true
    }

    /// The one of this number, which goes on.
    pub(in crate::hub) fn find(
        &self,
        (device_id, generation_id): (&str, &str),
        correlation_id: &str,
        now: DateTime<Utc>,
    ) -> Option<&Promise> {
        let mut live = self.0.iter().filter(|promise| promise.expires > now);
        live.find(|promise| {
            promise.correlation_id == correlation_id && promise.is_of(device_id, generation_id)
        })
    }

    /// It has ended. Tells whether it was still there.
    pub(in crate::hub) fn end(&mut self, correlation_id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|promise| promise.correlation_id != correlation_id);
        self.0.len() < before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn promise(number: usize, generation_id: &str) -> Promise {
        Promise {
            correlation_id: number.to_string(),
            device_id: "d1".into(),
            generation_id: generation_id.into(),
            blob_name: "d1/x".into(),
            expires: NOW + Promised::LIFE,
        }
    }

    #[test]
    fn a_device_has_ten_places_at_a_time_and_each_ends_by_itself() {
        let mut promised = Promised::default();
        assert!((0..10).all(|number| promised.add(promise(number, "g"), NOW)));
        assert!(!promised.add(promise(10, "g"), NOW));
        assert!(promised.add(promise(11, "anew"), NOW), "the device was made anew");
        assert!(promised.find(("d1", "g"), "3", NOW).is_some());
        assert!(
            promised.find(("d1", "anew"), "3", NOW).is_none()
                && promised.find(("d2", "g"), "3", NOW).is_none()
        );
        assert!(promised.end("3") && !promised.end("3"));
        assert!(promised.add(promise(10, "g"), NOW));
        let later = NOW + Promised::LIFE;
        assert!(promised.find(("d1", "g"), "4", later).is_none());
        assert!(promised.add(Promise { expires: later + Promised::LIFE, ..promise(12, "g") }, later));
        assert_eq!(promised.keep().len(), 1, "the others have ended");
    }
}
