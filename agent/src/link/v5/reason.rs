//! Reason codes of MQTT 5 (its section 2.4): what they are called, and what a device does about them.

use crate::link::error::{LinkError, LinkErrorKind};
use crate::link::packet::{Refusal, RefusalKind};

/// Packet ID in use, and the others that are meant by the same number.
const NAMES: [(u8, &str); 44] = [
    (0x00, "success"),
    (0x04, "disconnect with will"),
    (0x10, "nobody has subscribed"),
    (0x11, "no such subscription"),
    (0x18, "continue authentication"),
    (0x19, "authenticate again"),
    (0x80, "unspecified error"),
    (0x81, "malformed packet"),
    (0x82, "protocol error"),
    (0x83, "implementation specific error"),
    (0x84, "unsupported version of MQTT"),
    (0x85, "client ID not valid"),
    (0x86, "bad user name or password"),
    (0x87, "not authorized"),
    (0x88, "server unavailable"),
    (0x89, "server busy"),
    (0x8A, "banned"),
    (0x8B, "server shutting down"),
    (0x8C, "bad authentication method"),
    (0x8D, "keep-alive ran out"),
    (0x8E, "another client with this ID has taken over"),
    (0x8F, "topic filter not valid"),
    (0x90, "topic not valid"),
    (0x91, "packet ID in use"),
    (0x92, "packet ID not found"),
    (0x93, "more messages than may be in flight"),
    (0x94, "topic alias not valid"),
    (0x95, "packet too large"),
    (0x96, "too many messages"),
    (0x97, "quota exceeded"),
    (0x98, "administrative action"),
    (0x99, "payload format not valid"),
    (0x9A, "no retained messages here"),
    (0x9B, "this QoS is not supported"),
    (0x9C, "use another server"),
    (0x9D, "server moved"),
    (0x9E, "no shared subscriptions here"),
    (0x9F, "too many connections"),
    (0xA0, "connected for longer than allowed"),
    (0xA1, "no subscription identifiers here"),
    (0xA2, "no wildcards here"),
    // Of MQTT 3.1.1, by a server that speaks nothing else.
    (0x01, "it speaks MQTT 3.1.1 and not 5"),
    (0x02, "client ID not valid"),
    (0x05, "not authorized"),
];

/// `CONNACK 0x87, not authorized: what the server says`.
fn words(packet: &str, code: u8, said: Option<String>) -> String {
    let name = NAMES.iter().find(|(known, _)| *known == code).map_or("unknown code", |(_, name)| name);
    let mut words = format!("{packet} 0x{code:02X}, {name}");
    if let Some(said) = said {
        words = words + ": " + &said;
    }
    words
}

/// The server does not accept the device.
pub(super) fn not_accepted(code: u8, said: Option<String>) -> LinkError {
    let kind = match code {
        0x02 | 0x05 | 0x85..=0x87 | 0x8C => LinkErrorKind::Identity,
        0x01 | 0x81 | 0x82 | 0x84 | 0x8A | 0x90 | 0x95 | 0x99..=0x9B => LinkErrorKind::Terminal,
        0x9C | 0x9D => LinkErrorKind::Moved,
        _ => LinkErrorKind::Answered,
    };
    let what = match kind {
        LinkErrorKind::Identity => "the server does not accept this device",
        _ => "the server refuses the connection",
    };
    LinkError { kind, why: format!("{what} ({})", words("CONNACK", code, said)) }
}

/// The server does not grant a subscription.
pub(super) fn not_granted(code: u8, said: Option<String>) -> LinkError {
    let kind = match code {
        0x87 | 0x8F | 0x91 | 0x9E | 0xA1 | 0xA2 => LinkErrorKind::Terminal,
        _ => LinkErrorKind::Answered,
    };
    LinkError { kind, why: format!("the server refused a subscription ({})", words("SUBACK", code, said)) }
}

/// The server has ended the connection.
pub(super) fn ended(code: u8, said: Option<String>) -> LinkError {
    let kind = match code {
        0x87 | 0x8C => LinkErrorKind::Identity,
        0x8E => LinkErrorKind::TakenOver,
        0x81 | 0x82 | 0x8F | 0x90 | 0x93..=0x95 | 0x98..=0x9B | 0x9E | 0xA1 | 0xA2 => LinkErrorKind::Terminal,
        0x9C | 0x9D => LinkErrorKind::Moved,
        _ => LinkErrorKind::Outage,
    };
    LinkError { kind, why: format!("the server ended the connection ({})", words("DISCONNECT", code, said)) }
}

/// The server has taken a message, or has not.
pub(super) fn taken(code: u8, said: Option<String>) -> Option<Refusal> {
    let kind = match code {
        // That nobody has subscribed is no matter of the sender.
        ..0x80 => return None,
        0x87 | 0x90 => RefusalKind::Unwanted,
        0x95 => RefusalKind::TooLarge,
        0x99 => RefusalKind::Impossible,
        // A packet ID that is in use is another one next time.
        _ => RefusalKind::Busy,
    };
    Some(Refusal { kind, why: words("PUBACK", code, said) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reactions of `connection.md` of Azure's unified SDK for C, section 9.3, and what this device does where that
    /// leaves it to the application.
    #[test]
    fn every_code_has_its_reaction() {
        use LinkErrorKind::{Answered, Identity, Moved, Outage, TakenOver, Terminal};
        let kinds = |of: fn(u8, Option<String>) -> LinkError, codes: &[u8]| {
            let mut kinds: Vec<_> = codes.iter().map(|code| of(*code, None).kind).collect();
            kinds.dedup();
            kinds
        };
        // CONNACK: retry, register again, terminal, terminal at this end point.
        assert_eq!(kinds(not_accepted, &[0x80, 0x83, 0x88, 0x89, 0x97, 0x9F, 0xEE, 0x03]), [Answered]);
        assert_eq!(kinds(not_accepted, &[0x85, 0x86, 0x87, 0x8C]), [Identity]);
        assert_eq!(
            kinds(not_accepted, &[0x81, 0x82, 0x84, 0x8A, 0x90, 0x95, 0x99, 0x9A, 0x9B, 0x01]),
            [Terminal]
        );
        assert_eq!(kinds(not_accepted, &[0x9C, 0x9D]), [Moved]);
        // SUBACK.
        assert_eq!(kinds(not_granted, &[0x80, 0x83, 0x97, 0xEE]), [Answered]);
        assert_eq!(kinds(not_granted, &[0x87, 0x8F, 0x91, 0x9E, 0xA1, 0xA2]), [Terminal]);
        // DISCONNECT.
        let retried = [0x00, 0x80, 0x83, 0x89, 0x8B, 0x8D, 0x96, 0x97, 0x9F, 0xA0, 0xEE];
        assert_eq!(kinds(ended, &retried), [Outage]);
        assert_eq!(kinds(ended, &[0x87, 0x8C]), [Identity]);
        assert_eq!(kinds(ended, &[0x8E]), [TakenOver]);
        let terminal = [0x81, 0x82, 0x8F, 0x90, 0x93, 0x94, 0x95, 0x98, 0x99, 0x9A, 0x9B, 0x9E, 0xA1, 0xA2];
        assert_eq!(kinds(ended, &terminal), [Terminal]);
        assert_eq!(kinds(ended, &[0x9C, 0x9D]), [Moved]);
        // PUBACK.
        let taken = |code| taken(code, None).map(|refusal| refusal.kind);
        assert_eq!([0x00, 0x10].map(taken), [None; 2]);
        assert_eq!([0x80, 0x83, 0x91, 0x97, 0xEE].map(taken), [Some(RefusalKind::Busy); 5]);
        assert_eq!([0x87, 0x90].map(taken), [Some(RefusalKind::Unwanted); 2]);
        assert_eq!(taken(0x95), Some(RefusalKind::TooLarge));
        assert_eq!(taken(0x99), Some(RefusalKind::Impossible));
    }

    #[test]
    fn a_refusal_says_code_name_and_what_the_server_says() {
        assert_eq!(
            not_accepted(0x87, Some("no such device".into())).why,
            "the server does not accept this device (CONNACK 0x87, not authorized: no such device)"
        );
        assert_eq!(
            not_accepted(0x01, None).why,
            "the server refuses the connection (CONNACK 0x01, it speaks MQTT 3.1.1 and not 5)"
        );
        assert_eq!(ended(0xEE, None).why, "the server ended the connection (DISCONNECT 0xEE, unknown code)");
    }
}
