//! Consumer groups: names under which readers count apart.

use std::{collections::BTreeMap, sync::Mutex};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::super::HubError;
use crate::{
    clock::wire_time,
    id::{device_etag, twin_etag},
    lock::lock,
};

/// The group that is always there.
pub(in crate::hub) const DEFAULT_GROUP: &str = "$Default";

/// How many there may be; Azure's limit.
const MOST: usize = 20;

/// The longest name.
const LONGEST: usize = 50;

/// A consumer group of a hub's built-in endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConsumerGroup {
    /// Its name; case does not count.
    pub name: String,
    /// When it was made.
    #[serde(with = "wire_time")]
    pub created: DateTime<Utc>,
    /// Of this group.
    pub etag: String,
}

/// The same, as it is kept over a restart.
pub(in crate::hub) type KeptGroup = ConsumerGroup;

/// All groups of a hub, by their names in small letters.
#[derive(Debug)]
pub(in crate::hub) struct Groups(Mutex<BTreeMap<String, ConsumerGroup>>);

impl Groups {
    pub(in crate::hub) fn new(kept: Vec<KeptGroup>, now: DateTime<Utc>) -> Self {
        let key = |group: ConsumerGroup| (group.name.to_ascii_lowercase(), group);
        let mut groups: BTreeMap<_, _> = kept.into_iter().map(key).collect();
        groups.entry(DEFAULT_GROUP.to_ascii_lowercase()).or_insert_with(|| ConsumerGroup {
            name: DEFAULT_GROUP.to_owned(),
            created: now,
            // The same in every run, as it is not kept.
            etag: twin_etag(1),
        });
        Self(Mutex::new(groups))
    }

    /// What has to outlive a restart.
    pub(in crate::hub) fn keep(&self) -> Vec<KeptGroup> {
        self.list().into_iter().filter(|group| group.name != DEFAULT_GROUP).collect()
    }

    pub(in crate::hub) fn list(&self) -> Vec<ConsumerGroup> {
        lock(&self.0).values().cloned().collect()
    }

    /// A group as it is called here.
    pub(in crate::hub) fn get(&self, name: &str) -> Option<ConsumerGroup> {
        lock(&self.0).get(&name.to_ascii_lowercase()).cloned()
    }

    /// Makes a group; one that is there stays as it is. Tells whether it is new.
    pub(in crate::hub) fn create(
        &self,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<(ConsumerGroup, bool), HubError> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let ends_well = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        let mut groups = lock(&self.0);
        if let Some(known) = groups.get(&name.to_ascii_lowercase()) {
            return Ok((known.clone(), false));
        }
        let is_name = name.len() <= LONGEST
            && name.chars().all(is_word)
            && ends_well(name.chars().next())
            && ends_well(name.chars().next_back());
        if !is_name {
            return Err(HubError::ArgumentInvalid(format!(
                "the name of a consumer group is 1 to {LONGEST} letters, digits, dots, dashes and underscores, with a letter \
                 or digit at both ends"
            )));
        }
        if groups.len() >= MOST {
            return Err(HubError::ArgumentInvalid(format!(
                "there are {MOST} consumer groups, $Default among them, and a hub has no more: delete one first"
            )));
        }
        let group = ConsumerGroup { name: name.to_owned(), created: now, etag: device_etag() };
        groups.insert(name.to_ascii_lowercase(), group.clone());
        Ok((group, true))
    }

    /// Deletes a group; tells whether it was there.
    pub(in crate::hub) fn delete(&self, name: &str) -> Result<bool, HubError> {
        if name.eq_ignore_ascii_case(DEFAULT_GROUP) {
            return Err(HubError::ArgumentInvalid(format!("{DEFAULT_GROUP} can't be deleted")));
        }
        Ok(lock(&self.0).remove(&name.to_ascii_lowercase()).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_without_regard_to_case_and_bounded() {
        let groups = Groups::new(Vec::new(), DateTime::UNIX_EPOCH);
        assert_eq!(groups.get("$default").expect("always there").name, DEFAULT_GROUP);
        assert!(groups.create("Shop.Floor-1", DateTime::UNIX_EPOCH).expect("taken").1);
        assert!(!groups.create("shop.floor-1", DateTime::UNIX_EPOCH).expect("there already").1);
        for name in ["", "-a", "a-", "a b", "$Other", "ä", &"a".repeat(51)] {
            assert!(groups.create(name, DateTime::UNIX_EPOCH).is_err(), "{name}");
        }
        for number in 2..20 {
            groups.create(&format!("g{number}"), DateTime::UNIX_EPOCH).expect("room");
        }
        assert!(groups.create("more", DateTime::UNIX_EPOCH).is_err());
        let again = Groups::new(groups.keep(), DateTime::UNIX_EPOCH);
        assert_eq!(again.list(), groups.list());
        assert!(groups.delete("SHOP.FLOOR-1").expect("allowed"));
        assert!(!groups.delete("shop.floor-1").expect("allowed"));
        assert!(groups.delete("$DEFAULT").is_err());
        assert_eq!(groups.get("Shop.Floor-1"), None);
    }
}
