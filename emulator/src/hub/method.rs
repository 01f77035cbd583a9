//! Direct methods: a call to a connected device, answered while it is connected or not at all.

use std::time::Duration;

use serde_json::Value;
use tokio::{sync::oneshot, time::Instant};

use tracker_protocol::dps::ConnectionProfile;

use super::{
    Hub, HubError,
    connection::{MethodAnswer, Patience, Push, Pushes},
    method_rules::check_call,
};

/// The least time that a device of MQTT 5 is given to say that it is ready for a call.
pub(super) const READY_MARGIN: Duration = Duration::from_secs(10);

/// A call of a direct method.
#[derive(Clone, Debug, PartialEq)]
pub struct DirectMethod {
    /// Its name: not empty, and without `/`, which would end it in the topic.
    pub method_name: String,
    /// The body; `None` sends an empty one.
    pub payload: Option<Value>,
    /// How long to wait for the answer.
    pub response_timeout: Duration,
    /// How long to wait for the device to be there; zero means "it must be there now".
    pub connect_timeout: Duration,
}

/// What the device answered.
#[derive(Clone, Debug, PartialEq)]
pub struct MethodResult {
    /// The device's own status; by convention like HTTP's.
    pub status: i32,
    /// The device's answer; `None` for an empty body.
    pub payload: Option<Value>,
}

impl Hub {
    /// Calls a method of a device that is connected now.
    pub async fn invoke_method(
        &self,
        device_id: &str,
        name: &str,
        payload: Value,
        timeout: Duration,
    ) -> Result<MethodResult, HubError> {
        let method = DirectMethod {
            method_name: name.to_owned(),
            payload: Some(payload),
            response_timeout: timeout,
            connect_timeout: Duration::ZERO,
        };
        self.invoke(device_id, &method).await
    }

    /// Calls a method.
    pub async fn invoke(&self, device_id: &str, method: &DirectMethod) -> Result<MethodResult, HubError> {
        self.invoke_with(device_id, method, written(method)).await
    }

    /// Calls a method with its payload as somebody has written it: written anew, a number in short form may become
    /// several times as long.
    pub(crate) async fn invoke_with(
        &self,
        device_id: &str,
        method: &DirectMethod,
        payload: String,
    ) -> Result<MethodResult, HubError> {
        self.invoke_written(device_id, method, payload).await.and_then(|answer| read(device_id, answer))
    }

    /// The same, and the answer as the device has written it.
    pub(crate) async fn invoke_written(
        &self,
        device_id: &str,
        method: &DirectMethod,
        payload: String,
    ) -> Result<MethodAnswer, HubError> {
        check_call(&method.method_name, &payload)?;
        let deadline = Instant::now() + method.connect_timeout;
        let mut arrivals = self.0.arrivals.subscribe();
        loop {
            arrivals.mark_unchanged();
            match self.call(device_id, method, payload.clone().into_bytes()).await {
                Err(HubError::DeviceNotOnline { .. }) => {}
                answered => return answered,
            }
            if !matches!(tokio::time::timeout_at(deadline, arrivals.changed()).await, Ok(Ok(()))) {
                let waited = method.connect_timeout;
                return Err(HubError::DeviceNotOnline { device_id: device_id.to_owned(), waited });
            }
        }
    }

    async fn call(
        &self,
        device_id: &str,
        method: &DirectMethod,
        payload: Vec<u8>,
    ) -> Result<MethodAnswer, HubError> {
        let pushes = self.pushes(device_id)?;
        let (answer, answered) = oneshot::channel();
        let push = push(method, payload, answer);
        let answered = async {
            // A session that ends drops its pushes, and with them the sender of the answer.
            pushes.send(push).await;
            drop(pushes);
            answered.await
        };
        // A hub of MQTT 5 watches over both of its time-outs itself.
        let patience = match self.0.profile {
            ConnectionProfile::Classic => method.response_timeout,
            ConnectionProfile::MqttV5 => method.response_timeout + method.connect_timeout + READY_MARGIN,
        };
        match tokio::time::timeout(patience, answered).await {
            Err(_elapsed) => {
                Err(HubError::GatewayTimeout { device_id: device_id.to_owned(), waited: patience })
            }
            Ok(Err(_closed)) => Err(HubError::DeviceConnectionClosed(device_id.to_owned())),
            Ok(Ok(answer)) => answer,
        }
    }

    /// Calls a method of a device that is connected now, without waiting for the answer.
    pub(crate) fn begin_call(&self, device_id: &str, method: &DirectMethod) -> Result<MethodCall, HubError> {
        let payload = written(method);
        check_call(&method.method_name, &payload)?;
        let payload = payload.into_bytes();
        let (answer, answered) = oneshot::channel();
        let push = push(method, payload, answer);
        let device_id = device_id.to_owned();
        match self.pushes(&device_id)?.put(push) {
            Ok(()) => Ok(MethodCall { device_id, answered }),
            Err(_full_or_gone) => Err(not_online(&device_id)),
        }
    }

    fn pushes(&self, device_id: &str) -> Result<Pushes, HubError> {
        let registry = self.0.registry.lock();
        let connection = registry.get(device_id)?.connection.as_ref();
        connection.map(|connection| connection.pushes.clone()).ok_or_else(|| not_online(device_id))
    }
}

/// A call that was handed to the session of its device.
#[derive(Debug)]
pub(crate) struct MethodCall {
    device_id: String,
    answered: oneshot::Receiver<Result<MethodAnswer, HubError>>,
}

impl MethodCall {
    /// What came of it, once; `None` while the device has not answered.
    pub(crate) fn outcome(&mut self) -> Option<Result<MethodResult, HubError>> {
        match self.answered.try_recv() {
            Ok(answer) => Some(answer.and_then(|answer| read(&self.device_id, answer))),
            Err(oneshot::error::TryRecvError::Empty) => None,
            Err(oneshot::error::TryRecvError::Closed) => {
                Some(Err(HubError::DeviceConnectionClosed(self.device_id.clone())))
            }
        }
    }
}

fn push(
    method: &DirectMethod,
    payload: Vec<u8>,
    answer: oneshot::Sender<Result<MethodAnswer, HubError>>,
) -> Push {
    let patience = Patience { connect: method.connect_timeout, response: method.response_timeout };
    Push::Method { name: method.method_name.clone(), payload, patience, answer }
}

fn written(method: &DirectMethod) -> String {
    method.payload.as_ref().map(ToString::to_string).unwrap_or_default()
}

fn read(device_id: &str, answer: MethodAnswer) -> Result<MethodResult, HubError> {
    let MethodAnswer { status, body } = answer;
    if body.is_empty() {
        return Ok(MethodResult { status, payload: None });
    }
    let payload =
        serde_json::from_slice(&body).map_err(|_| HubError::InvalidMethodAnswer(device_id.to_owned()))?;
    Ok(MethodResult { status, payload: Some(payload) })
}

fn not_online(device_id: &str) -> HubError {
    HubError::DeviceNotOnline { device_id: device_id.to_owned(), waited: Duration::ZERO }
}
