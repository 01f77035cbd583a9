//! Whether there is a way out of this machine, so that a link that returns is used at once and not after a backoff.
//!
//! The kernel tells of new routes and of cables that are plugged in. Where it may not be listened to, it is asked from time
//! to time whether it would know a way. It is not the routing table that is looked at: a route may say that there is no way,
//! stand in one of many tables, and go over a cable that is unplugged.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::time::Instant;
use tracker_timers::{sleep_about, sleep_until};

#[cfg(target_os = "linux")]
use super::route_changes::RouteChanges;

/// How often the kernel is asked where it doesn't tell.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long a way must be there to count.
const SETTLES: Duration = Duration::from_millis(250);

/// A root server of the domain name system, which is everywhere and in nobody's own network. Nothing is sent to it.
const FAR_AWAY: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 41, 0, 4)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0x503, 0xba3e, 0, 0, 0, 2, 0x30)),
];

/// What happens to the ways out of this machine.
#[derive(Debug)]
pub struct Network {
    look_every: Duration,
    /// A way has appeared, and counts from then on.
    settled_at: Option<Instant>,
    /// The cloud is at a gateway, to which a route of its own may lead.
    is_near: bool,
    #[cfg(target_os = "linux")]
    changes: Option<RouteChanges>,
    #[cfg(target_os = "linux")]
    is_opened: bool,
}

impl Network {
    /// Nobody listens yet. `is_near`: what is to be reached may be in a network of its own, beside the internet.
    pub fn new(is_near: bool) -> Self {
        Self {
            look_every: LOOK_EVERY,
            settled_at: None,
            is_near,
            #[cfg(target_os = "linux")]
            changes: None,
            #[cfg(target_os = "linux")]
            is_opened: false,
        }
    }

    /// What has happened up to now is of no interest any more. To be called within the runtime, before an attempt, so
    /// that a way that appears during the attempt counts.
    pub fn forget(&mut self) {
        self.settled_at = None;
        #[cfg(target_os = "linux")]
        {
            if !self.is_opened {
                self.is_opened = true;
                self.changes = RouteChanges::listen(self.is_near);
            }
            if self.changes.as_mut().is_some_and(|changes| changes.take().is_err()) {
                self.changes = None;
            }
        }
    }

    /// Waits until a way out appears that was not there, and is still there a little later: a link that flaps is not
    /// up. May be cancelled; what has happened by then is known the next time.
    pub async fn comes_up(&mut self) {
        loop {
            let settled_at = match self.settled_at {
                Some(at) => at,
                None => {
                    self.appears().await;
                    *self.settled_at.insert(Instant::now() + SETTLES)
                }
            };
            sleep_until(settled_at).await;
            self.forget();
            // To one that is near, a route of its own suffices, and which one it is nobody knows.
            if self.is_near || has_way() {
                return;
            }
        }
    }

    async fn appears(&mut self) {
        #[cfg(target_os = "linux")]
        {
            if !self.is_opened {
                self.forget();
            }
            if let Some(changes) = &mut self.changes {
                match changes.appears().await {
                    Ok(()) => return,
                    Err(_) => self.changes = None,
                }
            }
        }
        let mut before = has_way();
        loop {
            sleep_about(self.look_every).await;
            let now = has_way();
            if now && !before {
                return;
            }
            before = now;
        }
    }
}

/// Whether the kernel knows a way to somewhere far away. Nothing is sent.
fn has_way() -> bool {
    FAR_AWAY.iter().any(|address| {
        let from: IpAddr = match address {
            IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let leads = |socket: UdpSocket| socket.connect(SocketAddr::new(*address, 53));
        UdpSocket::bind(SocketAddr::new(from, 0)).and_then(leads).is_ok()
    })
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::process::Command;

    use tokio::time::{sleep, timeout};

    use super::*;

    /// Where each command runs, in a machine without a network of which it is root.
    fn ip(arguments: &str) {
        let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "ip {arguments}");
    }

    async fn is_noticed(network: &mut Network, within: Duration, change: &str) -> bool {
        network.look_every = Duration::from_millis(50);
        network.forget();
        let seen = timeout(within, network.comes_up());
        let (seen, ()) = tokio::join!(seen, async {
            sleep(Duration::from_millis(50)).await;
            ip(change);
        });
        seen.is_ok()
    }

    #[tokio::test]
    #[ignore = "runs in a network of its own, see below"]
    async fn in_a_network_of_its_own() {
        ip("link set lo up");
        ip("address add 10.9.9.1/24 dev lo");
        ip("route add unreachable default metric 4000000000");
        let (long, short) = (Duration::from_secs(20), Duration::from_millis(300));
        for mut network in [Network::new(false), without_netlink()] {
            assert!(!has_way());
            assert!(is_noticed(&mut network, long, "route add default via 10.9.9.2 dev lo").await);
            assert!(has_way());
            ip("route del default via 10.9.9.2 dev lo");
        }
        let mut network = Network::new(false);
        assert!(!is_noticed(&mut network, short, "route add 10.8.0.0/16 via 10.9.9.2 dev lo").await);
        assert!(!is_noticed(&mut network, short, "route add blackhole default metric 5").await);
        ip("route del blackhole default metric 5");
        // Who waits for something else as well asks again and again.
        let mut asked = Network::new(false);
        asked.forget();
        ip("route add default via 10.9.9.2 dev lo");
        let mut seen = false;
        for _ in 0..50 {
            seen |= timeout(SETTLES / 5, asked.comes_up()).await.is_ok();
        }
        assert!(seen, "a way that has appeared is forgotten");
        ip("route del default via 10.9.9.2 dev lo");
        let mut near = Network::new(true);
        assert!(is_noticed(&mut near, long, "route add 10.7.0.0/16 via 10.9.9.2 dev lo").await);
    }

    fn without_netlink() -> Network {
        Network { is_opened: true, ..Network::new(false) }
    }

    /// Not everywhere may a user make a network of its own.
    #[test]
    fn a_way_that_appears_beside_an_unreachable_one_is_noticed() {
        let own_network = |program: &str, arguments: &[&str]| {
            Command::new("unshare").arg("-rn").arg(program).args(arguments).output()
        };
        if !own_network("ip", &["link"]).is_ok_and(|output| output.status.success()) {
            println!("not tested: this user can't make a network of its own (unshare -rn)");
            return;
        }
        let test = "platform::network::tests::in_a_network_of_its_own";
        let program = std::env::current_exe().unwrap();
        let output = own_network(program.to_str().unwrap(), &["--exact", test, "--ignored"]).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}
