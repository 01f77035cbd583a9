//! `$cbs`, claims-based security: clients show tokens here, for what they are going to use.

use std::sync::Arc;

use tracker_amqp::{Body, Message, Outcome, Value, get};

use super::meant::{Meant, Seat};
use crate::{
    amqp::{Guest, Node, Replies, Verdict, status},
    dps::Dps,
    events::EventKind,
    hub::Hub,
    security::sas::{SasError, SasToken},
};

/// Longer than any token.
const LONGEST: usize = 8192;

/// Takes tokens in.
pub(super) struct CbsNode {
    pub services: Dps,
    pub guest: Arc<Guest>,
    pub seat: Seat,
    pub replies: Replies,
}

/// Why a token is not taken, with the status of the answer.
struct NotTaken {
    status: i32,
    description: String,
}

impl Node for CbsNode {
    fn receive(&mut self, _number: u64, message: Message) -> Verdict {
        let (code, description) = match self.put_token(&message) {
            Ok(()) => (200, "OK".to_owned()),
            Err(NotTaken { status, description }) => {
                self.services.events().tell(EventKind::ConnectionRefused {
                    service: self.service_name(),
                    client_id: self.guest.container().chars().take(128).collect(),
                    code: None,
                    reason: format!("a token shown over AMQP: {description}"),
                });
                (status, description)
            }
        };
        let answer = Message {
            application_properties: status(code, description),
            body: Body::Value(Value::Null),
            ..Message::default()
        };
        self.replies.answer(&message.properties, answer);
        Verdict::Now(Outcome::Accepted)
    }
}

impl CbsNode {
    fn service_name(&self) -> String {
        match self.seat.get() {
            Some(Meant::Hub(hub) | Meant::EventHub(hub)) => hub.name().to_owned(),
            Some(Meant::Dps | Meant::DpsByTpm(_)) => "DPS".into(),
            None => "AMQP".into(),
        }
    }

    fn put_token(&self, message: &Message) -> Result<(), NotTaken> {
        let bad = |description: String| NotTaken { status: 400, description };
        let denied = |description: String| NotTaken { status: 401, description };
        let property = |name: &str| match get(&message.application_properties, name) {
            Some(Value::String(text) | Value::Symbol(text)) => Some(text.as_str()),
            _ => None,
        };
        match property("operation") {
            Some("put-token") => {}
            other => {
                return Err(bad(format!(
                    "the operation \"{}\" is not implemented: put-token is",
                    shown(other.unwrap_or_default())
                )));
            }
        }
        let kind = property("type").unwrap_or("servicebus.windows.net:sastoken");
        let text = match &message.body {
            Body::Value(Value::String(text)) => text.clone(),
            body => {
                body.to_bytes().and_then(|bytes| String::from_utf8(bytes.to_vec()).ok()).unwrap_or_default()
            }
        };
        let begins =
            |scheme: &str| text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
        let is_other_kind = ["jwt", "bearer"].iter().any(|name| kind.eq_ignore_ascii_case(name));
        let is_signature = begins("SharedAccessSignature ");
        if begins("Bearer ") || is_other_kind && !is_signature {
            return Err(denied("tokens of Microsoft Entra ID are not implemented by this emulator".into()));
        }
        if text.len() > LONGEST {
            return Err(bad(format!("a token has at most {LONGEST} bytes")));
        }
        let token = SasToken::parse(&text).map_err(|error| denied(error.to_string()))?;
        // Who takes it for a token of Entra names Azure's own audience for those.
        let audience = property("name").filter(|_| !is_other_kind);
        self.judge(&token, audience).map_err(denied)
    }

    /// Takes the token to the service that it is for.
    fn judge(&self, token: &SasToken, audience: Option<&str>) -> Result<(), String> {
        let host = self.guest.host_name();
        match self.seat.get() {
            Some(Meant::Hub(hub) | Meant::EventHub(hub)) => {
                let grant = hub.grant(token, audience, host).map_err(|error| error.to_string())?;
                self.guest.add(grant)
            }
            Some(Meant::Dps | Meant::DpsByTpm(_)) => {
                Err("DPS takes no tokens here: it takes them with SASL PLAIN".into())
            }
            None => self.find(token, audience, host),
        }
    }

    /// The hub that the token is made for, when the client has named none.
    fn find(&self, token: &SasToken, audience: Option<&str>, host: Option<&str>) -> Result<(), String> {
        let mut reason = None;
        for hub in self.services.hubs() {
            match hub.grant(token, audience, host) {
                Ok(grant) => {
                    self.guest.add(grant)?;
                    self.seat.take(Meant::Hub(hub));
                    return Ok(());
                }
                // What says more than that the key is another one's.
                Err(error @ (SasError::Expired(_) | SasError::Field(_))) => reason = Some(error),
                Err(error) => reason = reason.or(Some(error)),
            }
        }
        Err(reason.map_or_else(|| "there is no hub".into(), |error| error.to_string()))
    }
}

/// A token that was shown with SASL PLAIN instead.
pub(super) fn judge_at(hub: &Hub, guest: &Guest, token: &str) -> Result<(), String> {
    let token = SasToken::parse(token).map_err(|error| error.to_string())?;
    let grant = hub.grant(&token, None, guest.host_name()).map_err(|error| error.to_string())?;
    guest.add(grant)
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}
