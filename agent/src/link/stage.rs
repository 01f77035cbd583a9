//! How far an attempt to connect has come: name resolution, TCP, perhaps a proxy, TLS, perhaps a WebSocket, MQTT; and how long
//! each may take.

use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::link::error::{LinkError, LinkErrorKind};
use crate::link::timing::Timing;

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Resolving the name.
    Resolving,
    /// The name has an address; connecting TCP.
    Reaching,
    /// The proxy has a TCP connection, and is asked for a tunnel.
    Tunnelling,
    /// Making TLS.
    Securing,
    /// Asking for a WebSocket.
    Upgrading,
    /// MQTT's CONNECT is on its way.
    Greeting,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "the name servers do not answer",
            Self::Reaching => "the name is resolved, but there is no TCP connection",
            Self::Tunnelling => "the proxy takes the connection, but does not answer CONNECT",
            Self::Securing => "TCP stands, but the server does not answer TLS",
            Self::Upgrading => "TLS stands, but the server does not answer the upgrade to WebSocket",
            Self::Greeting => "TLS stands, but the server does not answer CONNECT",
        })
    }
}

/// The time of one attempt.
#[derive(Debug)]
pub(super) struct Attempt {
    each: Duration,
    all: Duration,
    end: Instant,
}

impl Attempt {
    /// An attempt that begins now.
    pub(super) fn begin(timing: &Timing) -> Self {
        let all = timing.connect_within;
        Self { each: timing.stage_within, all, end: Instant::now() + all }
    }

    /// So long a stage that begins now may last.
    pub(super) fn left(&self) -> Duration {
        self.each.min(self.end.saturating_duration_since(Instant::now()))
    }

    /// Does the work of a stage, within its time.
    pub(super) async fn stage<T>(&self, stage: Stage, work: impl Future<Output = T>) -> Result<T, LinkError> {
        let due = Instant::now() + self.left();
        timeout_at(due, work).await.map_err(|_| self.late(stage))
    }

    /// What is said of a stage that has just used up its time.
    pub(super) fn late(&self, stage: Stage) -> LinkError {
        let in_time = Instant::now() < self.end;
        let (time, of) = if in_time { (self.each, "") } else { (self.all, " of the whole attempt") };
        let why = format!("{stage} within {:.0} s{of}", time.as_secs_f64().ceil());
        let kind = match stage {
            Stage::Resolving | Stage::Reaching => LinkErrorKind::Silent,
            // Many proxies try for longer than this to reach a server that nobody can reach.
            Stage::Tunnelling => LinkErrorKind::NobodyListens,
            Stage::Securing | Stage::Upgrading | Stage::Greeting => LinkErrorKind::Outage,
        };
        LinkError { kind, why }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_stage_has_its_time_and_all_have_theirs() {
        let timing = Timing::default();
        for (seconds, stage, said, after) in [
            (&[] as &[_], Stage::Resolving, "the name servers do not answer within 30 s", 30),
            (&[20], Stage::Reaching, "the name is resolved, but there is no TCP connection within 30 s", 50),
            (
                &[20, 25],
                Stage::Securing,
                "TCP stands, but the server does not answer TLS within 75 s of the whole attempt",
                75,
            ),
            (
                &[1],
                Stage::Tunnelling,
                "the proxy takes the connection, but does not answer CONNECT within 30 s",
                31,
            ),
            (
                &[1, 1, 1],
                Stage::Upgrading,
                "TLS stands, but the server does not answer the upgrade to WebSocket within 30 s",
                33,
            ),
            (
                &[1, 1, 1],
                Stage::Greeting,
                "TLS stands, but the server does not answer CONNECT within 30 s",
                33,
            ),
        ] {
            let begin = Instant::now();
            let attempt = Attempt::begin(&timing);
            for before in seconds {
                attempt.stage(Stage::Resolving, sleep(Duration::from_secs(*before))).await.unwrap();
            }
            let error = attempt.stage(stage, pending::<()>()).await.unwrap_err();
            assert_eq!((error.why.as_str(), begin.elapsed().as_secs()), (said, after));
        }
    }
}
