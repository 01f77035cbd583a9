//! Which service a call is for, and what its caller may do there.

use super::call::Call;
use crate::{
    dps::Dps,
    hub::Hub,
    security::{
        access::{AccessPolicies, Right},
        sas::{SasError, SasToken, without_port},
    },
};

/// The name that all provisioning services share.
const GLOBAL_DPS: &str = tracker_protocol::GLOBAL_DPS_HOST;

/// A service and what its caller may do there.
pub(super) struct Caller {
    pub service: Service,
    rights: Vec<Right>,
}

pub(super) enum Service {
    Dps,
    Hub(Hub),
}

/// Nobody that may be answered.
pub(super) struct Unauthorized {
    /// In whose shape to say so.
    pub asks_dps: bool,
    pub reason: String,
}

impl Caller {
    /// A device that calls for modules of its own, by which the call is found: it may read, make, change and delete them.
    pub(super) fn owner_of_modules(hub: Hub) -> Self {
        Self { service: Service::Hub(hub), rights: vec![Right::RegistryRead, Right::RegistryWrite] }
    }

    pub(super) fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }
}

/// Finds the service by the host name, or else by the key, and checks the token. `is_dps_path`: whether the path is one
/// of DPS, which decides the shape of a refusal where nothing else does.
pub(super) fn identify(services: &Dps, call: &Call, is_dps_path: bool) -> Result<Caller, Unauthorized> {
    let host = without_port(call.host());
    let named_dps = [services.host_name(), GLOBAL_DPS].iter().any(|name| name.eq_ignore_ascii_case(host));
    let named_hub = services.hub_at(host);
    let asks_dps = named_dps || (named_hub.is_none() && is_dps_path);
    let refused = |reason: String| Unauthorized { asks_dps, reason };
    let token = token(call).map_err(refused)?;
    token.check_expiry(services.clock().now()).map_err(|error| refused(error.to_string()))?;
    let signer = |policies: &AccessPolicies, names: &[String]| -> Result<Vec<Right>, SasError> {
        let policy = policies.signer(&token)?;
        // The service's first name is the one that is told where the token is for something else.
        let known: Vec<&str> = std::iter::once(host).chain(names.iter().rev().map(String::as_str)).collect();
        token.check_scope(&known, call.segments.iter().map(String::as_str))?;
        Ok(policy.rights.clone())
    };
    let dps_rights = || signer(services.access(), &[services.host_name().to_owned()]);
    if named_dps {
        let rights = dps_rights().map_err(|error| refused(error.to_string()))?;
        return Ok(Caller { service: Service::Dps, rights });
    }
    if let Some(hub) = named_hub {
        let rights = signer(hub.access(), &hub.names()).map_err(|error| refused(error.to_string()))?;
        return Ok(Caller { service: Service::Hub(hub), rights });
    }
    let at_dps = dps_rights().map(|rights| Caller { service: Service::Dps, rights });
    let at_hubs = services.hubs().into_iter().map(|hub| {
        let rights = signer(hub.access(), &hub.names())?;
        Ok(Caller { service: Service::Hub(hub), rights })
    });
    for caller in std::iter::once(at_dps).chain(at_hubs) {
        match caller {
            Ok(caller) => return Ok(caller),
            // The key is right: no other service is meant.
            Err(error @ SasError::Resource { .. }) => return Err(refused(error.to_string())),
            Err(_) => {}
        }
    }
    Err(refused(format!(
        "\"{host}\" is the name of no service here, and the token is made with the key of none"
    )))
}

fn token(call: &Call) -> Result<SasToken, String> {
    let authorization = call.header("authorization").ok_or("there is no Authorization header")?;
    if authorization.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("bearer ")) {
        return Err("tokens of Microsoft Entra ID are not implemented by this emulator".into());
    }
    SasToken::parse(authorization).map_err(|error| error.to_string())
}
