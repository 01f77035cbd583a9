//! What a device asks of its hub for the next certificate, over its connection. A preview of Azure's, by API version
//! 2025-08-01-preview.

use serde::Serialize;
use serde_json::{Map, Value};
use tracker_protocol::hub::{CloudTopic, CredentialError, IssueRequest, RENEWING_API_VERSION};

use super::{
    connection::Filter,
    renewal::{CredentialRefusal, is_request_id},
    session::DeviceSession,
};
use crate::{
    clock::wire_time,
    events::EventKind,
    faults::FaultKind,
    id::guid,
    mqtt::{Packet, Publish},
    session::{Exchange, Service as _, shown},
};

impl DeviceSession {
    /// Without a subscription nothing is answered, and nothing taken; neither is a request whose ID is none.
    pub(super) fn certificate_requested(
        &mut self,
        request_id: &str,
        payload: &[u8],
        is_throttled: bool,
        exchange: &mut Exchange<'_>,
    ) {
        if !self.subscriptions.contains_key(&Filter::Credentials) || !is_request_id(request_id) {
            return;
        }
        let taken = self.judge(payload, is_throttled).and_then(|asked| {
            let asked = self.hub.ask_for_certificate(&self.device_id, request_id, asked);
            asked.map(|(accepted, due)| {
                self.renewal_due = due;
                accepted
            })
        });
        match taken {
            Ok(accepted) => self.answer_renewal(202, request_id, &accepted, exchange),
            Err(refusal) => self.refuse_renewal(request_id, refusal, exchange),
        }
    }

    fn judge(&self, payload: &[u8], is_throttled: bool) -> Result<IssueRequest, CredentialRefusal> {
        if is_throttled {
            return Err(CredentialRefusal {
                retry_after: Some(1),
                ..CredentialRefusal::new(429_002, "too many requests")
            });
        }
        if !self.renews {
            return Err(CredentialRefusal::new(
                400_001,
                format!(
                    "certificates are renewed by api-version {RENEWING_API_VERSION}, which is not that of this connection"
                ),
            ));
        }
        read(payload, &self.device_id)
    }

    /// Sends the certificates that have come, or what was in their way, if the device is subscribed.
    pub(super) fn deliver_certificates(&mut self, exchange: &mut Exchange<'_>) {
        let is_subscribed = self.subscriptions.contains_key(&Filter::Credentials);
        let now = self.hub.0.clock.now();
        if self.renewal_due.take_if(|due| is_subscribed && *due <= now).is_none() {
            return;
        }
        let Some(answer) = self.hub.second_answer(&self.device_id) else { return };
        match answer.outcome {
            Ok(issued) => self.answer_renewal(200, &answer.request_id, &issued, exchange),
            Err(refusal) => self.refuse_renewal(&answer.request_id, refusal, exchange),
        }
    }

    fn refuse_renewal(&self, request_id: &str, refusal: CredentialRefusal, exchange: &mut Exchange<'_>) {
        let CredentialRefusal { code, message, retry_after, info } = refusal;
        self.hub.0.events.tell(EventKind::CertificateRefused {
            hub: self.hub.0.name.clone(),
            device_id: self.device_id.clone(),
            error_code: code,
            reason: info
                .as_ref()
                .and_then(|info| info.credential_message.clone())
                .unwrap_or_else(|| message.clone()),
        });
        let body = CredentialError {
            error_code: code,
            message,
            tracking_id: guid(),
            timestamp_utc: wire_time::print(self.hub.0.clock.now()),
            retry_after,
            info: info.map(|info| *info),
        };
        self.answer_renewal((code / 1000) as u16, request_id, &body, exchange);
    }

    fn answer_renewal(
        &self,
        status: u16,
        request_id: &str,
        body: &impl Serialize,
        exchange: &mut Exchange<'_>,
    ) {
        let garbage = self.faults().strikes(self.place(), &FaultKind::GarbageBody);
        // These types have no form that JSON lacks.
        let body = if garbage { "<html>".into() } else { serde_json::to_string(body).unwrap_or_default() };
        let topic = CloudTopic::CredentialResponse { status, request_id: request_id.to_owned() };
        exchange.send(&Packet::Publish(Publish::new(topic.to_string(), body)));
    }
}

/// Reads the body of a request: `id`, `csr`, `replace`, and nothing else.
fn read(payload: &[u8], device_id: &str) -> Result<IssueRequest, CredentialRefusal> {
    let bad = |what: String| CredentialRefusal::new(400_004, what);
    if payload.is_empty() {
        return Err(bad("the body is missing".into()));
    }
    let body: Value = serde_json::from_slice(payload)
        .map_err(|_| CredentialRefusal::new(400_006, "the body is not JSON"))?;
    let Value::Object(mut members) = body else { return Err(bad("the body is not a JSON object".into())) };
    let mut text = |name: &str| match members.remove(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(bad(format!("{name} is not a text"))),
    };
    let (id, csr, replace) = (text("id")?, text("csr")?, text("replace")?);
    check_rest(&members)?;
    if id.as_deref() != Some(device_id) {
        return Err(bad("id is not the device ID of the connection".into()));
    }
    if replace.as_deref().is_some_and(|replace| replace != "*" && !is_request_id(replace)) {
        return Err(bad("replace is neither * nor the ID of a request".into()));
    }
    let csr = csr.ok_or_else(|| bad("csr is missing".into()))?;
    Ok(IssueRequest { id: device_id.to_owned(), csr, replace })
}

fn check_rest(members: &Map<String, Value>) -> Result<(), CredentialRefusal> {
    match members.keys().next() {
        None => Ok(()),
        Some(unknown) => Err(CredentialRefusal::new(
            400_004,
            format!("the body has a member that is not known: \"{}\"", shown(unknown)),
        )),
    }
}
