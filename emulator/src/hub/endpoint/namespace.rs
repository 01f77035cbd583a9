//! The host name of a built-in endpoint, made of the hub's name as Azure makes it.

use super::hash::stable_hash;

/// What all names of Event Hubs end with.
const DOMAIN: &str = "servicebus.windows.net";

/// Letters of the hub's name that stand in it.
const SHOWN: usize = 30;

/// The host name of the endpoint of this hub: `iothub-ns-{hub}-{number}-{hex}.servicebus.windows.net`. The same in every run.
pub(in crate::hub) fn endpoint_host(hub: &str) -> String {
    let hub = hub.to_ascii_lowercase();
    let label = hub.split('.').next().unwrap_or_default();
    let shown: String = label.chars().take(SHOWN).collect();
    let hash = stable_hash(&hub);
    let number = 1_000_000 + (hash >> 40) % 9_000_000;
    let hex = hash & 0xff_ffff_ffff;
    format!("iothub-ns-{shown}-{number}-{hex:010x}.{DOMAIN}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_label_and_stays() {
        let name = endpoint_host("hub-1.azure-devices.net");
        assert_eq!(name, endpoint_host("HUB-1.azure-devices.net"));
        assert_ne!(name, endpoint_host("hub-1.example.org"));
        let long = endpoint_host(&format!("{}.azure-devices.net", "a".repeat(63)));
        for name in [&name, &long] {
            let (label, rest) = name.split_once('.').expect("a domain");
            assert_eq!(rest, DOMAIN);
            assert!(label.starts_with("iothub-ns-") && label.len() <= 63, "{label}");
        }
    }
}
