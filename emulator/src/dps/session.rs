//! The session of one device at DPS.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, sleep_until},
};
use tracker_protocol::{
    RegistrationId,
    dps::{DpsUsername, RESPONSE_FILTER, RegistrationStatus, Request, Response, ServiceError},
};

use super::{Dps, attest::Credentials, registration::Registered};
use crate::{
    clock::wire_time,
    events::{DisconnectReason, EventKind},
    faults::{FaultKind, Place},
    id::guid,
    mqtt::{Connect, ConnectCode, Link, Packet, PacketId, Publish, QoS, SubscribeCode},
    security::sas::{SasError, SasToken},
    session::{Acknowledger, PeerCertificates, SlowLine, Throttle, how_it_ended, shown, silence_allowed},
};

/// A whole DPS message is at most 96 KB; the topic comes on top.
const PACKET_LIMIT: usize = 96 * 1024 + 2 * 1024;

/// The first API version in which a request may carry a certificate signing request; earlier ones ignore it.
const CSR_SINCE: &str = "2025-07-01";

/// Serves a device from its CONNECT to its end.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite>(
    dps: &Dps,
    link: &mut Link<S>,
    connect: Connect,
    user_name: DpsUsername,
    certificates: &PeerCertificates,
    mut shutdown: watch::Receiver<bool>,
) {
    if let Err((code, reason)) = admit(dps, &connect, &user_name) {
        link.queue(&Packet::ConnAck { session_present: false, code });
        dps.0.events.tell(EventKind::ConnectionRefused {
            service: "DPS".into(),
            client_id: connect.client_id,
            code: Some(code as u8),
            reason,
        });
        return;
    }
    link.queue(&Packet::ConnAck { session_present: false, code: ConnectCode::Accepted });
    link.set_limits(PACKET_LIMIT, Some(silence_allowed(connect.keep_alive)));
    dps.0.events.tell(EventKind::DpsConnected { registration_id: connect.client_id.clone() });
    let mut session = Session {
        dps,
        link,
        registration_id: &connect.client_id,
        user_name: &user_name,
        certificates,
        token: connect.password.as_deref().filter(|password| !password.is_empty()),
        subscribed: false,
        acknowledger: Acknowledger::default(),
        throttle: Throttle::default(),
    };
    let mut line = SlowLine::default();
    let reason = loop {
        let acks_due = session.acknowledger.due();
        let due = line.due();
        tokio::select! {
            biased;
            _ = shutdown.changed() => break DisconnectReason::Shutdown,
            () = sleep_until(acks_due.unwrap_or_else(Instant::now)), if acks_due.is_some() => {
                session.acknowledger.release(session.link);
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some(packet) = line.arrived()
                    && let Err(reason) = session.take(packet)
                {
                    break reason;
                }
            }
            packet = session.link.next(), if line.has_room() => match packet {
                Ok(packet) => {
                    let faults = dps.0.faults.clone();
                    if let Some(packet) = line.send(packet, &faults, session.place())
                        && let Err(reason) = session.take(packet)
                    {
                        break reason;
                    }
                }
                Err(error) => break how_it_ended(&error),
            }
        }
    };
    dps.0.events.tell(EventKind::DpsDisconnected { registration_id: connect.client_id.clone(), reason });
}

/// What CONNECT alone can tell. The certificate is not judged here.
fn admit(dps: &Dps, connect: &Connect, user_name: &DpsUsername) -> Result<(), (ConnectCode, String)> {
    let refused = |reason: String| Err((ConnectCode::NotAuthorized, reason));
    let place = Place { hub: None, device: &connect.client_id };
    let faulty = dps.0.faults.take(place, |kind| match kind {
        FaultKind::RefuseConnect(code) => ConnectCode::refusal(*code),
        _ => None,
    });
    if let Some(code) = faulty {
        return Err((code, "a fault was asked for".into()));
    }
    if user_name.id_scope != dps.0.id_scope {
        return refused(format!("the ID scope is \"{}\", not \"{}\"", dps.0.id_scope, user_name.id_scope));
    }
    if connect.client_id != user_name.registration_id {
        return refused(format!(
            "the client identifier is \"{}\", the user name says \"{}\"",
            connect.client_id, user_name.registration_id
        ));
    }
    Ok(())
}

struct Session<'a, S> {
    dps: &'a Dps,
    link: &'a mut Link<S>,
    registration_id: &'a str,
    user_name: &'a DpsUsername,
    certificates: &'a PeerCertificates,
    /// The password, of devices with symmetric keys.
    token: Option<&'a [u8]>,
    subscribed: bool,
    acknowledger: Acknowledger,
    throttle: Throttle,
}

/// An answer that is an error: status, Azure's code, Azure's words, the operator's words.
struct Refused {
    status: u16,
    error_code: u32,
    message: String,
    reason: String,
    retry_after: Option<Duration>,
}

impl Refused {
    fn bad_request(message: impl Into<String>) -> Self {
        let message = message.into();
        Self { status: 400, error_code: 400_004, reason: message.clone(), message, retry_after: None }
    }
}

impl<'a, S: AsyncRead + AsyncWrite> Session<'a, S> {
    fn take(&mut self, packet: Packet) -> Result<(), DisconnectReason> {
        let violation = |what: &str| Err(DisconnectReason::ProtocolViolation(what.to_owned()));
        let faults = &self.dps.0.faults;
        if faults.strikes(self.place(), &FaultKind::DropConnection) {
            return Err(DisconnectReason::Fault);
        }
        if faults.strikes(self.place(), &FaultKind::BlackHole) {
            return Ok(());
        }
        match packet {
            Packet::Publish(publish) => self.published(&publish)?,
            Packet::Subscribe { packet_id, filters } => self.subscribe(packet_id, &filters)?,
            Packet::Unsubscribe { packet_id, filters } => {
                self.subscribed &= !filters.iter().any(|filter| filter == RESPONSE_FILTER);
                self.link.queue(&Packet::UnsubAck(packet_id));
            }
            // Answers go out at QoS 0, so there is nothing to acknowledge.
            Packet::PubAck(_) => {}
            Packet::PingReq => self.link.queue(&Packet::PingResp),
            Packet::Disconnect => return Err(DisconnectReason::Disconnect),
            Packet::Connect(_) => return violation("a second CONNECT"),
            Packet::ConnAck { .. } | Packet::SubAck { .. } | Packet::UnsubAck(_) | Packet::PingResp => {
                return violation("a packet that only servers send");
            }
        }
        Ok(())
    }

    fn subscribe(&mut self, packet_id: PacketId, filters: &[(String, QoS)]) -> Result<(), DisconnectReason> {
        if let Some((filter, _)) = filters.iter().find(|(filter, _)| filter != RESPONSE_FILTER) {
            let what = format!("a subscription to \"{}\", which is not a topic of DPS", shown(filter));
            return Err(DisconnectReason::ProtocolViolation(what));
        }
        self.subscribed = true;
        let granted = |(_, qos): &(_, QoS)| SubscribeCode::Granted((*qos).min(QoS::AtLeastOnce));
        self.link.queue(&Packet::SubAck { packet_id, codes: filters.iter().map(granted).collect() });
        Ok(())
    }

    fn published(&mut self, publish: &Publish) -> Result<(), DisconnectReason> {
        if publish.qos == QoS::ExactlyOnce {
            return Err(DisconnectReason::ProtocolViolation("a PUBLISH with QoS 2".into()));
        }
        let request: Request = match publish.topic.parse() {
            Ok(request) => request,
            Err(error) => return Err(DisconnectReason::ProtocolViolation(error.to_string())),
        };
        if let Some(id) = publish.packet_id {
            self.acknowledger.acknowledge(self.link, id, &self.dps.0.faults, self.place());
        }
        let (request_id, answer) = match &request {
            Request::Register { request_id } => (request_id, self.register(&publish.payload)),
            Request::Poll { request_id, operation_id } => (request_id, self.poll(operation_id)),
        };
        match answer {
            Ok(Answer { status, retry_after, body }) => self.answer(status, request_id, retry_after, &body),
            Err(refused) => {
                self.dps.0.events.tell(EventKind::RegistrationRefused {
                    registration_id: self.registration_id.to_owned(),
                    error_code: refused.error_code,
                    reason: refused.reason,
                });
                let body = ServiceError {
                    error_code: refused.error_code,
                    tracking_id: guid(),
                    message: refused.message,
                    info: None,
                    timestamp_utc: wire_time::print(self.dps.0.clock.now()),
                };
                self.answer(refused.status, request_id, refused.retry_after, &body);
            }
        }
        Ok(())
    }

    fn register(&mut self, body: &[u8]) -> Result<Answer, Refused> {
        self.injected_error()?;
        let payload = self.check_request(body)?;
        let chain = match (self.token, self.certificates) {
            (Some(_), _) | (None, PeerCertificates::None) => &[][..],
            (None, PeerCertificates::Chain(chain)) => chain,
            (None, PeerCertificates::Unreadable(why)) => {
                return Err(unauthorized(format!("the certificates presented cannot be read: {why}")));
            }
        };
        let token = self.token.map(|text| self.check_token(text)).transpose()?;
        let credentials = token.as_ref().map_or(Credentials::Chain(chain), Credentials::Token);
        match self.dps.register(self.registration_id, credentials, payload.as_ref()) {
            Registered::Operation(body) => Ok(Answer::new(202, Some(self.dps.0.retry_after), &body)),
            Registered::Disabled(body) => Ok(Answer::new(200, None, &body)),
            Registered::Refused(refusal) if token.is_some() => Err(bad_token(refusal.to_string())),
            Registered::Refused(refusal) => Err(unauthorized(refusal.to_string())),
        }
    }

    /// A device with symmetric keys sends a token for `{ID scope}/registrations/{registration ID}` as its password.
    fn check_token(&self, text: &[u8]) -> Result<SasToken, Refused> {
        let text = std::str::from_utf8(text).map_err(|_| SasError::Scheme);
        let resource = format!("{}/registrations/{}", self.user_name.id_scope, self.registration_id);
        let token = text.and_then(SasToken::parse).and_then(|token| {
            token.check_resource(&resource)?;
            Ok(token)
        });
        token.map_err(|error| bad_token(error.to_string()))
    }

    /// Checks the body of a register request and the registration ID; gives the payload for a webhook.
    fn check_request(&self, body: &[u8]) -> Result<Option<Map<String, Value>>, Refused> {
        if self.registration_id.parse::<RegistrationId>().is_err() {
            return Err(Refused::bad_request("Invalid RegistrationId"));
        }
        let Ok(Value::Object(mut request)) = serde_json::from_slice(body) else {
            return Err(Refused::bad_request("the body of the request is not a JSON object"));
        };
        match request.get("registrationId") {
            Some(Value::String(id)) if id == self.registration_id => {}
            _ => {
                return Err(Refused::bad_request("registrationId in the body is not that of the connection"));
            }
        }
        if !matches!(request.get("payload"), None | Some(Value::Null | Value::Object(_))) {
            return Err(Refused::bad_request("payload is not a JSON object"));
        }
        let unimplemented = |member: &str, what: &str| Refused {
            // Not 501: SDKs repeat a request for ever that is answered with 429 or more.
            status: 400,
            error_code: 400_004,
            message: format!("this emulator does not implement {what}"),
            reason: format!("\"{member}\" in the request: {what} is not implemented"),
            retry_after: None,
        };
        if request.get("csr").is_some_and(|csr| !csr.is_null())
            && self.user_name.api_version.as_str() >= CSR_SINCE
        {
            return Err(unimplemented("csr", "the issuing of certificates"));
        }
        if request.get("tpm").is_some_and(|tpm| !tpm.is_null()) {
            return Err(unimplemented("tpm", "TPM attestation"));
        }
        match request.remove("payload") {
            Some(Value::Object(payload)) => Ok(Some(payload)),
            _ => Ok(None),
        }
    }

    fn poll(&mut self, operation_id: &str) -> Result<Answer, Refused> {
        self.injected_error()?;
        let never = self.dps.0.faults.strikes(self.place(), &FaultKind::NeverAssign);
        let operation =
            self.dps.operation(self.registration_id, operation_id, never).ok_or_else(|| Refused {
                status: 404,
                error_code: 404_203,
                message: "Async operation not found.".into(),
                reason: format!("it has no operation \"{}\"", shown(operation_id)),
                retry_after: None,
            })?;
        Ok(if operation.status == RegistrationStatus::Assigning {
            Answer::new(202, Some(self.dps.0.retry_after), &operation)
        } else {
            Answer::new(200, None, &operation)
        })
    }

    fn injected_error(&mut self) -> Result<(), Refused> {
        let place = self.place();
        if self.throttle.exceeded(&self.dps.0.faults, place) {
            return Err(Refused {
                status: 429,
                error_code: 429_001,
                message: "Too many requests.".into(),
                reason: "throttling was asked for".into(),
                retry_after: Some(self.dps.0.retry_after),
            });
        }
        let injected = self.dps.0.faults.take(self.place(), |kind| match kind {
            FaultKind::DpsError { status, retry_after } => Some((*status, *retry_after)),
            _ => None,
        });
        injected.map_or(Ok(()), |(status, retry_after)| {
            Err(Refused {
                status,
                error_code: u32::from(status) * 1000 + 1,
                message: "The service is not available at the moment.".into(),
                reason: "a fault was asked for".into(),
                retry_after,
            })
        })
    }

    fn answer(
        &mut self,
        status: u16,
        request_id: &str,
        retry_after: Option<Duration>,
        body: &impl Serialize,
    ) {
        if !self.subscribed {
            return;
        }
        let garbage = self.dps.0.faults.strikes(self.place(), &FaultKind::GarbageBody);
        // These types have no form that JSON lacks.
        let body = serde_json::to_vec(body).unwrap_or_default();
        let body = if garbage { b"<html>".to_vec() } else { body };
        let topic = Response { status, request_id: request_id.to_owned(), retry_after };
        self.link.queue(&Packet::Publish(Publish::new(topic.to_string(), body)));
    }

    fn place(&self) -> Place<'a> {
        Place { hub: None, device: self.registration_id }
    }
}

struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    body: Value,
}

impl Answer {
    fn new(status: u16, retry_after: Option<Duration>, body: &impl Serialize) -> Self {
        // These types have no form that JSON lacks.
        Self { status, retry_after, body: serde_json::to_value(body).unwrap_or_default() }
    }
}

fn bad_token(reason: String) -> Refused {
    Refused { message: "Unauthorized".into(), ..unauthorized(reason) }
}

fn unauthorized(reason: String) -> Refused {
    Refused {
        status: 401,
        error_code: 401_002,
        message: "Invalid certificate.".into(),
        reason,
        retry_after: None,
    }
}
