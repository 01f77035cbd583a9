//! The session of one device at DPS over MQTT: requests and their answers.

use std::convert::Infallible;

use tracker_protocol::dps::{DpsUsername, RESPONSE_FILTER, Request, Response};

use super::{
    Dps,
    applicant::{Answer, Applicant, Moment, TpmProof},
    issue::place,
};
use crate::{
    events::{DisconnectReason, EventKind},
    faults::{Faults, Place},
    mqtt::{Connect, ConnectCode, Packet, PacketId, Publish, QoS},
    session::{self, Exchange, PeerCertificates, Service, connect_fault, shown, violation},
};

/// DPS as it serves one device.
pub(crate) struct RegistrationSession {
    dps: Dps,
    applicant: Applicant,
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
        applicant: Applicant {
            registration_id: connect.client_id,
            api_version: user_name.api_version,
            certificates,
            token: token.map(|token| token.to_vec()),
            tpm: TpmProof::NoWay,
        },
        subscribed: false,
    })
}

fn admit(dps: &Dps, client_id: &str, user_name: &DpsUsername) -> Result<(), (ConnectCode, String)> {
    let refused = |reason: String| Err((ConnectCode::NotAuthorized, reason));
    if let Some(faulty) = connect_fault(&dps.0.faults, place(client_id)) {
        return Err(faulty);
    }
    if let Err(why) = dps.check_scope(&user_name.id_scope) {
        return refused(why);
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
        place(&self.applicant.registration_id)
    }

    fn published(&mut self, publish: Publish, exchange: &mut Exchange<'_>) -> Result<(), DisconnectReason> {
        let request: Request = publish.topic.parse().map_err(|error| violation(format!("{error}")))?;
        exchange.acknowledge(publish.packet_id, self.faults(), self.place());
        let is_throttled = exchange.is_throttled(self.faults(), self.place());
        let moment = Moment { now: exchange.now, is_throttled };
        let (request_id, answer) = match request {
            Request::Register { request_id } => {
                (request_id, self.applicant.register(&self.dps, &publish.payload, moment))
            }
            Request::Poll { request_id, operation_id } => {
                (request_id, self.applicant.poll(&self.dps, &operation_id, &publish.payload, moment))
            }
        };
        self.answer(answer, request_id, exchange);
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
        let registration_id = self.applicant.registration_id;
        self.dps.0.events.tell(EventKind::DpsDisconnected { registration_id, reason });
    }
}

impl RegistrationSession {
    fn answer(&self, answer: Answer, request_id: String, exchange: &mut Exchange<'_>) {
        let Answer { status, retry_after, body, error: _ } = answer;
        if self.subscribed {
            let topic = Response { status, request_id, retry_after };
            exchange.send(&Packet::Publish(Publish::new(topic.to_string(), body)));
        }
    }
}
