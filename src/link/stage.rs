//! How far an attempt to connect has come: name resolution, TCP, TLS, MQTT.
//!
//! The MQTT client makes name resolution, TCP, TLS and CONNECT in one go. TLS, however, asks its session store for
//! something to resume just before its first byte, and tells it what was agreed when the server has answered: a store
//! that watches itself being asked knows the stage. Before that there is nothing to watch, so an attempt that has not
//! come to TLS after a moment resolves the name a second time beside the client: when that is done, so is the client's,
//! and what is waited for is TCP. Attempts that go well, the usual ones, ask their name servers once.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

/// Within this time a name is resolved and TCP stands, mostly; if not, it is worth a second question to know which of
/// the two it is.
const RESOLVED_BEFORE: Duration = Duration::from_secs(2);

/// How far an attempt has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Resolving the name.
    Resolving,
    /// The name has an address; connecting TCP.
    Reaching,
    /// TLS has said its first word.
    Securing,
    /// The server has answered in TLS; what is left is its end, and MQTT's CONNECT.
    Greeting,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolving => "the name servers do not answer",
            Self::Reaching => "the name is resolved, but there is no TCP connection",
            Self::Securing => "TCP stands, but the server does not answer TLS",
            Self::Greeting => "TLS stands, but the server does not answer CONNECT",
        })
    }
}

/// What becomes of an attempt that does not get on: ends when it has been in one stage for `each`, or under way for
/// `all`, and says in which stage. `resolve` is to end when the name is resolved; it is asked if the attempt has not
/// come to TLS within two seconds, or half of `each` if that is shorter.
pub async fn stuck(
    mut stage: watch::Receiver<Stage>,
    resolve: impl Future<Output = ()>,
    each: Duration,
    all: Duration,
) -> String {
    let end = Instant::now() + all;
    let asked = async {
        sleep(RESOLVED_BEFORE.min(each / 2)).await;
        resolve.await;
    };
    tokio::pin!(asked);
    let mut resolved = false;
    loop {
        let now_at = match *stage.borrow_and_update() {
            Stage::Resolving if resolved => Stage::Reaching,
            stage => stage,
        };
        // The stage has only begun when the one before was seen to end.
        let due = end.min(Instant::now() + each);
        tokio::select! {
            Ok(()) = stage.changed() => {}
            () = &mut asked, if now_at == Stage::Resolving => resolved = true,
            () = sleep_until(due) => {
                let (time, of) = if due < end { (each, "") } else { (all, " of the whole attempt") };
                return format!("{now_at} within {:.0} s{of}", time.as_secs_f64().ceil());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const EACH: Duration = Duration::from_secs(30);
    const ALL: Duration = Duration::from_secs(75);

    /// What is said, and after how many seconds, when the name is resolved after `resolve` from the question on, and
    /// the stages are reached at their seconds.
    async fn fate(resolve: Option<u64>, stages: &[(u64, Stage)]) -> (String, u64) {
        let stage = watch::Sender::new(Stage::Resolving);
        let begin = Instant::now();
        let name = async {
            match resolve {
                Some(seconds) => sleep(Duration::from_secs(seconds)).await,
                None => std::future::pending().await,
            }
        };
        let progress = async {
            for &(at, reached) in stages {
                sleep_until(begin + Duration::from_secs(at)).await;
                stage.send_replace(reached);
            }
            std::future::pending::<()>().await;
        };
        let why = tokio::select! {
            why = stuck(stage.subscribe(), name, EACH, ALL) => why,
            () = progress => unreachable!("it never ends"),
        };
        (why, begin.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_that_nobody_resolves_is_given_up_and_named() {
        let (why, after) = fate(None, &[]).await;
        assert_eq!((why.as_str(), after), ("the name servers do not answer within 30 s", 30));
    }

    #[tokio::test(start_paused = true)]
    async fn tcp_has_a_deadline_of_its_own_after_a_slow_name() {
        let (why, after) = fate(Some(20), &[]).await;
        assert_eq!(why, "the name is resolved, but there is no TCP connection within 30 s");
        assert_eq!(after, 2 + 20 + 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_name_and_slow_tcp_still_come_to_tls() {
        let (why, after) = fate(Some(25), &[(50, Stage::Securing), (60, Stage::Greeting)]).await;
        assert_eq!(
            why,
            "TLS stands, but the server does not answer CONNECT within 75 s of the whole attempt"
        );
        assert_eq!(after, 75);
    }

    #[tokio::test(start_paused = true)]
    async fn short_stages_are_told_apart_too() {
        let stage = watch::Sender::new(Stage::Resolving);
        let begin = Instant::now();
        let why = stuck(stage.subscribe(), async {}, RESOLVED_BEFORE, ALL).await;
        assert_eq!(why, "the name is resolved, but there is no TCP connection within 2 s");
        assert_eq!(begin.elapsed(), RESOLVED_BEFORE * 3 / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gets_to_tls_at_once_does_not_ask_for_the_name_again() {
        let stage = watch::Sender::new(Stage::Resolving);
        let asked = Cell::new(false);
        let progress = async {
            sleep(RESOLVED_BEFORE / 2).await;
            stage.send_replace(Stage::Securing);
            std::future::pending::<()>().await;
        };
        let why = tokio::select! {
            why = stuck(stage.subscribe(), async { asked.set(true) }, EACH, ALL) => why,
            () = progress => unreachable!("it never ends"),
        };
        assert_eq!(why, "TCP stands, but the server does not answer TLS within 30 s");
        assert!(!asked.get());
    }
}
