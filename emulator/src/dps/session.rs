//! The session of one device at DPS: requests and their answers.

use std::{convert::Infallible, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tracker_protocol::dps::{
    DpsUsername, RESPONSE_FILTER, RegistrationOperation, RegistrationStatus, Request, Response, ServiceError,
};

use super::{
    Dps,
    attest::Credentials,
    issue::place,
    refused::Refused,
    registration::Registered,
    request::{check_poll, check_request, check_token, may_ask_for_certificates},
};
use crate::{
    clock::wire_time,
    events::{DisconnectReason, EventKind},
    faults::{FaultKind, Faults, Place},
    id::guid,
    mqtt::{Connect, ConnectCode, Packet, PacketId, Publish, QoS},
    session::{self, Exchange, PeerCertificates, Service, connect_fault, shown, violation},
};

/// DPS as it serves one device.
pub(crate) struct RegistrationSession {
    dps: Dps,
    registration_id: String,
    user_name: DpsUsername,
    certificates: PeerCertificates,
    /// The password, of devices with symmetric keys.
    token: Option<Vec<u8>>,
    subscribed: bool,
}

/// Lets a device in by what CONNECT alone can tell. Its certificate is not judged here.
pub(crate) fn open(
    dps: &Dps,
    connect: Connect,
    user_name: DpsUsername,
    certificates: PeerCertificates,
) -> Result<RegistrationSession, session::Refused> {
    if let Err((code, reason)) = admit(dps, &connect.client_id, &user_name) {
        return Err(session::Refused { service: "DPS".into(), client_id: connect.client_id, code, reason });
    }
    let token = connect.password.filter(|password| !password.is_empty());
    dps.0.events.tell(EventKind::DpsConnected { registration_id: connect.client_id.clone() });
    Ok(RegistrationSession {
        dps: dps.clone(),
        registration_id: connect.client_id,
        user_name,
        certificates,
        token: token.map(|token| token.to_vec()),
        subscribed: false,
    })
}

fn admit(dps: &Dps, client_id: &str, user_name: &DpsUsername) -> Result<(), (ConnectCode, String)> {
    let refused = |reason: String| Err((ConnectCode::NotAuthorized, reason));
    if let Some(faulty) = connect_fault(&dps.0.faults, place(client_id)) {
        return Err(faulty);
    }
    if user_name.id_scope != dps.0.id_scope {
        return refused(format!("the ID scope is \"{}\", not \"{}\"", dps.0.id_scope, user_name.id_scope));
    }
    if client_id != user_name.registration_id {
        return refused(format!(
            "the client identifier is \"{client_id}\", the user name says \"{}\"",
            user_name.registration_id
        ));
    }
    Ok(())
}

impl Service for RegistrationSession {
    /// DPS never speaks first.
    type Push = Infallible;

    /// A whole DPS message is at most 96 KB; the topic comes on top.
    const PACKET_LIMIT: usize = 96 * 1024 + 2 * 1024;

    fn faults(&self) -> &Faults {
        &self.dps.0.faults
    }

    fn place(&self) -> Place<'_> {
        place(&self.registration_id)
    }

    fn published(&mut self, publish: Publish, exchange: &mut Exchange<'_>) -> Result<(), DisconnectReason> {
        let request: Request = publish.topic.parse().map_err(|error| violation(format!("{error}")))?;
        exchange.acknowledge(publish.packet_id, self.faults(), self.place());
        let (request_id, answer) = match &request {
            Request::Register { request_id } => (request_id, self.register(&publish.payload, exchange)),
            Request::Poll { request_id, operation_id } => {
                let checked = check_poll(&publish.payload, &self.user_name.api_version);
                (request_id, checked.and_then(|()| self.poll(operation_id, exchange)))
            }
        };
        match answer {
            Ok(answer) => self.answer(answer, request_id, exchange),
            Err(refused) => self.refuse(refused, request_id, exchange),
        }
        Ok(())
    }

    /// Answers go out at `QoS` 0, so there is nothing to acknowledge.
    fn acknowledged(&mut self, _id: PacketId) {}

    fn subscribe(&mut self, filter: &str, _granted: QoS) -> Result<(), DisconnectReason> {
        if filter != RESPONSE_FILTER {
            return Err(violation(format!(
                "a subscription to \"{}\", which is not a topic of DPS",
                shown(filter)
            )));
        }
        self.subscribed = true;
        Ok(())
    }

    fn unsubscribe(&mut self, filter: &str) {
        self.subscribed &= filter != RESPONSE_FILTER;
    }

    async fn next_push(&mut self) -> Result<Infallible, DisconnectReason> {
        std::future::pending().await
    }

    fn push_at_hand(&mut self) -> Result<Option<Infallible>, DisconnectReason> {
        Ok(None)
    }

    fn push(&mut self, push: Infallible, _exchange: &mut Exchange<'_>) {
        match push {}
    }

    fn ended(self, reason: DisconnectReason) {
        let registration_id = self.registration_id;
        self.dps.0.events.tell(EventKind::DpsDisconnected { registration_id, reason });
    }
}

impl RegistrationSession {
    fn register(&self, body: &[u8], exchange: &mut Exchange<'_>) -> Result<Answer, Refused> {
        self.injected_error(exchange)?;
        let asked = check_request(body, &self.registration_id, &self.user_name.api_version)?;
        let chain = match (&self.token, &self.certificates) {
            (Some(_), _) | (None, PeerCertificates::None) => &[][..],
            (None, PeerCertificates::Chain(chain)) => chain,
            (None, PeerCertificates::Unreadable(why)) => {
                return Err(Refused::unauthorized(format!(
                    "the certificates presented cannot be read: {why}"
                )));
            }
        };
        let check = |text: &Vec<u8>| check_token(text, &self.user_name.id_scope, &self.registration_id);
        let token = self.token.as_ref().map(check).transpose()?;
        let credentials = token.as_ref().map_or(Credentials::Chain(chain), Credentials::Token);
        match self.dps.register(exchange.now, &self.user_name, credentials, &asked) {
            Registered::Operation(body) if self.dps.0.assign_at_once => {
                self.poll(&body.operation_id, exchange)
            }
            Registered::Operation(body) => Ok(Answer::new(202, Some(self.dps.0.retry_after), &body)),
            Registered::Disabled(body) => Ok(Answer::new(200, None, &body)),
            Registered::NotIssued(why) => Err(Refused::not_issued(&why)),
            Registered::Refused(refusal) if token.is_some() => Err(Refused::bad_token(refusal.to_string())),
            Registered::Refused(refusal) => Err(Refused::unauthorized(refusal.to_string())),
        }
    }

    fn poll(&self, operation_id: &str, exchange: &mut Exchange<'_>) -> Result<Answer, Refused> {
        self.injected_error(exchange)?;
        let never = self.faults().strikes(self.place(), &FaultKind::NeverAssign);
        let operation = self
            .dps
            .operation(exchange.now, &self.registration_id, operation_id, never)
            .ok_or_else(|| Refused::no_operation(operation_id))?;
        Ok(if operation.status == RegistrationStatus::Assigning {
            Answer::new(202, Some(self.dps.0.retry_after), &operation)
        } else {
            self.final_answer(&operation)
        })
    }

    /// The versions that know the chain tell of it in the answer that assigns, null where there is none.
    fn final_answer(&self, operation: &RegistrationOperation) -> Answer {
        // This type has no form that JSON lacks.
        let mut body = serde_json::to_value(operation).unwrap_or_default();
        let is_told = operation.status == RegistrationStatus::Assigned
            && may_ask_for_certificates(&self.user_name.api_version);
        if let Some(state) = body["registrationState"].as_object_mut().filter(|_| is_told) {
            state.entry("issuedCertificateChain").or_insert(Value::Null);
        }
        Answer::new(200, None, &body)
    }

    fn injected_error(&self, exchange: &mut Exchange<'_>) -> Result<(), Refused> {
        if exchange.is_throttled(self.faults(), self.place()) {
            return Err(Refused::throttled(self.dps.0.retry_after));
        }
        let injected = self.faults().take(self.place(), |kind| match kind {
            FaultKind::DpsError { status, retry_after } => Some((*status, *retry_after)),
            _ => None,
        });
        injected.map_or(Ok(()), |(status, retry_after)| Err(Refused::by_fault(status, retry_after)))
    }

    fn refuse(&self, refused: Refused, request_id: &str, exchange: &mut Exchange<'_>) {
        let Refused { status, error_code, message, reason, retry_after } = refused;
        self.dps.0.events.tell(EventKind::RegistrationRefused {
            registration_id: self.registration_id.clone(),
            error_code,
            reason,
        });
        let body = ServiceError {
            error_code,
            tracking_id: guid(),
            message,
            info: None,
            timestamp_utc: wire_time::print(self.dps.0.clock.now()),
        };
        // This type has no form that JSON lacks.
        let body = serde_json::to_string(&body).unwrap_or_default();
        self.answer(Answer { status, retry_after, body }, request_id, exchange);
    }

    fn answer(&self, answer: Answer, request_id: &str, exchange: &mut Exchange<'_>) {
        if !self.subscribed {
            return;
        }
        let garbage = self.faults().strikes(self.place(), &FaultKind::GarbageBody);
        let Answer { status, retry_after, body } = answer;
        let body = if garbage { "<html>".to_owned() } else { body };
        let topic = Response { status, request_id: request_id.to_owned(), retry_after };
        exchange.send(&Packet::Publish(Publish::new(topic.to_string(), body)));
    }
}

struct Answer {
    status: u16,
    retry_after: Option<Duration>,
    /// JSON.
    body: String,
}

impl Answer {
    fn new(status: u16, retry_after: Option<Duration>, body: &impl Serialize) -> Self {
        // These types have no form that JSON lacks.
        Self { status, retry_after, body: serde_json::to_value(body).unwrap_or_default().to_string() }
    }
}
