//! Why there is no connection, or none any more, in words that say where to look.

use std::fmt;
use std::io;

use rumqttc::ConnectReturnCode;
use rustls::{AlertDescription, CertificateError, OtherError};

use crate::config::{Endpoint, Proxy};
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
    /// The server breaks off TLS because of the certificate that it was shown: as [`Answered`](Self::Answered), or as
    /// [`Identity`](Self::Identity) where another certificate can be had.
    Certificate,
    /// Somebody answered, but not as a healthy server: try again later, and after long also ask DPS.
    Answered,
    /// The machine takes no TCP connection: nobody listens there, or not yet; or the proxy says so of the server.
    NobodyListens,
    /// The proxy does not let this device through, or not to there: somebody must mend that, so wait long. Repeated wrong
    /// passwords lock accounts.
    Barred,
    /// The server closed the connection: a restart, or another client took over.
    Closed,
    /// The server says that another client has taken over: no fight for it, wait long.
    TakenOver,
    /// The server says that this device belongs elsewhere: ask DPS.
    Moved,
    /// The server says what another attempt will not change: wait long.
    Terminal,
    /// The server has taken a TCP connection, and does not answer any more: an outage, try again.
    Outage,
    /// Nothing came back: no way there, no name server, no TCP connection. To look whether it does again costs next to
    /// nothing.
    Silent,
    /// This message can't be sent as it is; the connection stands.
    Unsendable,
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for LinkError {}

impl From<(LinkErrorKind, String)> for LinkError {
    fn from((kind, why): (LinkErrorKind, String)) -> Self {
        Self { kind, why }
    }
}

impl LinkError {
    /// The same, with the place that was to be reached.
    pub(super) fn at(self, endpoint: &Endpoint) -> Self {
        Self { why: format!("{endpoint}: {}", self.why), ..self }
    }

    /// The same, where it was the proxy that was to be reached.
    pub(crate) fn at_proxy(self, proxy: &Proxy) -> Self {
        Self { why: format!("the proxy {}: {}", proxy.endpoint, self.why), ..self }
    }
}

pub(super) fn no_pong() -> LinkError {
    LinkError { kind: LinkErrorKind::Outage, why: "the server does not answer pings any more".into() }
}

pub(super) fn no_connack() -> LinkError {
    let why = "the server began with something else than CONNACK".into();
    LinkError { kind: LinkErrorKind::Answered, why }
}

/// The server lives, and has not answered what was said before its CONNACK.
pub(super) fn not_heeded() -> LinkError {
    let why = "the server takes no notice of packets that come before its CONNACK".into();
    LinkError { kind: LinkErrorKind::Outage, why }
}

/// The server does not take what waits for it.
pub(super) fn queue_full(bytes: usize) -> LinkError {
    let why = format!("the server takes nothing any more, {} KB wait for it", bytes / 1024);
    LinkError { kind: LinkErrorKind::Outage, why }
}

/// The server takes messages, and acknowledges none.
pub(super) fn unacknowledged(messages: usize) -> LinkError {
    let why = format!("the server has left {messages} messages without acknowledgement");
    LinkError { kind: LinkErrorKind::Outage, why }
}

/// The server has asked for more answers than it has acknowledged.
pub(super) fn no_room(messages: usize) -> LinkError {
    let why = format!("a message was not sent: {messages} before it wait for their acknowledgement");
    LinkError { kind: LinkErrorKind::Unsendable, why }
}

pub(super) fn bad_topic() -> LinkError {
    let why = "a message was not sent: no message can have its topic".into();
    LinkError { kind: LinkErrorKind::Unsendable, why }
}

#[cfg(feature = "mqtt5")]
pub(super) fn bad_properties() -> LinkError {
    let why = "a message was not sent: one of its properties is longer than MQTT can say".into();
    LinkError { kind: LinkErrorKind::Unsendable, why }
}

/// Bytes of a packet, and how many a server takes.
pub(super) fn unsendable(size: usize, most: usize) -> LinkError {
    let why = format!(
        "a message was not sent: it has {} KB, and a hub takes {} KB",
        size.div_ceil(1024),
        most / 1024
    );
    LinkError { kind: LinkErrorKind::Unsendable, why }
}

/// What came is no packet, or not one that belongs here.
pub(super) fn not_mqtt(error: &dyn fmt::Display) -> LinkError {
    LinkError { kind: LinkErrorKind::Answered, why: format!("MQTT: {error}") }
}

pub(super) fn refused(code: ConnectReturnCode) -> LinkError {
    use LinkErrorKind::{Answered, Identity};
    let (kind, why) = match code {
        ConnectReturnCode::ServiceUnavailable => (Answered, "the server is unavailable (CONNACK 3)"),
        ConnectReturnCode::NotAuthorized => {
            (Identity, "the server does not accept this device (CONNACK 5, not authorized)")
        }
        ConnectReturnCode::BadUserNamePassword => {
            (Identity, "the server does not accept this device (CONNACK 4, bad user name)")
        }
        ConnectReturnCode::RefusedProtocolVersion => (
            Identity,
            "the server does not speak MQTT 3.1.1 (CONNACK 1); if it is a hub, it may be one of MQTT 5: connection.profile = \
             \"assigned\" has DPS asked for that",
        ),
        ConnectReturnCode::BadClientId => (Identity, "the server does not accept the client ID (CONNACK 2)"),
        code @ ConnectReturnCode::Success => {
            return (Identity, format!("the server refuses the connection ({code:?})")).into();
        }
    };
    LinkError { kind, why: why.into() }
}

/// What became of a read, a write, a TCP or a TLS handshake.
pub(super) fn io_error(error: &io::Error) -> (LinkErrorKind, String) {
    use LinkErrorKind::{Answered, Certificate, Closed, NobodyListens, Outage};
    if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        // Our own token failed to sign; the server has not answered anything.
        let kind = match error {
            _ if token_error(error).is_some() => Outage,
            rustls::Error::AlertReceived(alert) if is_about_the_certificate(*alert) => Certificate,
            _ => Answered,
        };
        return (kind, explain_tls(error));
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            (NobodyListens, "nobody listens there (connection refused)".into())
        }
        // A pipe is broken once the other side has closed it, and said so.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            (Closed, "the server closed the connection".into())
        }
        io::ErrorKind::ConnectionReset => (Outage, "the connection was reset".into()),
        _ => (Outage, error.to_string()),
    }
}

/// Whether a server says by this that it does not take the device's certificate.
fn is_about_the_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
    )
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
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
            "the server's certificate is not from the CA that this device trusts: another CA of the same name has signed \
             it; give connection.roots the server's own CA (an emulator makes a new one at each start without a state \
             directory)"
                .into()
        }
        rustls::Error::InvalidCertificate(
            cause @ (CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }),
        ) => format!(
            "the server's certificate, or its CA's, is signed in a way that this device can't check (it can ECDSA with \
             SHA-256 or SHA-384, Ed25519, RSA from 2048 bits): {cause}"
        ),
        rustls::Error::InvalidMessage(_) => {
            "what answers there does not speak TLS: is it a captive portal or a proxy in between, or another service \
             than MQTT at this port (connection.port)?"
                .into()
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
