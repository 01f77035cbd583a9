//! The choice of a hub among those linked.

use ring::digest;

use super::{
    linked_hubs::LinkedHub,
    model::{AllocationPolicy, EnrollmentTerms},
};

/// The hub for a registration ID (in its canonical, lower-case form); `None` when no candidate is linked.
///
/// *Hashed* gives every hub a score from the hash of hub and device, weighted, and takes the highest: a hub that
/// comes or goes moves only the devices it wins or loses. *Nearest* (`geoLatency`) takes the hub with the lowest simulated latency.
pub(super) fn choose<'a>(
    terms: &EnrollmentTerms,
    linked: &'a [LinkedHub],
    registration_id: &str,
) -> Option<&'a LinkedHub> {
    let named: Vec<&str> = terms.named_hubs().collect();
    let mut candidates =
        linked.iter().filter(|hub| named.is_empty() || named.iter().any(|name| hub.is_named(name)));
    match terms.allocation_policy {
        AllocationPolicy::Static if named.is_empty() => None,
        AllocationPolicy::Static => candidates.next(),
        AllocationPolicy::GeoLatency => {
            candidates.min_by(|a, b| latency(a, registration_id).total_cmp(&latency(b, registration_id)))
        }
        // With the policy custom the webhook has decided before it comes to this.
        AllocationPolicy::Hashed | AllocationPolicy::Custom => {
            candidates.max_by(|a, b| score(a, registration_id).total_cmp(&score(b, registration_id)))
        }
    }
}

/// Weighted rendezvous hashing: -weight / ln(u), u uniform in (0, 1).
fn score(hub: &LinkedHub, registration_id: &str) -> f64 {
    -f64::from(hub.allocation_weight) / uniform(hub, registration_id).ln()
}

/// The simulated round trip between a device and a hub, 5 to 300 ms. There is no geography on one machine: every
/// device has a fixed, arbitrary place, near to one hub and far from another. Weights do not count.
fn latency(hub: &LinkedHub, registration_id: &str) -> f64 {
    5.0 + 295.0 * uniform(hub, registration_id)
}

/// A number in (0, 1) that belongs to this hub and this device.
fn uniform(hub: &LinkedHub, registration_id: &str) -> f64 {
    let hash = digest::digest(&digest::SHA256, format!("{}\n{registration_id}", hub.name).as_bytes());
    let bits = hash.as_ref().iter().take(6).fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    (bits as f64 + 0.5) / (1_u64 << 48) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dps::AttestationMechanism;

    fn hubs(weights: &[u16]) -> Vec<LinkedHub> {
        let hub = |(index, &allocation_weight)| LinkedHub {
            name: format!("hub-{index}.azure-devices.net"),
            allocation_weight,
            assigns_device_name: false,
        };
        weights.iter().enumerate().map(hub).collect()
    }

    fn hashed() -> EnrollmentTerms {
        EnrollmentTerms::new(AttestationMechanism::ca_reference("root"))
    }

    #[test]
    fn hashed_follows_the_weights() {
        let linked = hubs(&[1, 3]);
        let heavy = (0..4000)
            .filter(|device| {
                choose(&hashed(), &linked, &format!("d{device}"))
                    .is_some_and(|hub| hub.name.starts_with("hub-1."))
            })
            .count();
        assert!((2850..3150).contains(&heavy), "{heavy} of 4000 at three quarters of the weight");
    }

    #[test]
    fn a_new_hub_moves_only_the_devices_it_takes() {
        let (before, after) = (hubs(&[1, 1]), hubs(&[1, 1, 1]));
        for device in 0..500 {
            let id = format!("d{device}");
            let (old, new) = (choose(&hashed(), &before, &id), choose(&hashed(), &after, &id));
            assert!(old == new || new.is_some_and(|hub| hub.name.starts_with("hub-2.")));
        }
    }

    #[test]
    fn named_hubs_are_the_only_candidates() {
        let linked = hubs(&[1, 1, 1]);
        let named = |name: &str, allocation_policy| EnrollmentTerms {
            allocation_policy,
            iot_hubs: vec![name.to_owned()],
            ..hashed()
        };
        for name in ["HUB-2.azure-devices.net", "hub-2.device.Azure-devices.net"] {
            let terms = named(name, AllocationPolicy::Static);
            let chosen = choose(&terms, &linked, "d").map(|hub| hub.name.as_str());
            assert_eq!(chosen, Some("hub-2.azure-devices.net"), "{name}");
        }
        let terms = named("elsewhere", AllocationPolicy::Hashed);
        assert_eq!(choose(&terms, &linked, "d"), None);
    }
}
