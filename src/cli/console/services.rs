//! The services behind the console: an emulator that its file names, which may come back with another address and other keys;
//! or the hub that `--login` names.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use serde_json::Value;
use tokio::task::spawn_blocking;
use tracker_amqp::condition;
use tracker_console::backend::BackendError;

use crate::cli::cloud::amqp::{self, AmqpError, Outgoing};
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::service::service_error::ServiceError;
use crate::cli::cloud::target::Clients;
use crate::lab::console::forms::sentence;

/// The clients, and whether anybody answers. Clones share them.
#[derive(Clone)]
pub(super) struct Services(Arc<Shared>);

struct Shared {
    /// The directory of the emulator; `None` with `--login`.
    directory: Option<PathBuf>,
    clients: Mutex<Arc<Clients>>,
    away: Mutex<Option<String>>,
    /// Why no telemetry can be had, where a hub is asked for it over AMQP.
    telemetry_away: Mutex<Option<String>>,
}

impl Services {
    pub(super) fn new(directory: Option<PathBuf>, clients: Clients) -> Self {
        let clients = Mutex::new(Arc::new(clients));
        Self(Arc::new(Shared {
            directory,
            clients,
            away: Mutex::default(),
            telemetry_away: Mutex::default(),
        }))
    }

    /// As they are known now.
    pub(super) fn clients(&self) -> Arc<Clients> {
        locked(&self.0.clients).clone()
    }

    /// Why nobody answers, if nobody does.
    pub(super) fn away(&self) -> Option<String> {
        locked(&self.0.away).clone()
    }

    /// Why there is no telemetry, if there is none.
    pub(super) fn no_telemetry(&self) -> Option<String> {
        locked(&self.0.telemetry_away).clone()
    }

    /// Telemetry can't be had, and why; or it can.
    pub(super) fn telemetry_is_away(&self, why: Option<String>) {
        *locked(&self.0.telemetry_away) = why.map(sentence);
    }

    /// Somebody has answered.
    pub(super) fn is_there(&self) {
        *locked(&self.0.away) = None;
    }

    /// Nobody answers. Whatever has taken the emulator's place has written its file.
    pub(super) fn is_away(&self, why: &str) {
        *locked(&self.0.away) = Some(sentence(why));
        if let Some(directory) = &self.0.directory
            && let Ok(clients) = Clients::of_emulator(directory)
        {
            *locked(&self.0.clients) = Arc::new(clients);
        }
    }

    /// Sends a message by the hub that is known, over AMQP.
    pub(super) fn send_by_amqp(&self, message: Outgoing) -> anyhow::Result<()> {
        let clients = self.clients();
        let (_, hub) = clients.hubs.first().context("there is no hub")?;
        match amqp::send(&hub.over_amqp()?, message, None) {
            Ok(_) => Ok(()),
            Err(AmqpError::Refused { error, .. }) if error.condition == condition::NOT_FOUND => {
                Err(BackendError::NotFound(sentence(error.to_string())).into())
            }
            Err(error @ AmqpError::Refused { .. }) => {
                Err(BackendError::Conflict(sentence(error.to_string())).into())
            }
            Err(error) => Err(BackendError::NoAnswer(sentence(error.to_string())).into()),
        }
    }

    /// Whether a real Azure is behind it.
    pub(super) fn is_azure(&self) -> bool {
        self.clients().hubs.iter().any(|(_, hub)| hub.is_azure())
    }

    /// Does what takes its time where it holds up nobody.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Self) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T, BackendError> {
        let services = self.clone();
        let done = spawn_blocking(move || call(&services).map_err(|error| services.told(&error))).await;
        done.unwrap_or_else(|error| Err(BackendError::NotPossible(sentence(error))))
    }

    /// An error in the console's terms. One that is no answer of a service says that there is none.
    pub(super) fn told(&self, error: &anyhow::Error) -> BackendError {
        if let Some(told) = error.downcast_ref::<BackendError>() {
            return told.clone();
        }
        let text = sentence(format!("{error:#}"));
        match error.downcast_ref::<ServiceError>().map(|error| (error.status, error.code.as_deref())) {
            None => {
                self.is_away(&text);
                BackendError::Away(text)
            }
            Some((404, Some("DeviceNotOnline" | "404103")) | (504, _)) => BackendError::NoAnswer(text),
            Some((404, _)) => BackendError::NotFound(text),
            Some((409 | 412 | 429, _)) => BackendError::Conflict(text),
            Some((400..=499, _)) => BackendError::Invalid { message: text, member: None },
            Some(_) => BackendError::Away(text),
        }
    }

    /// The hub that knows a device, and what it says of it.
    pub(super) fn hub_of(&self, device: &str) -> anyhow::Result<(usize, Value)> {
        for (index, (_, hub)) in self.clients().hubs.iter().enumerate() {
            if let Some(found) = hub.find(Call::get(&["devices", device]))? {
                return Ok((index, found));
            }
        }
        Err(crate::lab::console::forms::no_device(device).into())
    }

    /// Calls the hub that knows a device.
    pub(super) fn call_hub_of(&self, device: &str, call: Call) -> anyhow::Result<Value> {
        let (index, _) = self.hub_of(device)?;
        self.clients().hubs[index].1.call(call)
    }

    /// Does something at the provisioning service.
    pub(super) fn with_dps<T>(&self, what: impl FnOnce(&Client) -> anyhow::Result<T>) -> anyhow::Result<T> {
        let clients = self.clients();
        let none = || {
            BackendError::NotPossible(
                "A hub alone has no provisioning service: --login names the hub.".into(),
            )
        };
        what(clients.dps.as_ref().ok_or_else(none)?)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
