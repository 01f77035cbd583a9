//! Sign-in: by SASL, or by nothing where tokens or certificates follow.

use std::sync::Arc;

use tracker_amqp::{Error, MECHANISMS, Open};

use super::{
    cbs::judge_at,
    lobby::Lobby,
    meant::{Meant, Seat, by_name},
    plain::{User, parse},
};
use crate::{
    amqp::{Guest, Password, Place, Reception, SignIn},
    dps::Dps,
};

/// Receives the client of one connection.
pub(crate) struct AmqpReception {
    services: Dps,
    seat: Seat,
}

impl AmqpReception {
    pub(crate) fn new(services: Dps) -> Self {
        Self { services, seat: Seat::default() }
    }

    fn plain(&self, guest: &Guest, init: &SignIn<'_>) -> Result<(), String> {
        let (user, password) = parse(init.response)?;
        let of_hub = |name: &str| {
            // Here as in the Rust API the first label is enough: clients send no more.
            let found = self.services.hub(name);
            found.ok_or_else(|| format!("there is no hub \"{}\"", name.chars().take(128).collect::<String>()))
        };
        match User::read(user) {
            User::PolicyOfHub { hub, .. } | User::Device { hub, .. } => {
                let hub = of_hub(hub)?;
                judge_at(&hub, guest, password)?;
                self.seat.take(Meant::Hub(hub));
            }
            User::Registration => self.seat.take(Meant::Dps),
            User::Policy(policy) => {
                let named =
                    guest.host_name().or(init.host_name).and_then(|name| by_name(&self.services, name));
                let hubs = match &named {
                    Some(Meant::Hub(hub) | Meant::EventHub(hub)) => vec![hub.clone()],
                    Some(Meant::Dps) => Vec::new(),
                    None => self.services.hubs(),
                };
                let found = hubs.into_iter().find_map(|hub| Some((hub.grant_of_key(policy, password)?, hub)));
                let Some((grant, hub)) = found else {
                    return Err("the password is not the key of such a policy".into());
                };
                guest.add(grant)?;
                self.seat.take(named.unwrap_or(Meant::Hub(hub)));
            }
        }
        guest.keep_password(Password { user: user.to_owned(), password: password.to_owned() });
        Ok(())
    }
}

impl Reception for AmqpReception {
    fn mechanisms(&self) -> Vec<&'static str> {
        MECHANISMS.to_vec()
    }

    fn sign_in(&mut self, guest: &Guest, init: &SignIn<'_>) -> Result<(), String> {
        match init.mechanism {
            "PLAIN" => self.plain(guest, init),
            // Tokens follow, or the certificate of the handshake says all.
            "MSSBCBS" | "ANONYMOUS" | "EXTERNAL" => Ok(()),
            "TPM" => Err("a TPM registers over HTTPS alone at this emulator".into()),
            _ => Err("the mechanism is not one of those that were offered".into()),
        }
    }

    fn open(&mut self, guest: &Arc<Guest>, _open: &Open) -> Result<Box<dyn Place>, Error> {
        let names = [guest.host_name(), guest.visit.server_name.as_deref()];
        if let Some(meant) = names.into_iter().flatten().find_map(|name| by_name(&self.services, name)) {
            self.seat.take(meant);
        }
        Ok(Box::new(Lobby::new(self.services.clone(), guest, self.seat.clone())))
    }
}
