//! TCP to a name: every address that it has gets its chance (RFC 8305), so that one that is silent holds up nobody.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until};

use crate::config::Endpoint;
use crate::link::error::{LinkError, LinkErrorKind, io_error};

/// The next address is tried when the one before has not answered within this time; RFC 8305 recommends it.
const STAGGER: Duration = Duration::from_millis(250);
/// More addresses than any server needs; whoever runs the name servers may give hundreds.
const MOST_ADDRESSES: usize = 8;
/// A SYN that is lost is sent again by the system after 1, 3, 7 and 15 s. From this age on an attempt fills the gaps,
const REFRESH_AFTER: Duration = Duration::from_secs(5);
/// so often,
const REFRESH_EVERY: Duration = Duration::from_secs(2);
/// with connections that end before the system would send another.
const REFRESH_LASTS: Duration = Duration::from_millis(950);
/// How `getaddrinfo` says that a name, or an address of it, does not exist: glibc's two sentences, then musl's. The
/// standard library keeps the sentence and not the number. Other sentences mean that nobody could be asked.
const NO_SUCH_NAME: [&str; 4] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
];

/// A look whether somebody answers again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Whether it waits for an answer that takes longer than a second.
    pub is_long: bool,
    /// How far probes are apart now; names are looked up no more often.
    pub every: Duration,
}

/// The addresses of a name, at least one, in the order in which to try them: as the system prefers them, the families in
/// turn.
pub async fn resolve(endpoint: &Endpoint) -> Result<Vec<SocketAddr>, LinkError> {
    let found = lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let mut addresses: Vec<SocketAddr> = found.map_err(|error| unresolved(&error))?.collect();
    if addresses.is_empty() {
        let why = "there is no such name (the name servers know no address)".into();
        return Err(LinkError { kind: LinkErrorKind::Answered, why });
    }
    take_turns(&mut addresses);
    addresses.truncate(MOST_ADDRESSES);
    Ok(addresses)
}

/// A name that does not exist is an answer, and none of a healthy hub; name servers that do not answer are an outage.
fn unresolved(error: &io::Error) -> LinkError {
    let said = error.to_string();
    let exists_not = NO_SUCH_NAME.iter().any(|sentence| said.ends_with(sentence));
    let (kind, why) = if exists_not {
        (LinkErrorKind::Answered, "there is no such name")
    } else {
        (LinkErrorKind::Silent, "the name can't be resolved")
    };
    let said = said.strip_prefix("failed to lookup address information: ").unwrap_or(&said);
    LinkError { kind, why: format!("{why} ({said})") }
}

/// The families in turn, each in the order that it has, and first the one that is first.
fn take_turns(addresses: &mut [SocketAddr]) {
    for index in 1..addresses.len() {
        let last = addresses[index - 1].is_ipv4();
        if let Some(other) = (index..addresses.len()).find(|other| addresses[*other].is_ipv4() != last) {
            addresses[index..=other].rotate_right(1);
        }
    }
}

/// TCP to the first of these addresses that takes it.
pub async fn connect(addresses: &[SocketAddr], within: Duration) -> Result<TcpStream, Unreached> {
    race(addresses, within, TcpStream::connect).await
}

/// No address was reached: each, and why; `None` where there was no answer in time.
#[derive(Debug)]
pub struct Unreached(Vec<(SocketAddr, Option<io::Error>)>);

impl Unreached {
    /// Whether nothing came back, or nothing but silence.
    pub fn is_silence(&self) -> bool {
        self.0.iter().all(|(_, error)| error.is_none())
    }
}

impl From<(SocketAddr, Option<io::Error>)> for Unreached {
    fn from(one: (SocketAddr, Option<io::Error>)) -> Self {
        Self(vec![one])
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (address, error)) in self.0.iter().enumerate() {
            let address = address.ip();
            let comma = if index == 0 { "" } else { ", " };
            match error {
                None => write!(f, "{comma}{address} does not answer")?,
                Some(error) => write!(f, "{comma}{address}: {}", io_error(error).1)?,
            }
        }
        Ok(())
    }
}

impl From<Unreached> for LinkError {
    fn from(unreached: Unreached) -> Self {
        let any = |says: fn(&io::Error) -> bool| {
            unreached.0.iter().any(|(_, error)| error.as_ref().is_some_and(says))
        };
        let kind = if any(is_reset) {
            // Somebody has taken the connection, and let it go before anything could be said.
            LinkErrorKind::Outage
        } else if any(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            LinkErrorKind::NobodyListens
        } else {
            LinkErrorKind::Silent
        };
        let why = match &unreached.0[..] {
            // There is nothing to tell apart.
            [(_, Some(error))] => io_error(error).1,
            _ => unreached.to_string(),
        };
        Self { kind, why }
    }
}

/// The connection stood, and was gone before it was looked at.
fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted)
}

type Attempt<F> = (usize, Pin<Box<F>>);

/// Attempts one after the other, each begun when the one before has failed or is [`STAGGER`] old; the first that stands
/// wins and ends the others.
async fn race<S, F: Future<Output = io::Result<S>>>(
    addresses: &[SocketAddr],
    within: Duration,
    connect: impl Fn(SocketAddr) -> F,
) -> Result<S, Unreached> {
    let mut outcome: Vec<(SocketAddr, Option<io::Error>)> =
        addresses.iter().map(|address| (*address, None)).collect();
    let mut open: Vec<Attempt<F>> = Vec::new();
    let mut begun = 0;
    let end = Instant::now() + within;
    let mut next = Instant::now();
    // A second connection to one address after the other, and when it ends or the next one begins.
    let mut refresh: Vec<Attempt<F>> = Vec::new();
    let mut refreshed = 0;
    let mut turn = Instant::now() + REFRESH_AFTER;
    loop {
        if begun < addresses.len() && (open.is_empty() || next <= Instant::now()) {
            open.push((begun, Box::pin(connect(addresses[begun]))));
            begun += 1;
            next = Instant::now() + STAGGER;
        }
        if open.is_empty() {
            return Err(Unreached(outcome));
        }
        let wake = if begun < addresses.len() { next.min(end) } else { turn.min(end) };
        tokio::select! {
            (address, result) = poll_fn(|context| poll_any(&mut open, context)) => match result {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    outcome[address].1 = Some(error);
                    next = Instant::now();
                }
            },
            (address, result) = poll_fn(|context| poll_any(&mut refresh, context)) => match result {
                Ok(stream) => return Ok(stream),
                // Somebody is there again, and takes no connection.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused || is_reset(&error) => {
                    outcome[address].1 = Some(error);
                    outcome.truncate(begun);
                    return Err(Unreached(outcome));
                }
                Err(_) => {}
            },
            () = sleep_until(wake) => if wake == end {
                // What was not begun has not been silent.
                outcome.truncate(begun);
                return Err(Unreached(outcome));
            } else if turn <= Instant::now() {
                if refresh.pop().is_some() {
                    turn += REFRESH_EVERY.saturating_sub(REFRESH_LASTS);
                } else {
                    let silent = |index: &usize| outcome[*index].1.is_none();
                    let index = (0..addresses.len()).filter(silent).nth(refreshed % open.len()).unwrap_or(0);
                    refreshed += 1;
                    refresh.push((index, Box::pin(connect(addresses[index]))));
                    turn = Instant::now() + REFRESH_LASTS;
                }
            },
        }
    }
}

/// The first attempt that ends, which is taken out.
fn poll_any<F: Future>(open: &mut Vec<Attempt<F>>, context: &mut Context<'_>) -> Poll<(usize, F::Output)> {
    for index in 0..open.len() {
        if let Poll::Ready(output) = open[index].1.as_mut().poll(context) {
            let (address, _) = open.swap_remove(index);
            return Poll::Ready((address, output));
        }
    }
    Poll::Pending
}

#[cfg(test)]
mod tests {
    use tokio::time::sleep;

    use super::*;

    const SILENT: &str = "[2001:db8::1]:8883";
    const SILENT_TOO: &str = "192.0.2.1:8883";
    const GOOD: &str = "192.0.2.7:8883";
    const REFUSES: &str = "192.0.2.9:8883";
    const STAGE: Duration = Duration::from_secs(30);

    fn addresses(all: &[&str]) -> Vec<SocketAddr> {
        all.iter().map(|address| address.parse().unwrap()).collect()
    }

    /// Who is reached, and after how long.
    async fn reached(all: &[&str]) -> (Result<SocketAddr, LinkError>, Duration) {
        let begin = Instant::now();
        let addresses = addresses(all);
        let result = race(&addresses, STAGE, async |address| {
            if address == GOOD.parse().unwrap() {
                sleep(Duration::from_millis(100)).await;
                Ok(address)
            } else if address == REFUSES.parse().unwrap() {
                Err(io::ErrorKind::ConnectionRefused.into())
            } else {
                std::future::pending().await
            }
        });
        (result.await.map_err(LinkError::from), begin.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_does_not_hold_up_a_good_one() {
        for (all, millis) in [
            (&[GOOD] as &[_], 100),
            (&[SILENT, GOOD], 350),
            (&[SILENT, SILENT_TOO, GOOD], 600),
            (&[REFUSES, GOOD], 100),
            (&[SILENT, REFUSES, GOOD], 350),
        ] {
            let (winner, after) = reached(all).await;
            assert_eq!((winner, after.as_millis()), (Ok(GOOD.parse().unwrap()), millis), "{all:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn addresses_that_are_not_reached_are_named() {
        let (error, after) = reached(&[SILENT, REFUSES, SILENT_TOO]).await;
        assert_eq!(after, STAGE);
        let error = error.unwrap_err();
        assert_eq!(
            error.why,
            "2001:db8::1 does not answer, 192.0.2.9: nobody listens there (connection refused), \
             192.0.2.1 does not answer"
        );
        assert_eq!(error.kind, LinkErrorKind::NobodyListens, "one of them has answered");
        let (error, after) = reached(&[REFUSES]).await;
        assert_eq!(error.unwrap_err().why, "nobody listens there (connection refused)");
        assert_eq!(after, Duration::ZERO, "there is nothing to wait for");
        assert_eq!(reached(&[SILENT, SILENT_TOO]).await.0.unwrap_err().kind, LinkErrorKind::Silent);
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_attempt_has_no_hole() {
        // As Linux does: a SYN is sent again after 1, 3, 7 and 15 s, and lost until the network is back.
        for back in (0..28_000).step_by(100).map(Duration::from_millis) {
            let begin = Instant::now();
            let addresses = addresses(&[GOOD]);
            let reached = race(&addresses, STAGE, async |_| {
                for wait in [0, 1, 2, 4, 8] {
                    sleep(Duration::from_secs(wait)).await;
                    if begin.elapsed() >= back {
                        return Ok(());
                    }
                }
                std::future::pending().await
            });
            reached.await.unwrap();
            let late = begin.elapsed() - back;
            assert!(late <= Duration::from_millis(2100), "back after {back:?}, seen {late:?} later");
        }
    }

    #[test]
    fn a_connection_that_is_reset_at_once_is_no_silence() {
        let error = |kind: Option<io::ErrorKind>| {
            LinkError::from(Unreached::from((GOOD.parse().unwrap(), kind.map(io::Error::from)))).kind
        };
        assert_eq!(error(None), LinkErrorKind::Silent);
        assert_eq!(error(Some(io::ErrorKind::HostUnreachable)), LinkErrorKind::Silent);
        assert_eq!(error(Some(io::ErrorKind::ConnectionRefused)), LinkErrorKind::NobodyListens);
        assert_eq!(error(Some(io::ErrorKind::ConnectionReset)), LinkErrorKind::Outage);
    }

    #[test]
    fn the_families_take_turns() {
        let mut all = addresses(&[SILENT, "[2001:db8::2]:1", "[2001:db8::3]:1", SILENT_TOO, GOOD]);
        take_turns(&mut all);
        assert_eq!(all, addresses(&[SILENT, SILENT_TOO, "[2001:db8::2]:1", GOOD, "[2001:db8::3]:1"]));
    }

    #[test]
    fn a_name_that_does_not_exist_is_an_answer_and_name_servers_that_do_not_answer_are_none() {
        let kind = |said: &str| {
            let error = io::Error::other(format!("failed to lookup address information: {said}"));
            let LinkError { kind, why } = unresolved(&error);
            assert!(why.ends_with(&format!(" ({said})")), "{why}");
            kind
        };
        for sentence in NO_SUCH_NAME {
            assert_eq!(kind(sentence), LinkErrorKind::Answered, "{sentence}");
        }
        for sentence in [
            "Temporary failure in name resolution",
            "Try again",
            "Non-recoverable failure in name resolution",
            "Unrecoverable error",
            "System error",
            "Memory allocation failure",
        ] {
            assert_eq!(kind(sentence), LinkErrorKind::Silent, "{sentence}");
        }
    }
}
