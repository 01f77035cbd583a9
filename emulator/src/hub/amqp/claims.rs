//! What a token opens at a hub.

use crate::{
    amqp::{Grant, scope_of},
    hub::{DeviceStatus, Hub, module_address, split_address},
    security::sas::{SasError, SasToken},
};

impl Hub {
    /// What a token opens that is shown for `audience`; for its own resource where none is named. `host` is the name that the
    /// client has used, whatever it is.
    ///
    /// The keys of a hub sign for both of its faces: clients of the hub decode them, those of Event Hubs use their text.
    pub(crate) fn grant(
        &self,
        token: &SasToken,
        audience: Option<&str>,
        host: Option<&str>,
    ) -> Result<Grant, SasError> {
        token.check_expiry(self.0.clock.now())?;
        let (token_host, resource) = scope_of(&token.resource);
        let audience = audience.unwrap_or(&token.resource);
        let (audience_host, asked) = scope_of(audience);
        let wrong = || SasError::Resource {
            given: token.resource.chars().take(160).collect(),
            expected: audience.chars().take(160).collect(),
        };
        let is_ours =
            |name: &str| self.is_called(name) || host.is_some_and(|host| host.eq_ignore_ascii_case(name));
        if !is_ours(&token_host) || !is_ours(&audience_host) {
            return Err(wrong());
        }
        let is_same = resource.iter().zip(&asked).all(|(word, other)| word.eq_ignore_ascii_case(other));
        if !is_same {
            return Err(wrong());
        }
        // The narrower of the two counts.
        let path = if asked.len() > resource.len() { asked } else { resource };
        let (expires, text) = (token.expiry(), Some(token.text.clone()));
        if token.policy.is_some() {
            let policy = self.0.access.signer_of_either(token)?;
            let rights = policy.rights.clone();
            return Ok(Grant {
                path,
                rights,
                device: None,
                policy: Some(policy.name.clone()),
                token: text,
                expires,
            });
        }
        let device_id = match &path[..] {
            [devices, id] if devices.eq_ignore_ascii_case("devices") => id.clone(),
            [devices, id, modules, module]
                if devices.eq_ignore_ascii_case("devices") && modules.eq_ignore_ascii_case("modules") =>
            {
                module_address(id, module)
            }
            _ => return Err(SasError::Field("skn")),
        };
        let device = self.device(split_address(&device_id).0).map_err(|_unknown| SasError::Signature)?;
        if device.status == DeviceStatus::Disabled {
            return Err(SasError::Signature);
        }
        let module = match split_address(&device_id) {
            (id, Some(module_id)) => {
                Some(self.module(id, module_id).map_err(|_unknown| SasError::Signature)?)
            }
            _ => None,
        };
        let keys = module.iter().map(|module| &module.authentication).chain([&device.authentication]);
        token.check_signature(keys.flat_map(|authentication| authentication.symmetric_key.iter()))?;
        Ok(Grant { path, rights: Vec::new(), device: Some(device_id), policy: None, token: text, expires })
    }

    /// What a policy opens whose key itself is shown, as Event Hubs take it with SASL PLAIN.
    pub(crate) fn grant_of_key(&self, policy: &str, key: &str) -> Option<Grant> {
        let policy = self.0.access.iter().find(|known| known.name == policy)?;
        policy.keys.iter().any(|known| known == key).then(|| Grant::of_key(&policy.name, &policy.rights))
    }

    /// Whether this is one of its names, those of its built-in endpoint included.
    pub(crate) fn is_called(&self, host: &str) -> bool {
        self.names().iter().any(|name| name.eq_ignore_ascii_case(host)) || self.is_event_hubs_host(host)
    }

    /// Whether this is the host name of its built-in endpoint.
    pub(crate) fn is_event_hubs_host(&self, host: &str) -> bool {
        host.split_once('.').is_some_and(|(namespace, rest)| {
            rest.eq_ignore_ascii_case("servicebus.windows.net") && self.is_namespace(namespace)
        })
    }
}
