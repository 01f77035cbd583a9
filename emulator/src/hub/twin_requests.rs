//! What a device asks of its twin over its connection.

use serde_json::{Value, json};
use tracker_protocol::hub::CloudTopic;

use super::{Hub, connection::Filter, session::DeviceSession};
use crate::{
    clock::wire_time,
    faults::FaultKind,
    id::guid,
    mqtt::{Packet, Publish},
    session::{Exchange, Service as _},
};

impl Hub {
    /// The body of an answer that refuses a twin request, JSON.
    pub(super) fn twin_refusal(&self, status: u16, why: &str) -> String {
        let body = json!({
            "errorCode": if status == 400 { 400_004 } else { u32::from(status) * 1000 + 1 },
            "trackingId": guid(),
            "message": why,
            "timestampUtc": wire_time::print(self.0.clock.now()),
        });
        body.to_string()
    }
}

impl DeviceSession {
    pub(super) fn twin_requested(&mut self, request_id: String, exchange: &mut Exchange<'_>) {
        if let Some((status, why)) = self.twin_barred() {
            return self.refuse_twin(status, request_id, why, exchange);
        }
        match self.hub.twin_for_device(&self.device_id) {
            Ok(twin) => self.answer_twin(200, request_id, None, twin.to_string(), exchange),
            Err(error) => self.refuse_twin(400, request_id, &error.to_string(), exchange),
        }
    }

    pub(super) fn reported(&mut self, request_id: String, payload: &[u8], exchange: &mut Exchange<'_>) {
        if let Some((status, why)) = self.twin_barred() {
            return self.refuse_twin(status, request_id, why, exchange);
        }
        let Ok(Value::Object(patch)) = serde_json::from_slice(payload) else {
            return self.refuse_twin(400, request_id, "the body is not a JSON object", exchange);
        };
        match self.hub.patch_reported(&self.device_id, &patch, None) {
            Ok(version) => self.answer_twin(204, request_id, Some(version), String::new(), exchange),
            Err(error) => self.refuse_twin(400, request_id, &error.to_string(), exchange),
        }
    }

    /// Why this connection can make no twin requests at all.
    fn twin_barred(&self) -> Option<(u16, &'static str)> {
        if !self.has_api_version {
            return Some((400, "the user name of this connection has no api-version"));
        }
        let injected = |kind: &FaultKind| match kind {
            FaultKind::TwinError { status } => Some((*status, "a fault was asked for")),
            _ => None,
        };
        self.faults().take(self.place(), injected)
    }

    fn refuse_twin(&self, status: u16, request_id: String, why: &str, exchange: &mut Exchange<'_>) {
        let body = self.hub.twin_refusal(status, why);
        self.answer_twin(status, request_id, None, body, exchange);
    }

    fn answer_twin(
        &self,
        status: u16,
        request_id: String,
        version: Option<u64>,
        body: String,
        exchange: &mut Exchange<'_>,
    ) {
        if !self.subscriptions.contains_key(&Filter::TwinResponses) {
            return;
        }
        let garbage = self.faults().strikes(self.place(), &FaultKind::GarbageBody);
        let body = if garbage { "<html>".to_owned() } else { body };
        let topic = CloudTopic::TwinResponse { status, request_id, version };
        exchange.send(&Packet::Publish(Publish::new(topic.to_string(), body)));
    }
}
