//! An emulator elsewhere, or a real hub, asked over REST.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tracker_console::backend::{Answer, Backend, BackendError, EnrollmentKind};
use tracker_console::model::{
    Abilities, DeviceMessage, Fault, FaultKind, FaultWish, Identity, Incoming, MethodAnswer, MethodCall,
    Mode, ProvisioningStatus, Session, Targets, TelemetryState, TimeState, TimeWish, TwinPatch, Verification,
};
use tracker_emulator::Fault as Part;
use tracker_protocol::PropertyBag;

use super::feeds;
use super::services::Services;
use crate::cli::cloud::amqp::Outgoing;
use crate::cli::cloud::service::client::{Call, Client};
use crate::lab::console::fault_book::{Emulated, FaultBook};
use crate::lab::console::forms::{identity, no_fault, without_keys};
use crate::lab::console::recorder::Recorder;
use crate::platform::clock::system_time;
use crate::verify;

/// Azure counts queries: it is asked for its twins no more often.
const AZURE_EVERY: Duration = Duration::from_secs(30);

/// What is asked over REST.
pub(super) struct Remote {
    services: Services,
    title: String,
    mode: Mode,
    id_scope: Option<String>,
    roots: Option<PathBuf>,
    faults: FaultBook,
    recorder: Arc<Recorder>,
    identities: Mutex<Option<(Instant, Vec<Identity>)>>,
}

/// The faults of an emulator elsewhere.
struct Injector(Services);

impl Emulated for Injector {
    fn inject(&self, part: Part) -> Result<u64, BackendError> {
        let call = Call::post(&["faults"]).json(&json!(part));
        let injected = self.0.with_dps(|dps| dps.call(call)).map_err(|error| self.0.told(&error))?;
        Ok(injected["id"].as_u64().unwrap_or_default())
    }

    fn clear(&self, number: u64) -> Result<bool, BackendError> {
        let cleared = self.0.with_dps(|dps| dps.find(Call::delete(&["faults", &number.to_string()])));
        Ok(cleared.map_err(|error| self.0.told(&error))?.is_some())
    }

    fn list(&self) -> Result<Vec<(u64, Part)>, BackendError> {
        let listed = self.0.with_dps(|dps| dps.call(Call::get(&["faults"])));
        let Value::Array(listed) = listed.map_err(|error| self.0.told(&error))? else {
            return Ok(Vec::new());
        };
        let read = |fault: Value| Some((fault["id"].as_u64()?, serde_json::from_value(fault).ok()?));
        Ok(listed.into_iter().filter_map(read).collect())
    }
}

impl Remote {
    pub(super) fn new(
        services: Services,
        title: String,
        id_scope: Option<String>,
        roots: Option<PathBuf>,
    ) -> Self {
        let mode = if services.clients().dps.is_some() { Mode::Emulator } else { Mode::Hub };
        let faults = FaultBook::new(Arc::new(Injector(services.clone())));
        let (recorder, identities) = (Arc::default(), Mutex::default());
        Self { services, title, mode, id_scope, roots, faults, recorder, identities }
    }

    async fn all_devices(&self) -> Result<Vec<Identity>, BackendError> {
        if self.mode == Mode::Hub
            && let Some((at, known)) = &*self.identities.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < AZURE_EVERY
        {
            return Ok(known.clone());
        }
        let asked = self.services.run(|services| {
            let query = Call::post(&["devices", "query"]).json(&json!({"query": "SELECT * FROM devices"}));
            let mut identities = Vec::new();
            for (name, hub) in &services.clients().hubs {
                for twin in hub.list(&query, None)? {
                    let known = identity(name, &twin);
                    identities.extend(known.map(|known| Identity { twin: Some(twin), ..known }));
                }
            }
            services.is_there();
            Ok(identities)
        });
        let identities = asked.await?;
        let kept = Some((Instant::now(), identities.clone()));
        *self.identities.lock().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(identities)
    }

    /// What was changed is asked for anew.
    fn forget(&self) {
        *self.identities.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Does something about a device at the hub that knows it.
    fn at_hub<'a>(&'a self, device: &str, call: Call) -> Answer<'a, Value> {
        let device = device.to_owned();
        self.forget();
        Box::pin(async move { self.services.run(move |services| services.call_hub_of(&device, call)).await })
    }

    /// Does something at the provisioning service.
    fn at_dps<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Client) -> anyhow::Result<T> + Send + 'static,
    ) -> Answer<'_, T> {
        Box::pin(async move { self.services.run(move |services| services.with_dps(call)).await })
    }
}

fn not_here<'a, T: Send + 'a>(what: &str) -> Answer<'a, T> {
    let message = format!("{what} can't be had over HTTPS from a real hub.");
    Box::pin(std::future::ready(Err(BackendError::NotPossible(message))))
}

/// Shuts a device out, as far as that can be done for it alone.
fn shut_out(services: &Services, device: &str) -> anyhow::Result<()> {
    if services.clients().dps.is_some() {
        services.with_dps(|dps| {
            if let Some(mut enrollment) = dps.find(Call::get(&["enrollments", device]))? {
                enrollment["provisioningStatus"] = "disabled".into();
                dps.call(dps.if_match(Call::put(&["enrollments", device], &enrollment), "*"))?;
            }
            dps.find(dps.if_match(Call::delete(&["registrations", device]), "*")).map(drop)
        })?;
    }
    match services.hub_of(device) {
        Ok((index, _)) => {
            let hub = &services.clients().hubs[index].1;
            hub.call(hub.if_match(Call::delete(&["devices", device]), "*")).map(drop)
        }
        Err(error) if matches!(error.downcast_ref(), Some(BackendError::NotFound(_))) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Sees to it that its own enrollment leads a device to this hub, and lets the old one refuse it until it has gone there.
fn lead_to(services: &Services, device: &str, hub: &str) -> anyhow::Result<()> {
    let clients = services.clients();
    let Some(new) = clients.hubs.iter().position(|(name, _)| name.eq_ignore_ascii_case(hub)) else {
        let names: Vec<_> = clients.hubs.iter().map(|(name, _)| name.as_str()).collect();
        let message = format!("There is no hub {hub:?}; there is {}.", names.join(", "));
        return Err(BackendError::Invalid { message, member: Some("hub".into()) }.into());
    };
    let (old, _) = services.hub_of(device)?;
    if old == new {
        return Err(BackendError::Conflict(format!("{device:?} is at {hub} already.")).into());
    }
    services.with_dps(|dps| {
        let Some(mut enrollment) = dps.find(Call::get(&["enrollments", device]))? else {
            let message = format!(
                "{device:?} has no enrollment of its own, and its group decides for all: make one, or change the group's hubs."
            );
            return Err(BackendError::Conflict(message).into());
        };
        enrollment["iotHubs"] = json!([clients.hubs[new].0]);
        enrollment["allocationPolicy"] = "static".into();
        enrollment["reprovisionPolicy"] = json!({"migrateDeviceData": true, "updateHubAssignment": true});
        dps.call(dps.if_match(Call::put(&["enrollments", device], &enrollment), "*"))?;
        let place = &clients.hubs[old].0;
        // Until the device asks DPS again, which it does when its hub refuses it.
        for fault in [
            json!({"service": place, "device": device, "fault": "refuseConnect", "code": 5, "times": 1}),
            json!({"service": place, "device": device, "fault": "dropConnection", "times": 1}),
        ] {
            dps.call(Call::post(&["faults"]).json(&fault))?;
        }
        Ok(())
    })
}

impl Backend for Remote {
    fn session(&self) -> Session {
        let is_emulator = self.mode == Mode::Emulator;
        let can = Abilities {
            twin: true,
            methods: true,
            messages: true,
            enrollments: is_emulator,
            faults: is_emulator,
            time: false,
            verify: is_emulator && self.roots.is_some(),
            scenario: false,
        };
        Session {
            mode: self.mode,
            title: self.title.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            read_only: false,
            hubs: self.services.clients().hubs.iter().map(|(name, _)| name.clone()).collect(),
            id_scope: self.id_scope.clone(),
            telemetry: TelemetryState {
                is_available: self.services.no_telemetry().is_none(),
                reason: self.services.no_telemetry(),
            },
            away: self.services.away(),
            history_trouble: None,
            can,
            time: TimeState { now: system_time(), speed: None, is_paused: false },
            history: None,
        }
    }

    fn subscribe(self: Arc<Self>) -> mpsc::Receiver<Incoming> {
        feeds::start(self.services.clone(), &self.recorder, self.faults.clone())
    }

    fn devices(&self) -> Answer<'_, Vec<Identity>> {
        Box::pin(self.all_devices())
    }

    fn twin<'a>(&'a self, device: &'a str) -> Answer<'a, Value> {
        let name = device.to_owned();
        Box::pin(async move {
            self.services.run(move |services| services.call_hub_of(&name, Call::get(&["twins", &name]))).await
        })
    }

    fn update_twin<'a>(&'a self, device: &'a str, patch: TwinPatch) -> Answer<'a, Value> {
        let name = device.to_owned();
        self.forget();
        Box::pin(async move {
            let update = move |services: &Services| {
                let (index, _) = services.hub_of(&name)?;
                let hub = &services.clients().hubs[index].1;
                let change = json!({"properties": {"desired": patch.properties.desired}});
                let call = Call::patch(&["twins", &name], &change);
                hub.call(hub.if_match(call, patch.etag.as_deref().unwrap_or("*")))
            };
            self.services.run(update).await
        })
    }

    fn call_method<'a>(&'a self, device: &'a str, call: MethodCall) -> Answer<'a, MethodAnswer> {
        let seconds = call.timeout_seconds.unwrap_or(30);
        let body = json!({
            "methodName": call.name, "payload": call.payload, "responseTimeoutInSeconds": seconds, "connectTimeoutInSeconds": 0,
        });
        let call =
            Call::post(&["twins", device, "methods"]).json(&body).patient(Duration::from_secs(seconds));
        let calling = self.at_hub(device, call);
        Box::pin(async move {
            let mut answer = calling.await?;
            let status = answer["status"].as_i64().unwrap_or_default();
            Ok(MethodAnswer { status, payload: answer["payload"].take() })
        })
    }

    fn send<'a>(&'a self, device: &'a str, message: DeviceMessage) -> Answer<'a, ()> {
        if self.mode == Mode::Hub {
            let message = Outgoing {
                device_id: device.to_owned(),
                body: message.body.into_bytes(),
                properties: message.properties.into_iter().collect(),
                ..Outgoing::default()
            };
            return Box::pin(async move {
                self.services.run(move |services| services.send_by_amqp(message)).await
            });
        }
        let mut properties = PropertyBag::new();
        for (name, value) in message.properties {
            properties.insert(&name, Some(value));
        }
        let path = ["devices", device, "messages", "deviceBound"];
        let mut call = Call::post(&path).bytes(message.body.into_bytes());
        if !properties.is_empty() {
            call = call.header("iothub-app-properties", &properties.to_string());
        }
        let sending = self.at_hub(device, call);
        Box::pin(async move { sending.await.map(drop) })
    }

    fn set_status<'a>(&'a self, device: &'a str, status: ProvisioningStatus) -> Answer<'a, ()> {
        let name = device.to_owned();
        self.forget();
        Box::pin(async move {
            let set = move |services: &Services| {
                let (index, mut identity) = services.hub_of(&name)?;
                identity["status"] = json!(status);
                let hub = &services.clients().hubs[index].1;
                let etag = identity["etag"].as_str().unwrap_or("*").to_owned();
                hub.call(hub.if_match(Call::put(&["devices", &name], &identity), &etag)).map(drop)
            };
            self.services.run(set).await
        })
    }

    fn delete_device<'a>(&'a self, device: &'a str) -> Answer<'a, ()> {
        let name = device.to_owned();
        self.forget();
        Box::pin(async move {
            let delete = move |services: &Services| {
                let (index, _) = services.hub_of(&name)?;
                let hub = &services.clients().hubs[index].1;
                hub.call(hub.if_match(Call::delete(&["devices", &name]), "*")).map(drop)
            };
            self.services.run(delete).await
        })
    }

    fn deprovision<'a>(&'a self, device: &'a str) -> Answer<'a, ()> {
        let name = device.to_owned();
        self.forget();
        Box::pin(async move { self.services.run(move |services| shut_out(services, &name)).await })
    }

    fn move_to<'a>(&'a self, device: &'a str, hub: &'a str) -> Answer<'a, ()> {
        if self.mode == Mode::Hub {
            return not_here("Moving a device to another hub");
        }
        let (device, hub) = (device.to_owned(), hub.to_owned());
        self.forget();
        Box::pin(async move { self.services.run(move |services| lead_to(services, &device, &hub)).await })
    }

    fn enrollments(&self, kind: EnrollmentKind) -> Answer<'_, Vec<Value>> {
        self.at_dps(move |dps| {
            let query = Call::post(&[path(kind), "query"]).json(&json!({"query": "SELECT *"}));
            Ok(dps.list(&query, None)?.into_iter().map(without_keys).collect())
        })
    }

    fn set_enrollment<'a>(
        &'a self,
        kind: EnrollmentKind,
        id: &'a str,
        status: ProvisioningStatus,
    ) -> Answer<'a, Value> {
        let id = id.to_owned();
        self.at_dps(move |dps| {
            let mut enrollment = dps.call(Call::get(&[path(kind), &id]))?;
            enrollment["provisioningStatus"] = json!(status);
            let etag = enrollment["etag"].as_str().unwrap_or("*").to_owned();
            let call = Call::put(&[path(kind), &id], &enrollment);
            dps.call(dps.if_match(call, &etag)).map(without_keys)
        })
    }

    fn delete_enrollment<'a>(&'a self, kind: EnrollmentKind, id: &'a str) -> Answer<'a, ()> {
        let id = id.to_owned();
        self.at_dps(move |dps| dps.call(dps.if_match(Call::delete(&[path(kind), &id]), "*")).map(drop))
    }

    fn certificates(&self) -> Answer<'_, Vec<Value>> {
        self.at_dps(|dps| match dps.call(Call::get(&["certificates"]))?["value"].take() {
            Value::Array(certificates) => Ok(certificates),
            _ => Ok(Vec::new()),
        })
    }

    fn registrations<'a>(&'a self, group: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        let group = group.map(str::to_owned);
        self.at_dps(move |dps| {
            let of_group = |group: &str| dps.list(&Call::post(&["registrations", group, "query"]), None);
            if let Some(group) = group {
                return of_group(&group);
            }
            let query = |of: &str| Call::post(&[of, "query"]).json(&json!({"query": "SELECT *"}));
            let mut records = Vec::new();
            for group in dps.list(&query("enrollmentGroups"), None)? {
                records.extend(of_group(group["enrollmentGroupId"].as_str().unwrap_or_default())?);
            }
            for enrollment in dps.list(&query("enrollments"), None)? {
                let id = enrollment["registrationId"].as_str().unwrap_or_default();
                records.extend(dps.find(Call::get(&["registrations", id]))?);
            }
            Ok(records)
        })
    }

    fn registration<'a>(&'a self, device: &'a str) -> Answer<'a, Option<Value>> {
        let device = device.to_owned();
        self.at_dps(move |dps| dps.find(Call::get(&["registrations", &device])))
    }

    fn delete_registration<'a>(&'a self, device: &'a str) -> Answer<'a, ()> {
        let device = device.to_owned();
        self.at_dps(move |dps| {
            dps.call(dps.if_match(Call::delete(&["registrations", &device]), "*")).map(drop)
        })
    }

    fn faults(&self) -> Answer<'_, Vec<Fault>> {
        if self.mode == Mode::Hub {
            return Box::pin(std::future::ready(Ok(Vec::new())));
        }
        let book = self.faults.clone();
        Box::pin(async move { self.services.run(move |_| book.list().map_err(Into::into)).await })
    }

    fn inject(&self, wish: FaultWish) -> Answer<'_, u64> {
        if self.mode == Mode::Hub {
            return not_here("Trouble on purpose");
        }
        let book = self.faults.clone();
        Box::pin(async move {
            let seconds = wish.seconds;
            let inject = move |services: &Services| {
                let id = book.inject(&wish)?;
                if wish.kind == FaultKind::HubGone {
                    drop_connections(services, &wish)?;
                }
                Ok(id)
            };
            let id = self.services.run(inject).await?;
            if let Some(seconds) = seconds {
                self.faults.end_after(id, seconds);
            }
            Ok(id)
        })
    }

    fn clear_fault(&self, id: u64) -> Answer<'_, ()> {
        let book = self.faults.clone();
        Box::pin(async move {
            let there = self.services.run(move |_| book.clear(id).map_err(Into::into)).await?;
            if there { Ok(()) } else { Err(no_fault(id)) }
        })
    }

    fn set_time(&self, _: TimeWish) -> Answer<'_, ()> {
        let message = "The time of this fleet is the real one.".to_owned();
        Box::pin(std::future::ready(Err(BackendError::NotPossible(message))))
    }

    fn verify<'a>(&'a self, device: &'a str) -> Answer<'a, Verification> {
        Box::pin(async move {
            let none = || BackendError::NotPossible("Whom to trust is said with --roots FILE.".into());
            let roots = self.roots.as_deref().ok_or_else(none)?;
            self.recorder.judge(device, verify::judgements, roots).await
        })
    }
}

/// Those who are connected are told by their next packet.
fn drop_connections(services: &Services, wish: &FaultWish) -> anyhow::Result<()> {
    let all = json!({"service": wish.hub.as_deref().unwrap_or("hubs"), "fault": "dropConnection"});
    let devices: Vec<Value> = match &wish.devices {
        Targets::Devices(devices) => devices.iter().map(|device| json!(device)).collect(),
        // One for each that is connected, or those who come back would be dropped again.
        Targets::All(_) => {
            let query = json!({"query": "SELECT deviceId FROM devices WHERE connectionState = 'Connected'"});
            let mut connected = Vec::new();
            for (_, hub) in &services.clients().hubs {
                let found = hub.list(&Call::post(&["devices", "query"]).json(&query), None)?;
                connected.extend(found.into_iter().map(|mut device| device["deviceId"].take()));
            }
            connected
        }
    };
    for device in devices {
        let mut fault = all.clone();
        fault["device"] = device;
        fault["times"] = 1.into();
        services.with_dps(|dps| dps.call(Call::post(&["faults"]).json(&fault)))?;
    }
    Ok(())
}

fn path(kind: EnrollmentKind) -> &'static str {
    match kind {
        EnrollmentKind::Group => "enrollmentGroups",
        EnrollmentKind::Individual => "enrollments",
    }
}
