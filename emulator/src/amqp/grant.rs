//! What a token has opened to a client.

use chrono::{DateTime, TimeDelta, Utc};

use super::address;
use crate::security::{access::Right, sas::TokenText};

/// How long a link lives beyond the token that let it in, as on the devices' port: clients renew late, and clocks differ.
const GRACE: TimeDelta = TimeDelta::seconds(450);

/// What one token has opened, from when it was shown until it expires.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    /// Below what: the words of the path, unescaped. Empty opens all of the service.
    pub path: Vec<String>,
    /// The rights of the policy whose key made it.
    pub rights: Vec<Right>,
    /// The device whose own key made it.
    pub device: Option<String>,
    /// The policy, for those who want to know how somebody signed in.
    pub policy: Option<String>,
    /// The token itself, by which a device is judged again when it connects.
    pub token: Option<TokenText>,
    /// `None` for never.
    pub expires: Option<DateTime<Utc>>,
}

impl Grant {
    /// All that a policy allows everywhere at its service, for ever: its key itself was shown.
    pub(crate) fn of_key(policy: &str, rights: &[Right]) -> Self {
        Self {
            path: Vec::new(),
            rights: rights.to_vec(),
            device: None,
            policy: Some(policy.to_owned()),
            token: None,
            expires: None,
        }
    }

    /// Whether a link that it let in may still be there.
    pub(super) fn is_alive(&self, now: DateTime<Utc>) -> bool {
        self.expires.and_then(|end| end.checked_add_signed(GRACE)).is_none_or(|end| now < end)
    }

    /// Whether it reaches this path, words compared without regard to case.
    pub(super) fn reaches(&self, path: &str) -> bool {
        let mut words = path.split('/').filter(|word| !word.is_empty());
        self.path.iter().all(|above| words.next().is_some_and(|word| word.eq_ignore_ascii_case(above)))
    }

    /// Whether it is that of a device: made with its own key, or with that of a policy that may connect devices.
    pub(super) fn may_be(&self, device_id: &str) -> bool {
        self.device.as_deref() == Some(device_id)
            || self.rights.contains(&Right::DeviceConnect) && self.reaches(&format!("devices/{device_id}"))
    }

    /// Whether it is for the same as another, which then takes its place.
    pub(super) fn is_for_the_same_as(&self, other: &Self) -> bool {
        self.path == other.path && self.policy == other.policy && self.device == other.device
    }
}

/// The path of an audience, or of the resource of a token, and the host it begins with in lower case.
pub(crate) fn scope_of(audience: &str) -> (String, Vec<String>) {
    address::audience(audience)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_reaches_what_is_below_it() {
        let grant = |path: &[&str]| Grant {
            path: path.iter().map(|&word| word.to_owned()).collect(),
            ..Grant::of_key("service", &[Right::ServiceConnect])
        };
        assert!(grant(&[]).reaches("messages/devicebound"));
        assert!(grant(&["hub", "consumergroups"]).reaches("hub/ConsumerGroups/$Default/Partitions/0"));
        assert!(grant(&["devices", "d1"]).reaches("/devices/d1/messages/events"));
        assert!(!grant(&["devices", "d1"]).reaches("devices/d11/messages/events"));
        assert!(!grant(&["devices", "d1"]).reaches("devices"));
    }

    #[test]
    fn links_outlive_their_token_by_the_grace_alone() {
        let end = DateTime::UNIX_EPOCH;
        let grant = Grant { expires: Some(end), ..Grant::of_key("service", &[]) };
        assert!(grant.is_alive(end + GRACE - TimeDelta::seconds(1)));
        assert!(!grant.is_alive(end + GRACE));
        assert!(Grant { expires: None, ..grant }.is_alive(DateTime::<Utc>::MAX_UTC));
    }
}
