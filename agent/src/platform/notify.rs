//! Tells systemd how the service is: readiness, state in words, reloads, the watchdog (`sd_notify(3)`).
//!
//! A datagram to the socket that the service manager names in `NOTIFY_SOCKET`. Without that variable, or when nobody
//! takes the datagram, nothing happens: the agent runs the same with and without systemd.

use std::time::Duration;

#[cfg(unix)]
use std::os::unix::net::{SocketAddr, UnixDatagram};
#[cfg(unix)]
use std::sync::Arc;

use tracker_protocol::Printable;

/// The way to the service manager, if there is one.
#[derive(Debug, Clone, Default)]
pub struct Notify {
    #[cfg(unix)]
    socket: Option<Arc<(UnixDatagram, SocketAddr)>>,
    watchdog: Option<Duration>,
}

impl Notify {
    /// The manager that started this process, as its environment tells.
    pub fn from_environment() -> Self {
        let variable = |name| std::env::var(name).ok();
        let for_us = variable("WATCHDOG_PID").is_none_or(|pid| pid == std::process::id().to_string());
        let watchdog = variable("WATCHDOG_USEC").and_then(|text| text.parse().ok()).filter(|_| for_us);
        Self::new(variable("NOTIFY_SOCKET").as_deref(), watchdog.map(Duration::from_micros))
    }

    /// A manager that listens at `address` (a path, or `@` and an abstract name) and wants to hear from us within
    /// `watchdog`.
    pub fn new(address: Option<&str>, watchdog: Option<Duration>) -> Self {
        #[cfg(unix)]
        {
            let open = |address| {
                let socket = UnixDatagram::unbound().ok()?;
                // A manager that is busy must not hold up the tracker.
                socket.set_nonblocking(true).ok()?;
                Some(Arc::new((socket, socket_address(address)?)))
            };
            Self { socket: address.and_then(open), watchdog }
        }
        #[cfg(not(unix))]
        {
            let _ = address;
            Self { watchdog }
        }
    }

    /// Within what time the manager must hear [`Notify::alive`] again and again; `None`: it does not wait for it.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog.filter(|within| !within.is_zero())
    }

    /// The service does what it is for. False when the manager is too busy to hear it now.
    pub fn ready(&self) -> bool {
        self.send("READY=1")
    }

    /// Every essential task makes progress.
    pub fn alive(&self) {
        // The next one comes in time.
        let _ = self.send("WATCHDOG=1");
    }

    /// What it is doing, in words. False when the manager is too busy to hear it now.
    pub fn status(&self, words: &str) -> bool {
        self.send(&format!("STATUS={}", Printable(words.replace('\n', " "))))
    }

    /// It takes in its configuration anew; [`Notify::ready`] ends that.
    pub fn reloading(&self) {
        // The manager compares this with the moment of its signal, on the same clock.
        #[cfg(target_os = "linux")]
        let since = {
            let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
            format!("\nMONOTONIC_USEC={}", now.tv_sec * 1_000_000 + now.tv_nsec / 1000)
        };
        #[cfg(not(target_os = "linux"))]
        let since = "";
        // Not heard, it is as if it were over already.
        let _ = self.send(&format!("RELOADING=1{since}"));
    }

    /// It is about to end.
    pub fn stopping(&self) {
        let _ = self.send("STOPPING=1");
    }

    /// False when it is worth another attempt.
    fn send(&self, message: &str) -> bool {
        #[cfg(unix)]
        if let Some((socket, address)) = self.socket.as_deref()
            && let Err(error) = socket.send_to_addr(message.as_bytes(), address)
        {
            // A manager that does not listen at all is none of the tracker's business.
            return error.kind() != std::io::ErrorKind::WouldBlock;
        }
        #[cfg(not(unix))]
        let _ = message;
        true
    }
}

#[cfg(unix)]
fn socket_address(text: &str) -> Option<SocketAddr> {
    #[cfg(target_os = "linux")]
    if let Some(name) = text.strip_prefix('@') {
        use std::os::linux::net::SocketAddrExt;
        return SocketAddr::from_abstract_name(name).ok();
    }
    SocketAddr::from_pathname(text).ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn says_what_systemd_understands() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let heard = || {
            let mut buffer = [0; 256];
            let length = manager.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        let notify = Notify::new(path.to_str(), Some(Duration::from_secs(30)));
        notify.ready();
        assert_eq!(heard(), "READY=1");
        notify.status("online\nat a hub");
        assert_eq!(heard(), "STATUS=online at a hub");
        notify.alive();
        assert_eq!(heard(), "WATCHDOG=1");
        notify.stopping();
        assert_eq!(heard(), "STOPPING=1");
        notify.reloading();
        let reloading = heard();
        assert!(reloading.starts_with("RELOADING=1"), "{reloading}");
        #[cfg(target_os = "linux")]
        {
            let since = reloading.split_once("\nMONOTONIC_USEC=").unwrap().1;
            assert!(since.parse::<u64>().unwrap() > 0);
        }
    }

    #[test]
    fn a_manager_that_does_not_listen_holds_up_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _manager = UnixDatagram::bind(&path).unwrap();
        let notify = Notify::new(path.to_str(), None);
        assert!(notify.ready());
        let refused = (0..10_000).find(|_| !notify.ready());
        assert!(refused.is_some(), "the queue of a socket is bounded");
    }

    #[test]
    fn without_a_manager_nothing_happens() {
        assert!(Notify::default().ready());
        assert!(Notify::new(Some("/nowhere/notify"), None).ready());
        assert_eq!(Notify::new(None, Some(Duration::ZERO)).watchdog(), None);
    }
}
