//! A session over a link: the one loop of both services.

use std::time::Duration;

use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::watch,
    time::{Instant, sleep_until},
};

use super::{
    machine::Session,
    outlet::Outlet,
    service::{Refused, Service},
};
use crate::{
    events::{DisconnectReason, EventBus},
    mqtt::{Link, LinkError, Packet},
};

/// The longest silence the services allow, whatever keep-alive the client asks for.
const LONGEST_SILENCE: Duration = Duration::from_secs(1767);

/// Queued bytes beyond which a client counts as not reading.
const BACKLOG_LIMIT: usize = 4 * 1024 * 1024;

impl<S: AsyncRead + AsyncWrite + Unpin> Outlet for Link<S> {
    fn put(&mut self, packet: &Packet) {
        self.queue(packet);
    }
}

/// Answers a CONNECT with its refusal.
pub(crate) fn refuse<S: AsyncRead + AsyncWrite + Unpin>(
    link: &mut Link<S>,
    refused: Refused,
    events: &EventBus,
) {
    link.queue(&Packet::ConnAck { session_present: false, code: refused.code });
    events.tell(refused.event());
}

/// Serves a client that was let in, to the end of its connection. `keep_alive` is that of its CONNECT, in seconds.
pub(crate) async fn serve<S: AsyncRead + AsyncWrite + Unpin, V: Service>(
    link: &mut Link<S>,
    mut session: Box<Session<V>>,
    keep_alive: u16,
    mut shutdown: watch::Receiver<bool>,
) {
    link.queue(&session.service.accepted());
    link.set_limits(V::PACKET_LIMIT, Some(silence_allowed(keep_alive)));
    let reason = tokio::select! {
        biased;
        reason = run(link, &mut session) => reason,
        _ = shutdown.changed() => DisconnectReason::Shutdown,
    };
    if let Some(farewell) = session.service.farewell(&reason) {
        link.queue(&farewell);
    }
    session.service.ended(reason);
}

async fn run<S: AsyncRead + AsyncWrite + Unpin, V: Service>(
    link: &mut Link<S>,
    session: &mut Session<V>,
) -> DisconnectReason {
    loop {
        let now = Instant::now();
        session.deliver(now, link);
        let due = session.due(now);
        let has_room = session.has_room();
        let went_on = tokio::select! {
            biased;
            push = session.service.next_push() => {
                push.map(|push| session.push(Instant::now(), push, link))
            }
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                session.pass_time(Instant::now(), link)
            }
            packet = link.next(), if has_room => match packet {
                Ok(packet) => receive(link, session, packet),
                Err(error) => Err(broken(session, &error)),
            }
        };
        if let Err(reason) = went_on {
            return reason;
        }
        if link.backlog() > BACKLOG_LIMIT {
            return DisconnectReason::Backlog;
        }
    }
}

/// Takes a packet, and those that have come with it.
fn receive<S: AsyncRead + AsyncWrite + Unpin, V: Service>(
    link: &mut Link<S>,
    session: &mut Session<V>,
    packet: Packet,
) -> Result<(), DisconnectReason> {
    let now = Instant::now();
    session.receive(now, packet, link)?;
    while session.has_room() {
        match link.at_hand() {
            Ok(Some(packet)) => session.receive(now, packet, link)?,
            Ok(None) => break,
            Err(error) => return Err(broken(session, &error)),
        }
    }
    Ok(())
}

fn broken<V: Service>(session: &mut Session<V>, error: &LinkError) -> DisconnectReason {
    session.service.broken(error);
    how_it_ended(error)
}

/// How long a client may be silent: one and a half times its keep-alive (in seconds), capped. The services do not say
/// what a keep-alive of zero, "never", means to them; some SDKs send it, and the cap applies.
fn silence_allowed(keep_alive: u16) -> Duration {
    match keep_alive {
        0 => LONGEST_SILENCE,
        seconds => (Duration::from_secs(u64::from(seconds)) * 3 / 2).min(LONGEST_SILENCE),
    }
}

/// The end of a link in the words of the events.
fn how_it_ended(error: &LinkError) -> DisconnectReason {
    match error {
        // The TLS library's words for it have a link to its manual in them.
        LinkError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DisconnectReason::ConnectionLost("the client closed it without a goodbye of TLS".into())
        }
        LinkError::Closed | LinkError::ClosedInPacket | LinkError::Io(_) => {
            DisconnectReason::ConnectionLost(error.to_string())
        }
        LinkError::KeepAlive(_) => DisconnectReason::KeepAliveTimeout,
        LinkError::Stalled => DisconnectReason::Backlog,
        LinkError::Malformed(error) => DisconnectReason::ProtocolViolation(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_is_one_and_a_half_times_the_keep_alive_and_capped() {
        assert_eq!(silence_allowed(60), Duration::from_secs(90));
        assert_eq!(silence_allowed(1), Duration::from_millis(1500));
        assert_eq!(silence_allowed(1740), LONGEST_SILENCE);
        assert_eq!(silence_allowed(0), LONGEST_SILENCE);
    }
}
