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
    amqp::{Guest, Password, Place, Reception, SignIn, SignedIn, Visit},
    dps::{Dps, TpmSignIn, TpmStep},
};

/// The mechanism by which a TPM signs in.
const TPM: &str = "TPM";

/// Receives the client of one connection.
pub(crate) struct AmqpReception {
    services: Dps,
    seat: Seat,
    /// A TPM on its way in.
    tpm: Option<TpmSignIn>,
}

impl AmqpReception {
    pub(crate) fn new(services: Dps) -> Self {
        Self { services, seat: Seat::default(), tpm: None }
    }

    /// Whether DPS is meant by a name, or may be meant: `localhost` says nothing, and no name neither.
    fn is_for_tpms(&self, name: Option<&str>) -> bool {
        let meant = name.and_then(|name| by_name(&self.services, name));
        !matches!(meant, Some(Meant::Hub(_) | Meant::EventHub(_)))
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
                    Some(Meant::Dps | Meant::DpsByTpm(_)) => Vec::new(),
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
    fn mechanisms(&self, visit: &Visit) -> Vec<&'static str> {
        let mut all = MECHANISMS.to_vec();
        if self.is_for_tpms(visit.server_name.as_deref()) {
            all.push(TPM);
        }
        all
    }

    fn sign_in(&mut self, guest: &Guest, init: &SignIn<'_>) -> Result<SignedIn, String> {
        match init.mechanism {
            "PLAIN" => self.plain(guest, init).map(|()| SignedIn::Welcome),
            // Tokens follow, or the certificate of the handshake says all.
            "MSSBCBS" | "ANONYMOUS" | "EXTERNAL" => Ok(SignedIn::Welcome),
            TPM if self.is_for_tpms(guest.host_name()) => {
                let (sign_in, asked) = TpmSignIn::begin(&self.services, init.response)?;
                self.tpm = Some(sign_in);
                Ok(SignedIn::Asked(asked))
            }
            TPM => Err("hubs take no TPMs: they register with DPS, and sign tokens for the hub".into()),
            _ => Err("the mechanism is not one of those that were offered".into()),
        }
    }

    fn answered(&mut self, response: &[u8]) -> Result<SignedIn, String> {
        let tpm = self.tpm.as_mut().ok_or("nothing was asked")?;
        Ok(match tpm.answered(response).map_err(|why| format!("to a TPM: {why}"))? {
            TpmStep::Ask(asked) => SignedIn::Asked(asked),
            TpmStep::Done(proved) => {
                self.seat.take(Meant::DpsByTpm(Box::new(proved)));
                SignedIn::Welcome
            }
        })
    }

    fn open(&mut self, guest: &Arc<Guest>, _open: &Open) -> Result<Box<dyn Place>, Error> {
        let names = [guest.host_name(), guest.visit.server_name.as_deref()];
        if let Some(meant) = names.into_iter().flatten().find_map(|name| by_name(&self.services, name)) {
            self.seat.take(meant);
        }
        Ok(Box::new(Lobby::new(self.services.clone(), guest, self.seat.clone())))
    }
}
