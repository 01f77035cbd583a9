//! Which edge device another one is below: scopes, as they are kept, and what may become of them.
//!
//! An edge device has a scope of its own, `ms-azure-iot-edge://{id}-{number}`. A device below it has that scope as its own; an
//! edge device below it names it as its parent, which the hub shows of every other device as well.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::HubError;

/// What every scope begins with.
const SCHEME: &str = "ms-azure-iot-edge://";
/// Edge devices one above the other.
const MOST_LAYERS: usize = 5;

/// The place of a device among edge devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Scopes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_scope: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parent_scopes: Vec<String>,
}

/// What a service says of the place of a device. `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    /// An empty one is none.
    pub device_scope: Option<&'a str>,
    pub parent_scopes: Option<&'a [String]>,
}

/// The scope of a new edge device, with a number that no other of this name has had.
pub(super) fn new_scope(device_id: &str, now: DateTime<Utc>) -> String {
    /// From the year 1 to 1970, in Windows' ticks of 100 ns.
    const EPOCH: i64 = 621_355_968_000_000_000;
    let ticks = EPOCH.saturating_add(now.timestamp_micros().saturating_mul(10));
    format!("{SCHEME}{device_id}-{ticks}")
}

/// The device whose scope it is, if it is a scope.
fn device_of(scope: &str) -> Option<&str> {
    scope.strip_prefix(SCHEME)?.rsplit_once('-').map(|(device_id, _)| device_id)
}

impl Scopes {
    /// The scopes of an edge device.
    pub(super) fn of_edge(
        device_id: &str,
        stored: Option<&Self>,
        wanted: Wanted<'_>,
        now: DateTime<Utc>,
    ) -> Result<Self, HubError> {
        let stored_scope = stored.and_then(|stored| stored.device_scope.as_deref());
        let mut own = stored_scope.filter(|scope| device_of(scope) == Some(device_id));
        let mut parents = stored.map(|stored| stored.parent_scopes.clone()).unwrap_or_default();
        match wanted.device_scope.filter(|scope| !scope.is_empty()) {
            // What was a device below another one has become an edge device there.
            Some(scope) if Some(scope) == stored_scope => {}
            // One that comes from another hub, with those below it, keeps the scope that they name.
            Some(scope) if stored.is_none() && device_of(scope) == Some(device_id) => {
                own = Some(scope);
            }
            Some(scope) => {
                return Err(HubError::ArgumentInvalid(format!(
                    "deviceScope \"{}\" is not that of the edge device \"{device_id}\" itself, which the hub gives it; \
                     its parent stands in parentScopes",
                    shown(scope)
                )));
            }
            None => {}
        }
        if let Some(wanted) = wanted.parent_scopes {
            parents = wanted.to_vec();
        }
        let own = own.map_or_else(|| new_scope(device_id, now), str::to_owned);
        Ok(Self { device_scope: Some(own), parent_scopes: parents })
    }

    /// The scopes of a device that is none of edge; they are the same.
    pub(super) fn of_leaf(
        device_id: &str,
        stored: Option<&Self>,
        wanted: Wanted<'_>,
    ) -> Result<Self, HubError> {
        // What was an edge device loses the scope of its own.
        let stored_scope = stored.and_then(|stored| stored.parent_scopes.first()).map(String::as_str);
        let was_shown = stored.and_then(|stored| stored.device_scope.as_deref());
        let changed = wanted.device_scope.filter(|scope| {
            Some(*scope) != stored_scope && (Some(*scope) != was_shown || device_of(scope) != Some(device_id))
        });
        let parent = wanted.parent_scopes.map(|parents| parents.first().map(String::as_str));
        let parent = parent.filter(|parent| *parent != stored_scope);
        let scope = match (changed, parent) {
            (Some(scope), Some(Some(parent))) if scope != parent => {
                return Err(HubError::ArgumentInvalid(format!(
                    "deviceScope \"{}\" and parentScopes \"{}\" differ, and the device \"{device_id}\" is not one of edge",
                    shown(scope),
                    shown(parent)
                )));
            }
            (Some(scope), _) => Some(scope).filter(|scope| !scope.is_empty()),
            (None, Some(parent)) => parent,
            (None, None) => stored_scope,
        };
        let scope = scope.map(str::to_owned);
        Ok(Self { parent_scopes: scope.clone().into_iter().collect(), device_scope: scope })
    }

    /// Whether the scope is that of this device itself, as it is of an edge device.
    pub(super) fn is_own_of(&self, device_id: &str) -> bool {
        self.device_scope.as_deref().and_then(device_of) == Some(device_id)
    }

    /// Whether there is nothing to keep.
    pub(super) fn is_empty(&self) -> bool {
        self.device_scope.is_none() && self.parent_scopes.is_empty()
    }

    /// Checks what is above a device: `scopes_of` gives those of an edge device that is there. What was there before stays.
    pub(super) fn check<'r>(
        &self,
        device_id: &str,
        stored: Option<&Self>,
        scopes_of: impl Fn(&str) -> Option<&'r Self>,
    ) -> Result<(), HubError> {
        let invalid = |why: String| Err(HubError::ArgumentInvalid(why));
        let Some(parent) = self.parent_scopes.first() else { return Ok(()) };
        if stored.is_some_and(|stored| stored.parent_scopes == self.parent_scopes) {
            return Ok(());
        }
        let mut above = Some(parent.as_str());
        let mut layers = 1;
        while let Some(scope) = above {
            let edge = device_of(scope);
            let found = edge.and_then(&scopes_of).filter(|of| of.device_scope.as_deref() == Some(scope));
            let Some(found) = found else {
                return invalid(format!(
                    "\"{}\" is the scope of no edge device here; take the deviceScope that the hub shows of one",
                    shown(scope)
                ));
            };
            layers += 1;
            if edge == Some(device_id) {
                return invalid(format!("\"{device_id}\" would be above itself"));
            }
            if layers > MOST_LAYERS {
                return invalid(format!(
                    "\"{device_id}\" would be below more than {MOST_LAYERS} layers of edge devices"
                ));
            }
            above = found.parent_scopes.first().map(String::as_str);
        }
        Ok(())
    }
}

/// As much of a scope as fits into a sentence.
fn shown(scope: &str) -> String {
    scope.chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted<'a>(device_scope: Option<&'a str>, parent_scopes: Option<&'a [String]>) -> Wanted<'a> {
        Wanted { device_scope, parent_scopes }
    }

    fn edge(name: &str, parent: Option<&Scopes>) -> Scopes {
        let parents: Vec<_> = parent.and_then(|parent| parent.device_scope.clone()).into_iter().collect();
        Scopes::of_edge(name, None, wanted(None, Some(&parents)), DateTime::UNIX_EPOCH).expect("scopes")
    }

    #[test]
    fn an_edge_device_keeps_the_scope_that_it_was_given() {
        let first = edge("e-1", None);
        let scope = first.device_scope.clone().expect("a scope");
        assert_eq!(
            (scope.as_str(), device_of(&scope)),
            ("ms-azure-iot-edge://e-1-621355968000000000", Some("e-1"))
        );
        let later = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(1);
        let again =
            Scopes::of_edge("e-1", Some(&first), wanted(Some(&scope), None), later).expect("the same");
        assert_eq!(again, first);
        assert!(Scopes::of_edge("e-1", Some(&first), wanted(Some("x"), None), later).is_err());
    }

    #[test]
    fn a_leaf_has_its_scope_by_either_name_and_loses_it_by_an_empty_one() {
        let (one, other) = (edge("e1", None), edge("e2", None));
        let (one, other) = (one.device_scope.expect("a scope"), other.device_scope.expect("a scope"));
        let (ones, others) = ([one.clone()], [other.clone()]);
        let leaf = |stored: Option<&Scopes>, wanted| Scopes::of_leaf("d", stored, wanted);
        let below_one = leaf(None, wanted(Some(&one), None)).expect("taken");
        assert_eq!(below_one.parent_scopes, ones);
        assert_eq!(leaf(None, wanted(None, Some(&ones))).expect("taken"), below_one);
        assert_eq!(leaf(Some(&below_one), Wanted::default()).expect("kept"), below_one);
        // az sends the parents as it has read them beside a new scope.
        let moved = leaf(Some(&below_one), wanted(Some(&other), Some(&ones))).expect("taken");
        assert_eq!(moved.parent_scopes, others);
        assert!(leaf(Some(&below_one), wanted(Some(""), Some(&ones))).expect("taken").is_empty());
        assert!(leaf(None, wanted(Some(&one), Some(&others))).is_err());
    }

    #[test]
    fn nobody_is_above_itself_or_below_what_is_not_there() {
        let mut tower = vec![("e0", edge("e0", None))];
        for name in ["e1", "e2", "e3", "e4"] {
            let below = edge(name, tower.last().map(|(_, scopes)| scopes));
            tower.push((name, below));
        }
        let find = |name: &str| tower.iter().find(|(known, _)| *known == name).map(|(_, scopes)| scopes);
        for (name, scopes) in &tower {
            assert!(scopes.check(name, None, find).is_ok(), "{name}");
        }
        let sixth = edge("e5", tower.last().map(|(_, scopes)| scopes));
        assert!(sixth.check("e5", None, find).is_err_and(|why| why.to_string().contains("layers")));
        let circle = Scopes {
            parent_scopes: tower[2].1.device_scope.clone().into_iter().collect(),
            ..tower[0].1.clone()
        };
        assert!(circle.check("e0", None, find).is_err_and(|why| why.to_string().contains("above itself")));
        let lost = Scopes { parent_scopes: vec!["ms-azure-iot-edge://nobody-1".into()], ..Scopes::default() };
        assert!(lost.check("d", None, find).is_err_and(|why| why.to_string().contains("no edge device")));
        assert!(lost.check("d", Some(&lost), find).is_ok(), "what was there before stays");
    }
}
