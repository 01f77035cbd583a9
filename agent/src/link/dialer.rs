//! TCP to the servers of one device, with a memory: the addresses that a name had, so that a silent name server holds up
//! nobody, and how long a connection takes there.

use std::future::pending;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::config::Endpoint;
use crate::link::dial::{self, Probe, Unreached};
use crate::link::error::{LinkError, LinkErrorKind};
use crate::link::stage::{Attempt, Stage};

/// A name server has so long before the addresses of last time are tried, and before it is asked once more.
const PATIENCE: Duration = Duration::from_secs(2);
/// Look-ups at once: each has a thread until the system gives it up.
const LOOKUPS: usize = 3;
/// With addresses in hand, a name is looked up beside each of so many probes.
const LOOKUP_EVERY: u32 = 5;
/// A probe ends just before the system would send a second SYN,
const SHORT: Duration = Duration::from_millis(950);
/// a long one after the third.
const LONG: Duration = Duration::from_secs(5);
/// Where a connection has last taken so long, there are only long ones.
const SLOW: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(30);
/// DPS and hub, and room for a move.
const MOST_KNOWN: usize = 4;

type Found = Result<Vec<SocketAddr>, LinkError>;

/// Makes the TCP connections of one device.
#[derive(Debug, Default)]
pub struct Dialer {
    known: Vec<Known>,
    lookups: JoinSet<(Endpoint, Found)>,
    /// When the last look-up began.
    looked_up: Option<Instant>,
    /// Probes so far.
    turn: usize,
    /// What a probe has reached.
    ready: Option<(Endpoint, TcpStream)>,
}

/// What is known of a server.
#[derive(Debug)]
struct Known {
    endpoint: Endpoint,
    addresses: Vec<SocketAddr>,
    /// How long the last TCP connection took to stand.
    took: Duration,
}

impl Dialer {
    /// One that has reached this server already, from an address of its own choice.
    #[cfg(feature = "lab")]
    pub fn holding(endpoint: &Endpoint, tcp: TcpStream) -> Self {
        Self { ready: Some((endpoint.clone(), tcp)), ..Self::default() }
    }

    /// TCP to this server, as long as the attempt lasts: what the last probe has reached, or all that its name leads to.
    pub(super) async fn reach(
        &mut self,
        endpoint: &Endpoint,
        attempt: &Attempt,
    ) -> Result<TcpStream, LinkError> {
        if let Some((_, tcp)) = self.ready.take_if(|(reached, _)| reached == endpoint) {
            return Ok(tcp);
        }
        let addresses = self.addresses(endpoint, attempt).await?;
        let begun = Instant::now();
        match dial::connect(&addresses, attempt.left()).await {
            Ok(tcp) => {
                self.known(endpoint).took = begun.elapsed();
                Ok(tcp)
            }
            Err(unreached) if unreached.is_silence() => {
                let LinkError { kind, why } = attempt.late(Stage::Reaching);
                Err(LinkError { kind, why: format!("{why} ({unreached})") })
            }
            Err(unreached) => Err(unreached.into()),
        }
    }

    /// Looks whether somebody answers: one SYN to one address, and a look-up beside it from time to time. What is reached
    /// is kept for the attempt that follows.
    pub async fn probe(&mut self, endpoint: &Endpoint, probe: Probe) -> Result<(), LinkError> {
        self.turn = self.turn.wrapping_add(1);
        while let Some(looked_up) = self.lookups.try_join_next() {
            if let Ok((of, found)) = looked_up
                && of == *endpoint
            {
                self.take(endpoint, found).map_err(|error| error.at(endpoint))?;
            }
        }
        let known = !self.known(endpoint).addresses.is_empty();
        self.look_up(endpoint, if known { probe.every * LOOKUP_EVERY } else { probe.every });
        let slow = self.known(endpoint).took;
        let lasts = match slow {
            slow if slow > SLOW => (slow * 3).clamp(LONG, LONGEST),
            _ if probe.is_long => LONG,
            _ => SHORT,
        };
        let mut begun = Instant::now();
        let mut address = self.address(endpoint);
        let mut connecting = address.map(connecting);
        loop {
            tokio::select! {
                result = or_never(connecting.as_mut()) => return match result {
                    Ok(tcp) => {
                        self.known(endpoint).took = begun.elapsed();
                        self.ready = Some((endpoint.clone(), tcp));
                        Ok(())
                    }
                    Err(error) => Err(unreached(endpoint, address, Some(error))),
                },
                found = self.found(endpoint) => {
                    self.take(endpoint, found).map_err(|error| error.at(endpoint))?;
                    // The one that is tried may not be its own any more.
                    if address.is_none_or(|address| !self.known(endpoint).addresses.contains(&address)) {
                        address = self.address(endpoint);
                        (begun, connecting) = (Instant::now(), address.map(self::connecting));
                    }
                }
                () = sleep_until(begun + lasts) => return Err(unreached(endpoint, address, None)),
            }
        }
    }

    /// The probe's connection is not wanted after all.
    pub fn forget_probe(&mut self) {
        self.ready = None;
    }

    /// The addresses of a name: those that it has now, or where nobody says so, those of last time.
    async fn addresses(&mut self, endpoint: &Endpoint, attempt: &Attempt) -> Found {
        let due = Instant::now() + attempt.left();
        let patience = Instant::now() + PATIENCE;
        self.look_up(endpoint, Duration::ZERO);
        loop {
            let known = self.known(endpoint).addresses.clone();
            let has_some = !known.is_empty();
            if has_some && Instant::now() >= patience {
                return Ok(known);
            }
            let wake = if has_some { patience } else { (Instant::now() + PATIENCE).min(due) };
            tokio::select! {
                found = self.found(endpoint) => match self.take(endpoint, found) {
                    Err(error) if error.kind == LinkErrorKind::Silent && has_some => return Ok(known),
                    Err(error) => return Err(error),
                    Ok(()) => return Ok(self.known(endpoint).addresses.clone()),
                },
                () = sleep_until(wake) => self.look_up(endpoint, PATIENCE),
            }
            if Instant::now() >= due {
                return Err(attempt.late(Stage::Resolving));
            }
        }
    }

    /// Begins to look up a name, unless that was begun less than so long ago, or is being done often enough.
    fn look_up(&mut self, endpoint: &Endpoint, every: Duration) {
        if self.lookups.len() < LOOKUPS && self.looked_up.is_none_or(|at| at.elapsed() >= every) {
            self.looked_up = Some(Instant::now());
            let endpoint = endpoint.clone();
            self.lookups.spawn(async move {
                let found = dial::resolve(&endpoint).await;
                (endpoint, found)
            });
        }
    }

    /// The next answer about this name.
    async fn found(&mut self, endpoint: &Endpoint) -> Found {
        loop {
            match self.lookups.join_next().await {
                Some(Ok((of, found))) if of == *endpoint => return found,
                Some(_) => {}
                None => return pending().await,
            }
        }
    }

    /// Takes what a look-up has found. A name that does not exist has no addresses any more.
    fn take(&mut self, endpoint: &Endpoint, found: Found) -> Result<(), LinkError> {
        let silent = found.as_ref().is_err_and(|error| error.kind == LinkErrorKind::Silent);
        let known = self.known(endpoint);
        if silent && !known.addresses.is_empty() {
            return Ok(());
        }
        let (addresses, result) = match found {
            Ok(addresses) => (addresses, Ok(())),
            Err(error) => (Vec::new(), Err(error)),
        };
        known.addresses = addresses;
        result
    }

    /// The address whose turn it is.
    fn address(&mut self, endpoint: &Endpoint) -> Option<SocketAddr> {
        let turn = self.turn;
        let addresses = &self.known(endpoint).addresses;
        addresses.get(turn.checked_rem(addresses.len())?).copied()
    }

    fn known(&mut self, endpoint: &Endpoint) -> &mut Known {
        let index = self.known.iter().position(|known| known.endpoint == *endpoint).unwrap_or_else(|| {
            if self.known.len() == MOST_KNOWN {
                self.known.remove(0);
            }
            let endpoint = endpoint.clone();
            self.known.push(Known { endpoint, addresses: Vec::new(), took: Duration::ZERO });
            self.known.len() - 1
        });
        &mut self.known[index]
    }
}

fn unreached(endpoint: &Endpoint, address: Option<SocketAddr>, why: Option<io::Error>) -> LinkError {
    let error = match address {
        Some(address) => Unreached::from((address, why)).into(),
        None => LinkError { kind: LinkErrorKind::Silent, why: Stage::Resolving.to_string() },
    };
    error.at(endpoint)
}

type Connecting = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

fn connecting(address: SocketAddr) -> Connecting {
    Box::pin(TcpStream::connect(address))
}

async fn or_never(connecting: Option<&mut Connecting>) -> io::Result<TcpStream> {
    match connecting {
        Some(connecting) => connecting.await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::link::timing::Timing;

    const PROBE: Probe = Probe { is_long: false, every: Duration::from_secs(2) };
    const OLD: &str = "127.0.0.9:1";

    fn knows(endpoint: &Endpoint, address: &str) -> Dialer {
        let mut dialer = Dialer::default();
        dialer.known(endpoint).addresses = vec![address.parse().unwrap()];
        dialer
    }

    #[tokio::test]
    async fn the_connection_of_a_probe_is_the_one_that_is_used() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        let mut dialer = Dialer::default();
        dialer.probe(&endpoint, PROBE).await.unwrap();
        let tcp = dialer.reach(&endpoint, &Attempt::begin(&Timing::default())).await.unwrap();
        let (_, from) = listener.accept().await.unwrap();
        assert_eq!(tcp.local_addr().unwrap(), from);
        assert!(dialer.ready.is_none());
    }

    #[tokio::test]
    async fn a_server_that_has_moved_is_found_by_probes() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = Endpoint { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
        let mut dialer = knows(&endpoint, OLD);
        let mut refused = 0;
        while let Err(error) = dialer.probe(&endpoint, PROBE).await {
            assert_eq!(error.kind, LinkErrorKind::NobodyListens, "{error}");
            refused += 1;
            assert!(refused < 100);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(dialer.known(&endpoint).addresses, [listener.local_addr().unwrap()]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_name_server_does_not_hold_up_what_is_known() {
        let endpoint = Endpoint { host: "hub.example".into(), port: 8883 };
        let silent = |dialer: &mut Dialer| {
            for _ in 0..LOOKUPS {
                dialer.lookups.spawn(pending());
            }
        };
        let mut dialer = knows(&endpoint, OLD);
        silent(&mut dialer);
        let begun = Instant::now();
        let found = dialer.addresses(&endpoint, &Attempt::begin(&Timing::default())).await.unwrap();
        assert_eq!((found, begun.elapsed()), (vec![OLD.parse().unwrap()], PATIENCE));
        assert_eq!(dialer.lookups.len(), LOOKUPS, "no more than so many wait for it");

        let mut new = Dialer::default();
        silent(&mut new);
        let error = new.probe(&endpoint, PROBE).await.unwrap_err();
        assert_eq!(error.kind, LinkErrorKind::Silent);
        assert_eq!(error.why, "hub.example:8883: the name servers do not answer");
    }
}
