//! Which service a client means.

use std::sync::{Arc, Mutex};

use crate::{
    dps::{Dps, Proved},
    hub::Hub,
    lock::lock,
};

/// A service.
#[derive(Clone)]
pub(super) enum Meant {
    Dps,
    /// DPS, for a device that has signed in by its TPM.
    DpsByTpm(Box<Proved>),
    /// A hub by its own name.
    Hub(Hub),
    /// The built-in endpoint of a hub, by its own name.
    EventHub(Hub),
}

/// The service that a connection turns out to be for. It is set once; clones are the same.
#[derive(Clone, Default)]
pub(super) struct Seat(Arc<Mutex<Option<Meant>>>);

impl Seat {
    pub(super) fn get(&self) -> Option<Meant> {
        lock(&self.0).clone()
    }

    /// The first answer counts.
    pub(super) fn take(&self, meant: Meant) {
        lock(&self.0).get_or_insert(meant);
    }
}

/// The service of this name; `None` for `localhost` and other names of none.
pub(super) fn by_name(services: &Dps, host: &str) -> Option<Meant> {
    let host = crate::security::sas::without_port(host);
    let is_dps = [services.host_name(), tracker_protocol::GLOBAL_DPS_HOST]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(host));
    if is_dps {
        return Some(Meant::Dps);
    }
    if let Some(hub) = services.hub_at(host) {
        return Some(Meant::Hub(hub));
    }
    services.hubs().into_iter().find(|hub| hub.is_event_hubs_host(host)).map(Meant::EventHub)
}

/// The service that alone can have such an address; `None` where several can.
pub(super) fn by_address(services: &Dps, path: &str) -> Option<Meant> {
    let words: Vec<&str> = path.split('/').collect();
    if let [_scope, registrations, ..] = words[..]
        && registrations.eq_ignore_ascii_case("registrations")
    {
        return Some(Meant::Dps);
    }
    let hubs = services.hubs();
    if let [hub] = &hubs[..] {
        return Some(Meant::Hub(hub.clone()));
    }
    let fits = |hub: &&Hub| match words[..] {
        [devices, id, ..] if devices.eq_ignore_ascii_case("devices") => hub.device(id).is_ok(),
        [name, ..] => hub.name().split('.').next().is_some_and(|label| label.eq_ignore_ascii_case(name)),
        [] => false,
    };
    let mut fitting = hubs.iter().filter(fits);
    match (fitting.next(), fitting.next()) {
        (Some(hub), None) => Some(Meant::Hub(hub.clone())),
        _ => None,
    }
}
