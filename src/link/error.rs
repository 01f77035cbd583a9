//! Why there is no connection, or none any more, in words that say where to look.

use std::fmt;
use std::io;

use rumqttc::{ConnectReturnCode, ConnectionError, StateError, TlsError, mqttbytes};
use rustls::{CertificateError, OtherError};

use crate::identity::TokenError;

/// Why there is no connection, or none any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkError {
    /// What can be done about it.
    pub kind: LinkErrorKind,
    /// For people.
    pub why: String,
}

/// Link errors by what the caller can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkErrorKind {
    /// The server does not accept who we say we are (CONNACK 1, 2, 4, 5): ask DPS.
    Identity,
    /// Somebody answered, but not as a healthy server: try again later, and after long also ask DPS.
    Answered,
    /// The server closed the connection: a restart, or another client took over.
    Closed,
    /// Nobody answered, or not any more: an outage, try again.
    Outage,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for LinkError {}

pub(super) fn no_pong() -> LinkError {
    LinkError { kind: LinkErrorKind::Outage, why: "the server does not answer pings any more".into() }
}

pub(super) fn queue_full() -> LinkError {
    LinkError { kind: LinkErrorKind::Outage, why: "the connection takes nothing any more".into() }
}

pub(super) fn classify(error: &ConnectionError) -> LinkError {
    use LinkErrorKind::{Answered, Outage};
    let (kind, why) = match error {
        ConnectionError::ConnectionRefused(code) => refused(*code),
        ConnectionError::NetworkTimeout => (Outage, "no connection in time".into()),
        ConnectionError::FlushTimeout => (Outage, "the connection takes no data".into()),
        ConnectionError::Io(error)
        | ConnectionError::Tls(TlsError::Io(error))
        | ConnectionError::MqttState(
            StateError::Io(error) | StateError::Deserialization(mqttbytes::Error::Io(error)),
        ) => io_error(error),
        ConnectionError::Tls(error) => (Answered, format!("TLS: {error}")),
        ConnectionError::MqttState(StateError::AwaitPingResp) => {
            (Outage, "the server does not answer pings any more".into())
        }
        ConnectionError::MqttState(StateError::ConnectionAborted) => {
            (LinkErrorKind::Closed, "the server closed the connection".into())
        }
        other => (Answered, format!("MQTT: {other}")),
    };
    LinkError { kind, why }
}

fn refused(code: ConnectReturnCode) -> (LinkErrorKind, String) {
    use LinkErrorKind::{Answered, Identity};
    match code {
        ConnectReturnCode::ServiceUnavailable => (Answered, "the server is unavailable (CONNACK 3)".into()),
        ConnectReturnCode::NotAuthorized => {
            (Identity, "the server does not accept this device (CONNACK 5, not authorized)".into())
        }
        ConnectReturnCode::BadUserNamePassword => {
            (Identity, "the server does not accept this device (CONNACK 4, bad user name)".into())
        }
        ConnectReturnCode::BadClientId => {
            (Identity, "the server does not accept the client ID (CONNACK 2)".into())
        }
        other => (Identity, format!("the server refuses the connection ({other:?})")),
    }
}

fn io_error(error: &io::Error) -> (LinkErrorKind, String) {
    use LinkErrorKind::{Answered, Outage};
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        // Our own token failed to sign; the server has not answered anything.
        let kind = if token_error(error).is_some() { Outage } else { Answered };
        return (kind, explain_tls(error));
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => (Answered, "nobody listens there (connection refused)".into()),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted => {
            (LinkErrorKind::Closed, "the server closed the connection".into())
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => {
            (Outage, "the connection was reset".into())
        }
        _ => (Outage, error.to_string()),
    }
}

/// Why the device's own key could not be used, if that is what broke off TLS.
fn token_error(error: &rustls::Error) -> Option<&TokenError> {
    match error {
        rustls::Error::Other(OtherError(cause)) => cause.downcast_ref(),
        _ => None,
    }
}

/// A TLS error in words that say where to look.
pub fn explain_tls(error: &rustls::Error) -> String {
    if let Some(error) = token_error(error) {
        return error.to_string();
    }
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "the server's certificate leads to no root that this device trusts; check connection.roots".into()
        }
        rustls::Error::InvalidCertificate(
            cause @ (CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }),
        ) => format!("the server's certificate is for another name: {cause}"),
        rustls::Error::InvalidCertificate(
            cause @ (CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }),
        ) => format!("the server's certificate is not valid at this time: {cause}"),
        rustls::Error::FailedToGetCurrentTime => {
            "the time is not known, so the server's certificate can't be checked".into()
        }
        rustls::Error::AlertReceived(alert) => {
            format!("the server broke off TLS ({alert:?}); it may not accept this device's certificate")
        }
        other => format!("TLS: {other}"),
    }
}
