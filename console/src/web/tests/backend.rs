//! A backend that notes what it is asked.

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::backend::{Answer, Backend, BackendError, EnrollmentKind};
use crate::model::{
    Abilities, Connection, DeviceMessage, Fault, FaultWish, Identity, Incoming, MethodAnswer, MethodCall,
    Mode, ProvisioningStatus, Session, TelemetryState, TimeState, TimeWish, TwinPatch, Verdict, Verification,
};

/// The one device that it knows, whose name is markup.
pub(super) const DEVICE: &str = "<img src=x onerror=alert(1)>";

#[derive(Debug, Default)]
pub(super) struct Pretended {
    calls: Mutex<Vec<String>>,
    faults: Mutex<Vec<Fault>>,
    pub(super) is_away: Mutex<bool>,
    sender: Mutex<Option<mpsc::Sender<Incoming>>>,
}

impl Pretended {
    /// Names of the calls that change something.
    pub(super) fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells something, as if it had happened.
    pub(super) async fn tell(&self, incoming: Incoming) {
        let sender = self.sender.lock().unwrap().clone().unwrap();
        sender.send(incoming).await.unwrap();
    }

    fn note(&self, call: &str, device: &str) -> Result<(), BackendError> {
        if *self.is_away.lock().unwrap() {
            return Err(BackendError::Away("The emulator does not answer.".into()));
        }
        if !device.is_empty() && device != DEVICE {
            return Err(BackendError::NotFound(format!("There is no device {device:?}.")));
        }
        self.calls.lock().unwrap().push(call.to_owned());
        Ok(())
    }
}

fn now<'a, T: Send + 'a>(answer: Result<T, BackendError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Backend for Pretended {
    fn session(&self) -> Session {
        Session {
            mode: Mode::Simulation,
            title: "Pretended".into(),
            version: "0".into(),
            read_only: false,
            hubs: vec!["hub-1".into()],
            id_scope: None,
            telemetry: TelemetryState { is_available: true, reason: None },
            away: self.is_away.lock().unwrap().then(|| "The emulator does not answer.".into()),
            history_trouble: None,
            can: Abilities::ALL,
            time: TimeState { now: DateTime::<Utc>::UNIX_EPOCH, speed: Some(1.0), is_paused: false },
            history: None,
        }
    }

    fn subscribe(self: Arc<Self>) -> mpsc::Receiver<Incoming> {
        let (sender, receiver) = mpsc::channel(16);
        *self.sender.lock().unwrap() = Some(sender);
        receiver
    }

    fn devices(&self) -> Answer<'_, Vec<Identity>> {
        now(Ok(vec![Identity {
            id: DEVICE.into(),
            hub: "hub-1".into(),
            is_enabled: true,
            connection: Connection::Never,
            last_activity: None,
            messages_waiting: 0,
            authentication: "selfSigned".into(),
            thumbprints: Vec::new(),
            twin: None,
        }]))
    }

    fn twin<'a>(&'a self, _: &'a str) -> Answer<'a, Value> {
        now(Ok(
            json!({"deviceId": DEVICE, "properties": {"desired": {"$version": 1}, "reported": {"$version": 1}}}),
        ))
    }

    fn update_twin<'a>(&'a self, device: &'a str, patch: TwinPatch) -> Answer<'a, Value> {
        let wrong = patch.etag.is_some_and(|etag| etag != "good");
        let conflict = || BackendError::Conflict("The twin was changed meanwhile.".into());
        now(self
            .note("update_twin", device)
            .and_then(|()| if wrong { Err(conflict()) } else { Ok(json!({})) }))
    }

    fn call_method<'a>(&'a self, device: &'a str, call: MethodCall) -> Answer<'a, MethodAnswer> {
        let is_refused = call.payload["alarm"] == "none";
        let (status, payload) =
            if is_refused { (404, json!({"error": "no such alarm is raised"})) } else { (200, call.payload) };
        now(self.note(&call.name, device).map(|()| MethodAnswer { status, payload }))
    }

    fn send<'a>(&'a self, device: &'a str, _: DeviceMessage) -> Answer<'a, ()> {
        now(self.note("send", device))
    }

    fn set_status<'a>(&'a self, device: &'a str, _: ProvisioningStatus) -> Answer<'a, ()> {
        now(self.note("set_status", device))
    }

    fn delete_device<'a>(&'a self, device: &'a str) -> Answer<'a, ()> {
        now(self.note("delete_device", device))
    }

    fn deprovision<'a>(&'a self, device: &'a str) -> Answer<'a, ()> {
        now(self.note("deprovision", device))
    }

    fn move_to<'a>(&'a self, device: &'a str, _: &'a str) -> Answer<'a, ()> {
        now(self.note("move_to", device))
    }

    fn enrollments(&self, _: EnrollmentKind) -> Answer<'_, Vec<Value>> {
        now(Ok(vec![json!({"provisioningStatus": "enabled"})]))
    }

    fn set_enrollment<'a>(
        &'a self,
        _: EnrollmentKind,
        _: &'a str,
        _: ProvisioningStatus,
    ) -> Answer<'a, Value> {
        now(self.note("set_enrollment", "").map(|()| json!({})))
    }

    fn delete_enrollment<'a>(&'a self, _: EnrollmentKind, _: &'a str) -> Answer<'a, ()> {
        now(self.note("delete_enrollment", ""))
    }

    fn certificates(&self) -> Answer<'_, Vec<Value>> {
        now(Ok(Vec::new()))
    }

    fn registrations<'a>(&'a self, _: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        now(Ok(Vec::new()))
    }

    fn registration<'a>(&'a self, _: &'a str) -> Answer<'a, Option<Value>> {
        now(Ok(None))
    }

    fn delete_registration<'a>(&'a self, _: &'a str) -> Answer<'a, ()> {
        now(self.note("delete_registration", ""))
    }

    fn faults(&self) -> Answer<'_, Vec<Fault>> {
        now(Ok(self.faults.lock().unwrap().clone()))
    }

    fn inject(&self, wish: FaultWish) -> Answer<'_, u64> {
        let text = format!("{:?}", wish.kind);
        let fault = Fault { id: 7, kind: Some(wish.kind), text, devices: wish.devices, until: None };
        self.faults.lock().unwrap().push(fault);
        now(self.note("inject", "").map(|()| 7))
    }

    fn clear_fault(&self, id: u64) -> Answer<'_, ()> {
        self.faults.lock().unwrap().retain(|fault| fault.id != id);
        now(self.note("clear_fault", ""))
    }

    fn set_time(&self, _: TimeWish) -> Answer<'_, ()> {
        now(self.note("set_time", ""))
    }

    fn verify<'a>(&'a self, device: &'a str) -> Answer<'a, Verification> {
        now(self
            .note("verify", device)
            .map(|()| Verification { verdict: Verdict::NoEvidence, lines: Vec::new() }))
    }
}
