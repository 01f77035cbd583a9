//! What the console asks of whatever is behind it: an emulator in the same process, one elsewhere, or a real hub.
//!
//! Each call is answered by a boxed future, so that the trait can be an object. What a backend can't do it answers with
//! [`BackendError::NotPossible`](crate::backend::BackendError::NotPossible), and says so in
//! [`Session::can`](crate::model::Session::can) beforehand.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;
use tokio::sync::mpsc;

use crate::model::{
    DeviceMessage, Fault, FaultWish, Identity, Incoming, MethodAnswer, MethodCall, ProvisioningStatus,
    Scenario, ScenarioWish, Session, TimeWish, TwinPatch, Verification,
};

/// What a call gives, some time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, BackendError>> + Send + 'a>>;

/// Why a call failed. The sentences are for people.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum BackendError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// Something in between has changed it, or its state does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// What was given is wrong.
    #[error("{message}")]
    Invalid {
        /// A sentence.
        message: String,
        /// Which member.
        member: Option<String>,
    },
    /// This backend does not do that.
    #[error("{0}")]
    NotPossible(String),
    /// The device does not answer.
    #[error("{0}")]
    NoAnswer(String),
    /// The backend itself does not.
    #[error("{0}")]
    Away(String),
}

/// Kinds of resources of the provisioning service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrollmentKind {
    /// Enrollment groups.
    Group,
    /// Individual enrollments.
    Individual,
}

/// Whatever is behind the console.
pub trait Backend: Send + Sync + 'static {
    /// What is being looked at, now. Costs nothing.
    fn session(&self) -> Session;

    /// What comes from now on, in batches. The backend stops when the receiver is dropped. Called once.
    fn subscribe(self: Arc<Self>) -> mpsc::Receiver<Incoming>;

    /// All identities, of all hubs.
    fn devices(&self) -> Answer<'_, Vec<Identity>>;

    /// A twin as Azure has it.
    fn twin<'a>(&'a self, device: &'a str) -> Answer<'a, Value>;

    /// Changes desired properties; gives the twin.
    fn update_twin<'a>(&'a self, device: &'a str, patch: TwinPatch) -> Answer<'a, Value>;

    /// Calls a direct method.
    fn call_method<'a>(&'a self, device: &'a str, call: MethodCall) -> Answer<'a, MethodAnswer>;

    /// Queues a message from the cloud.
    fn send<'a>(&'a self, device: &'a str, message: DeviceMessage) -> Answer<'a, ()>;

    /// Lets a device connect, or does not.
    fn set_status<'a>(&'a self, device: &'a str, status: ProvisioningStatus) -> Answer<'a, ()>;

    /// Deletes the identity.
    fn delete_device<'a>(&'a self, device: &'a str) -> Answer<'a, ()>;

    /// Deletes identity and registration, so that the device has to provision itself anew.
    fn deprovision<'a>(&'a self, device: &'a str) -> Answer<'a, ()>;

    /// Sees to it that the device is assigned to another hub.
    fn move_to<'a>(&'a self, device: &'a str, hub: &'a str) -> Answer<'a, ()>;

    /// Enrollments as Azure has them, without keys.
    fn enrollments(&self, kind: EnrollmentKind) -> Answer<'_, Vec<Value>>;

    /// Lets devices in by this enrollment, or does not; gives the enrollment.
    fn set_enrollment<'a>(
        &'a self,
        kind: EnrollmentKind,
        id: &'a str,
        status: ProvisioningStatus,
    ) -> Answer<'a, Value>;

    /// Deletes an enrollment.
    fn delete_enrollment<'a>(&'a self, kind: EnrollmentKind, id: &'a str) -> Answer<'a, ()>;

    /// CA certificates as Azure has them.
    fn certificates(&self) -> Answer<'_, Vec<Value>>;

    /// Registration records as Azure has them; those of one enrollment group, or all.
    fn registrations<'a>(&'a self, group: Option<&'a str>) -> Answer<'a, Vec<Value>>;

    /// The registration record of one device, if there is one.
    fn registration<'a>(&'a self, device: &'a str) -> Answer<'a, Option<Value>>;

    /// Deletes a registration record.
    fn delete_registration<'a>(&'a self, device: &'a str) -> Answer<'a, ()>;

    /// The faults in force.
    fn faults(&self) -> Answer<'_, Vec<Fault>>;

    /// Puts one in force; gives the ID by which it is ended.
    fn inject(&self, wish: FaultWish) -> Answer<'_, u64>;

    /// Ends one.
    fn clear_fault(&self, id: u64) -> Answer<'_, ()>;

    /// Changes how simulated time passes.
    fn set_time(&self, wish: TimeWish) -> Answer<'_, ()>;

    /// Looks whether what was received of a device is what it has measured.
    fn verify<'a>(&'a self, device: &'a str) -> Answer<'a, Verification>;

    /// The story that is played, if one is.
    fn scenario(&self) -> Answer<'_, Option<Scenario>> {
        Box::pin(ready(Ok(None)))
    }

    /// Lets it go on, or wait.
    fn steer(&self, _: ScenarioWish) -> Answer<'_, ()> {
        Box::pin(ready(Err(BackendError::NotPossible("No story is played here.".into()))))
    }
}
