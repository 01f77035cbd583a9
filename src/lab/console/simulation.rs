//! The emulator of a simulation, asked without a detour over the network.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::mpsc;
use tracker_console::backend::{Answer, Backend, BackendError, EnrollmentKind};
use tracker_console::model::{
    Abilities, DeviceMessage, Fault, FaultKind, FaultWish, Identity, Incoming, MethodAnswer, MethodCall,
    Mode, ProvisioningStatus, Scenario, ScenarioWish, Session, Targets, TelemetryState, TimeState, TimeWish,
    TwinPatch, Verification,
};
use tracker_emulator::{
    AllocationPolicy, AttestationMechanism, CloudToDeviceMessage, DeviceStatus, Dps, DpsError, Event, Faults,
    Hub, HubError, IfMatch, IndividualEnrollment, ReprovisionPolicy, Subscription, TwinPatch as Patch,
};
use tracker_sensors::simulated::SimulatedClock;

use super::backlogs::Backlogs;
use super::fault_book::FaultBook;
use super::forms::{identity, json, no_device, no_fault, sentence, without_keys};
use super::recorder::Recorder;
use super::stream::Feeds;
use crate::lab::director::Director;
use crate::verify::Verify;

/// Batches that wait for the console; with more of them the feeds wait, which lose the oldest some time.
const WAITING: usize = 8;

/// By which a certificate ends in PEM.
const PEM_END: &str = "-----END CERTIFICATE-----";

/// What a simulation consists of, for the console.
pub(crate) struct Parts {
    /// The provisioning service, and with it the hubs.
    pub(crate) dps: Dps,
    /// Misbehaviour on request.
    pub(crate) faults: Faults,
    /// What happens.
    pub(crate) events: Subscription<Event>,
    /// What waits in the journals.
    pub(crate) backlogs: Backlogs,
    /// The fleet's time.
    pub(crate) clock: SimulatedClock,
    /// For the head of the page.
    pub(crate) title: String,
    /// Where a directory for each device has its certificate.
    pub(crate) directory: PathBuf,
    /// The root that devices' certificates lead to.
    pub(crate) root: PathBuf,
    /// The check of the evidence.
    pub(crate) verify: Verify,
    /// Of the story that is played in place of voyages; its time is real.
    pub(crate) director: Option<Director>,
}

/// A simulation as the console sees it.
pub(crate) struct Simulation {
    dps: Dps,
    clock: SimulatedClock,
    title: String,
    directory: PathBuf,
    root: PathBuf,
    verify: Verify,
    director: Option<Director>,
    faults: FaultBook,
    recorder: Arc<Recorder>,
    feeds: Mutex<Option<Feeds>>,
}

impl Simulation {
    /// Hears all that comes from now on.
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts { dps, faults, events, backlogs, clock, title, directory, root, verify, director } = parts;
        let (faults, recorder) = (FaultBook::new(Arc::new(faults)), Arc::new(Recorder::default()));
        let telemetry = dps.hubs().iter().map(Hub::telemetry).collect();
        let (feed_clock, feed_faults) = (clock.clone(), faults.clone());
        let feeds = Feeds {
            telemetry,
            events,
            clock: feed_clock,
            faults: feed_faults,
            recorder: recorder.clone(),
            backlogs,
        };
        let feeds = Mutex::new(Some(feeds));
        Self { dps, clock, title, directory, root, verify, director, faults, recorder, feeds }
    }

    /// The hub that knows a device.
    fn hub(&self, device: &str) -> Result<Hub, BackendError> {
        let mut hubs = self.dps.hubs().into_iter();
        hubs.find(|hub| hub.device(device).is_ok()).ok_or_else(|| no_device(device))
    }

    fn drop_connections(&self, wish: &FaultWish) {
        for hub in self.dps.hubs() {
            if wish.hub.as_ref().is_some_and(|name| !name.eq_ignore_ascii_case(hub.name())) {
                continue;
            }
            for device in hub.devices() {
                if wish.devices.strike(&device.device_id) {
                    // One that has just been deleted has no connection.
                    let _ = hub.drop_connection(&device.device_id);
                }
            }
        }
    }

    /// The enrollment of a device alone, which goes before that of its group. One is made where there is none.
    fn own_enrollment(&self, device: &str) -> Result<IndividualEnrollment, BackendError> {
        match self.dps.individuals().get(device) {
            Err(DpsError::EnrollmentNotFound(_)) => {}
            other => return other.map_err(|error| of_dps(&error)),
        }
        // A name that leads elsewhere is none of a directory here.
        if Path::new(device).file_name() != Some(device.as_ref()) {
            return Err(no_device(device));
        }
        let path = self.directory.join(device).join("device.pem");
        let chain = std::fs::read_to_string(path).map_err(|_| no_device(device))?;
        // The leaf is the first of its chain.
        let leaf = chain.split_inclusive(PEM_END).next().unwrap_or_default();
        let attestation = AttestationMechanism::client_certificate(leaf);
        let enrollment = IndividualEnrollment::new(device, attestation);
        self.dps.individuals().create(enrollment).map_err(|error| of_dps(&error))
    }

    /// Sees to it that its own enrollment leads a device to this hub, and lets the old one refuse it until it asks DPS.
    fn lead_to(&self, device: &str, hub: &str) -> Result<(), BackendError> {
        let Some(new) = self.dps.hub(hub) else {
            let names: Vec<_> = self.dps.hubs().iter().map(|hub| hub.name().to_owned()).collect();
            let message = format!("There is no hub {hub:?}; there is {}.", names.join(", "));
            return Err(BackendError::Invalid { message, member: Some("hub".into()) });
        };
        let old = self.hub(device)?;
        if old.name() == new.name() {
            return Err(BackendError::Conflict(format!("{device:?} is at {hub} already.")));
        }
        let mut enrollment = self.own_enrollment(device)?;
        enrollment.terms.iot_hubs = vec![new.name().to_owned()];
        enrollment.terms.allocation_policy = AllocationPolicy::Static;
        // It moves, and its twin comes along.
        enrollment.terms.reprovision_policy = ReprovisionPolicy::default();
        self.dps.individuals().update(enrollment, &IfMatch::Any).map_err(|error| of_dps(&error))?;
        self.faults.refuse_once(old.name(), device)?;
        // It may have no connection.
        let _ = old.drop_connection(device);
        Ok(())
    }

    /// Shuts a device out: a disabled enrollment of its own, and no identity.
    fn shut_out(&self, device: &str) -> Result<(), BackendError> {
        self.own_enrollment(device)?;
        self.dps.individuals().disable(device).map_err(|error| of_dps(&error))?;
        match self.dps.delete_registration(device, &IfMatch::Any) {
            Ok(()) | Err(DpsError::DeviceRegistrationNotFound(_)) => {}
            Err(error) => return Err(of_dps(&error)),
        }
        // It may have had none.
        let hub = self.hub(device);
        hub.map_or(Ok(()), |hub| hub.delete(device).map_err(|error| of_hub(&error)))
    }
}

/// What the hub refuses, in the console's terms.
fn of_hub(error: &HubError) -> BackendError {
    let text = sentence(error);
    match error {
        HubError::DeviceNotFound(_)
        | HubError::ModuleNotFound { .. }
        | HubError::NoSuchUpload(_)
        | HubError::ConfigurationNotFound(_)
        | HubError::JobNotFound(_) => BackendError::NotFound(text),
        HubError::DeviceNotOnline { .. }
        | HubError::GatewayTimeout { .. }
        | HubError::MethodRejected { .. }
        | HubError::DeviceConnectionClosed(_)
        | HubError::InvalidMethodAnswer(_) => BackendError::NoAnswer(text),
        HubError::PreconditionFailed(_)
        | HubError::DeviceAlreadyExists(_)
        | HubError::ModuleAlreadyExists { .. }
        | HubError::TooManyModules { .. }
        | HubError::QueueFull { .. }
        | HubError::ConfigurationExists(_)
        | HubError::JobExists(_)
        | HubError::TooManyJobs { .. }
        | HubError::TooManyUploads { .. }
        | HubError::JobQuotaExceeded
        | HubError::LockLost => BackendError::Conflict(text),
        HubError::MessageTooLarge { .. }
        | HubError::Twin(_)
        | HubError::Storage { .. }
        | HubError::ArgumentInvalid(_) => BackendError::Invalid { message: text, member: None },
    }
}

/// What the provisioning service refuses.
fn of_dps(error: &DpsError) -> BackendError {
    let text = sentence(error);
    match error {
        DpsError::EnrollmentNotFound(_)
        | DpsError::EnrollmentGroupNotFound(_)
        | DpsError::DeviceRegistrationNotFound(_)
        | DpsError::CaCertificateNotFound(_) => BackendError::NotFound(text),
        DpsError::EnrollmentConflict(_)
        | DpsError::EnrollmentGroupConflict(_)
        | DpsError::CaCertificateConflict(_)
        | DpsError::PreconditionFailed(_) => BackendError::Conflict(text),
        _ => BackendError::Invalid { message: text, member: None },
    }
}

fn now<'a, T: Send + 'a>(answer: Result<T, BackendError>) -> Answer<'a, T> {
    Box::pin(std::future::ready(answer))
}

impl Backend for Simulation {
    fn session(&self) -> Session {
        let is_story = self.director.is_some();
        Session {
            mode: Mode::Simulation,
            title: self.title.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            read_only: false,
            hubs: self.dps.hubs().iter().map(|hub| hub.name().to_owned()).collect(),
            id_scope: Some(self.dps.id_scope().to_owned()),
            telemetry: TelemetryState { is_available: true, reason: None },
            away: None,
            history_trouble: None,
            can: Abilities { time: !is_story, scenario: is_story, ..Abilities::ALL },
            time: TimeState {
                now: self.clock.utc(),
                speed: (!is_story).then(|| self.clock.speed()),
                is_paused: self.clock.is_paused(),
            },
            history: None,
        }
    }

    fn subscribe(self: Arc<Self>) -> mpsc::Receiver<Incoming> {
        let (sender, receiver) = mpsc::channel(WAITING);
        let feeds = self.feeds.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(feeds) = feeds {
            tokio::spawn(feeds.run(sender));
        }
        receiver
    }

    fn devices(&self) -> Answer<'_, Vec<Identity>> {
        let of = |hub: Hub| {
            let devices = hub.devices();
            devices.into_iter().filter_map(move |device| identity(hub.name(), &json(device)))
        };
        now(Ok(self.dps.hubs().into_iter().flat_map(of).collect()))
    }

    fn twin<'a>(&'a self, device: &'a str) -> Answer<'a, Value> {
        now(self.hub(device).and_then(|hub| hub.twin(device).map(json).map_err(|error| of_hub(&error))))
    }

    fn update_twin<'a>(&'a self, device: &'a str, patch: TwinPatch) -> Answer<'a, Value> {
        let desired = Patch { tags: None, desired: Some(patch.properties.desired) };
        let if_match = patch.etag.map_or(IfMatch::Any, IfMatch::ETag);
        now(self.hub(device).and_then(|hub| {
            hub.update_twin(device, desired, &if_match).map(json).map_err(|error| of_hub(&error))
        }))
    }

    fn call_method<'a>(&'a self, device: &'a str, call: MethodCall) -> Answer<'a, MethodAnswer> {
        Box::pin(async move {
            let hub = self.hub(device)?;
            let patience = Duration::from_secs(call.timeout_seconds.unwrap_or(30));
            let answer = hub
                .invoke_method(device, &call.name, call.payload, patience)
                .await
                .map_err(|error| of_hub(&error))?;
            Ok(MethodAnswer { status: answer.status.into(), payload: answer.payload.unwrap_or_default() })
        })
    }

    fn send<'a>(&'a self, device: &'a str, message: DeviceMessage) -> Answer<'a, ()> {
        let message = CloudToDeviceMessage {
            body: message.body.into_bytes(),
            properties: message.properties.into_iter().collect(),
            ..CloudToDeviceMessage::default()
        };
        now(self.hub(device).and_then(|hub| hub.send(device, message).map_err(|error| of_hub(&error))))
    }

    fn set_status<'a>(&'a self, device: &'a str, status: ProvisioningStatus) -> Answer<'a, ()> {
        let status = match status {
            ProvisioningStatus::Enabled => DeviceStatus::Enabled,
            ProvisioningStatus::Disabled => DeviceStatus::Disabled,
        };
        now(self
            .hub(device)
            .and_then(|hub| hub.set_status(device, status, None).map(drop).map_err(|error| of_hub(&error))))
    }

    fn delete_device<'a>(&'a self, device: &'a str) -> Answer<'a, ()> {
        now(self.hub(device).and_then(|hub| hub.delete(device).map_err(|error| of_hub(&error))))
    }

    fn deprovision<'a>(&'a self, device: &'a str) -> Answer<'a, ()> {
        now(self.shut_out(device))
    }

    fn move_to<'a>(&'a self, device: &'a str, hub: &'a str) -> Answer<'a, ()> {
        now(self.lead_to(device, hub))
    }

    fn enrollments(&self, kind: EnrollmentKind) -> Answer<'_, Vec<Value>> {
        let all: Vec<Value> = match kind {
            EnrollmentKind::Group => self.dps.groups().list().into_iter().map(json).collect(),
            EnrollmentKind::Individual => self.dps.individuals().list().into_iter().map(json).collect(),
        };
        now(Ok(all.into_iter().map(without_keys).collect()))
    }

    fn set_enrollment<'a>(
        &'a self,
        kind: EnrollmentKind,
        id: &'a str,
        status: ProvisioningStatus,
    ) -> Answer<'a, Value> {
        let (groups, individuals) = (self.dps.groups(), self.dps.individuals());
        let set = match (kind, status) {
            (EnrollmentKind::Group, ProvisioningStatus::Enabled) => groups.enable(id).map(json),
            (EnrollmentKind::Group, ProvisioningStatus::Disabled) => groups.disable(id).map(json),
            (EnrollmentKind::Individual, ProvisioningStatus::Enabled) => individuals.enable(id).map(json),
            (EnrollmentKind::Individual, ProvisioningStatus::Disabled) => individuals.disable(id).map(json),
        };
        now(set.map(without_keys).map_err(|error| of_dps(&error)))
    }

    fn delete_enrollment<'a>(&'a self, kind: EnrollmentKind, id: &'a str) -> Answer<'a, ()> {
        let deleted = match kind {
            EnrollmentKind::Group => self.dps.groups().delete(id, &IfMatch::Any),
            EnrollmentKind::Individual => self.dps.individuals().delete(id, &IfMatch::Any),
        };
        now(deleted.map_err(|error| of_dps(&error)))
    }

    fn certificates(&self) -> Answer<'_, Vec<Value>> {
        now(Ok(self.dps.certificates().list().into_iter().map(json).collect()))
    }

    fn registrations<'a>(&'a self, group: Option<&'a str>) -> Answer<'a, Vec<Value>> {
        let found = match group {
            Some(group) => self.dps.group_registrations(group),
            None => Ok(self.dps.registrations()),
        };
        now(found.map(|all| all.into_iter().map(json).collect()).map_err(|error| of_dps(&error)))
    }

    fn registration<'a>(&'a self, device: &'a str) -> Answer<'a, Option<Value>> {
        now(match self.dps.registration(device) {
            Ok(registration) => Ok(Some(json(registration))),
            Err(DpsError::DeviceRegistrationNotFound(_)) => Ok(None),
            Err(error) => Err(of_dps(&error)),
        })
    }

    fn delete_registration<'a>(&'a self, device: &'a str) -> Answer<'a, ()> {
        now(self.dps.delete_registration(device, &IfMatch::Any).map_err(|error| of_dps(&error)))
    }

    fn faults(&self) -> Answer<'_, Vec<Fault>> {
        now(self.faults.list())
    }

    fn inject(&self, wish: FaultWish) -> Answer<'_, u64> {
        if let Targets::Devices(devices) = &wish.devices
            && let Some(stranger) = devices.iter().find(|device| self.hub(device).is_err())
        {
            return now(Err(no_device(stranger)));
        }
        if let Some(hub) = &wish.hub
            && self.dps.hub(hub).is_none()
        {
            let message = format!("There is no hub {hub:?}.");
            return now(Err(BackendError::Invalid { message, member: Some("hub".into()) }));
        }
        let id = self.faults.inject(&wish);
        if let (Ok(id), Some(seconds)) = (&id, wish.seconds) {
            self.faults.end_after(*id, seconds);
        }
        if wish.kind == FaultKind::HubGone {
            self.drop_connections(&wish);
        }
        now(id)
    }

    fn clear_fault(&self, id: u64) -> Answer<'_, ()> {
        now(self.faults.clear(id).and_then(|there| if there { Ok(()) } else { Err(no_fault(id)) }))
    }

    fn set_time(&self, wish: TimeWish) -> Answer<'_, ()> {
        if let Some(speed) = wish.speed {
            self.clock.set_speed(speed);
        }
        if let Some(is_paused) = wish.is_paused {
            self.clock.set_paused(is_paused);
        }
        now(Ok(()))
    }

    fn verify<'a>(&'a self, device: &'a str) -> Answer<'a, Verification> {
        Box::pin(self.recorder.judge(device, self.verify, &self.root))
    }

    fn scenario(&self) -> Answer<'_, Option<Scenario>> {
        now(Ok(self.director.as_ref().map(Director::view)))
    }

    fn steer(&self, wish: ScenarioWish) -> Answer<'_, ()> {
        now(match &self.director {
            None => Err(BackendError::NotPossible("No story is played here.".into())),
            Some(director) if director.steer(wish) => Ok(()),
            Some(_) => Err(BackendError::Conflict("No step of the story waits.".into())),
        })
    }
}
