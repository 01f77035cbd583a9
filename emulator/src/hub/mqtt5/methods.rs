//! Direct methods: a probe, whether the device is ready, and then the call.

use std::time::Duration;

use tokio::time::Instant;
use tracker_protocol::hub_v5::{
    Abandon, AbandonReason, CloudMessage, Correlation, Exec, MethodResult, Probe, ProbeAck, ProbeAnswer,
    RejectReason, Timestamp,
};

use super::{
    call::{Answer, Call},
    session::FiveSession,
};
use crate::{
    hub::{
        HubError,
        connection::{MethodAnswer, Patience},
        method::READY_MARGIN,
    },
    session::Exchange,
};

/// Calls that may be under way to one device; those beyond are refused as for a device that is not there.
const MAX_CALLS: usize = 1024;

impl FiveSession {
    pub(super) fn call(
        &mut self,
        name: String,
        payload: Vec<u8>,
        patience: Patience,
        answer: Answer,
        exchange: &mut Exchange<'_>,
    ) {
        self.calls.retain(|_, call| !call.answer.is_closed());
        let channel = tracker_protocol::hub_v5::Channel::Methods;
        if !self.is_born || self.filters.granted(channel).is_none() || self.calls.len() >= MAX_CALLS {
            let device_id = self.device_id.clone();
            // The caller may have given up.
            let _ = answer.send(Err(HubError::DeviceNotOnline { device_id, waited: Duration::ZERO }));
            return;
        }
        let connect = patience.connect.max(READY_MARGIN);
        let probe = Probe { method_name: name, response_timeout_seconds: seconds(patience.response) };
        let request_id = Correlation(rand::random());
        self.send(&CloudMessage::Probe(probe), request_id, Some(seconds(connect)), exchange);
        let (now, response) = (exchange.now, patience.response);
        let call = Call { payload, response, ready_id: None, due: now + connect, began: now, answer };
        self.calls.insert(request_id, call);
    }

    /// The device has answered a probe.
    pub(super) fn probed(&mut self, ack: ProbeAck, request_id: Correlation, exchange: &mut Exchange<'_>) {
        let Some(call) = self.calls.get_mut(&request_id).filter(|call| call.ready_id.is_none()) else {
            return self.ignore("an answer to a probe that nobody waits for");
        };
        match ack.answer {
            Some(ProbeAnswer::Ready(ready)) if ready.ready_id.len() == 16 => {
                call.ready_id = Some(ready.ready_id.clone());
                call.due = exchange.now + call.response;
                let (params, expiry) = (std::mem::take(&mut call.payload), seconds(call.response));
                let now = self.hub.0.clock.now();
                let exec_start =
                    Timestamp { seconds: now.timestamp(), nanos: now.timestamp_subsec_nanos() as i32 };
                let exec = Exec { ready_id: ready.ready_id, params, exec_start: Some(exec_start) };
                self.send(&CloudMessage::Exec(exec), request_id, Some(expiry), exchange);
            }
            Some(ProbeAnswer::Ready(ready)) => {
                self.ignore(&format!("a ready_id of {} bytes; it has 16", ready.ready_id.len()));
            }
            Some(ProbeAnswer::Rejected(rejected)) => self.reject(
                request_id,
                match rejected.reason() {
                    RejectReason::Unspecified => "rejects the method",
                    RejectReason::MethodNotFound => "has no such method",
                    RejectReason::InsufficientTime => "needs more time for the method than the caller waits",
                    RejectReason::DeviceBusy => "is busy with as many calls as it takes",
                },
            ),
            None => self.ignore("a probe-ack that says neither ready nor rejected"),
        }
    }

    pub(super) fn answered(&mut self, result: MethodResult, request_id: Correlation) {
        if self.calls.get(&request_id).is_none_or(|call| call.ready_id.is_none()) {
            return self.ignore("a result that nobody waits for");
        }
        if let Some(call) = self.calls.remove(&request_id) {
            let _ = call.answer.send(Ok(MethodAnswer { status: result.status, body: result.body }));
        }
    }

    pub(super) fn abandoned(&mut self, abandon: &Abandon, request_id: Correlation) {
        let call = self.calls.get(&request_id);
        if call.is_none_or(|call| call.ready_id.as_ref() != Some(&abandon.ready_id)) {
            return self.ignore("an abandon of a call that nobody waits for");
        }
        self.reject(
            request_id,
            match abandon.reason() {
                AbandonReason::Unspecified => "has given up the call",
                AbandonReason::ReadyWaitTimeout => "has given up the call: it did not come in time",
                AbandonReason::InsufficientTime => "has given up the call: too little time was left",
            },
        );
    }

    fn reject(&mut self, request_id: Correlation, why: &'static str) {
        if let Some(call) = self.calls.remove(&request_id) {
            let device_id = self.device_id.clone();
            let _ = call.answer.send(Err(HubError::MethodRejected { device_id, why }));
        }
    }

    /// Ends the calls whose time is over.
    pub(super) fn end_calls(&mut self, now: Instant) {
        let device_id = &self.device_id;
        for (_, call) in self.calls.extract_if(|_, call| call.due <= now) {
            let waited = now - call.began;
            let _ = call.answer.send(Err(HubError::GatewayTimeout { device_id: device_id.clone(), waited }));
        }
    }
}

/// A time in whole seconds, at least one.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX).max(1)
}
