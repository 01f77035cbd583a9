//! A part of a fleet from its first device to its last goodbye.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use tracker_protocol::RegistrationId;

use super::device::Device;
use super::fault::{Fault, FaultKind};
use super::shared::{Shared, Stage};

/// Looked at so often.
const LOOK: Duration = Duration::from_millis(50);
/// All devices have said goodbye within this time.
const LEAVE_WITHIN: Duration = Duration::from_secs(5);

/// How a program's part ended, or that it goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Something was missing or wrong, and no device has begun.
    NotBegun,
    /// It goes on. What is found so was cut off.
    Running,
    /// Every device has said what it had to say, or has given up.
    Complete,
    /// Somebody has stopped it.
    Interrupted,
    /// Nothing has come from any device for too long.
    Stalled,
}

/// How devices begin, and when it is over.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Within which all devices begin, one after the other.
    pub ramp: Duration,
    /// What happens to all happens so long after all were online.
    pub happens_after: Duration,
    /// Without anything new from any device for so long it is given up.
    pub patience: Duration,
}

/// Plays the part, until it is over or `stopped` comes; how long it took until all devices were online, and how it ended.
pub async fn play(
    shared: &Arc<Shared>,
    terms: Terms,
    stopped: impl Future<Output = ()>,
) -> (Option<Duration>, State) {
    let mut fleet =
        Fleet { shared, terms, devices: JoinSet::new(), begun: 0, ready: None, has_happened: false };
    let since = Instant::now();
    let state = tokio::select! {
        biased;
        () = stopped => State::Interrupted,
        state = fleet.work(since) => state,
    };
    shared.stage.send_replace(Stage::Leaving);
    let all = async { while fleet.devices.join_next().await.is_some() {} };
    // Those that take longer are cut off.
    let _ = timeout(LEAVE_WITHIN, all).await;
    (fleet.ready.map(|ready| ready - since), state)
}

struct Fleet<'a> {
    shared: &'a Arc<Shared>,
    terms: Terms,
    devices: JoinSet<()>,
    /// Devices that have begun.
    begun: u32,
    /// When all were online once.
    ready: Option<Instant>,
    has_happened: bool,
}

impl Fleet<'_> {
    async fn work(&mut self, since: Instant) -> State {
        let mut ticks = interval(LOOK);
        let (mut progress, mut news) = (None, Instant::now());
        loop {
            ticks.tick().await;
            self.begin(since.elapsed());
            while self.devices.try_join_next().is_some() {}
            let now = Instant::now();
            let seen = (self.begun, self.shared.tally.progress(), self.ready.is_some(), self.has_happened);
            if progress != Some(seen) || self.shared.is_held() {
                (progress, news) = (Some(seen), now);
            }
            if self.is_over(now) {
                return State::Complete;
            }
            if now - news > self.terms.patience {
                return State::Stalled;
            }
        }
    }

    /// Begins as many as are due.
    fn begin(&mut self, elapsed: Duration) {
        let count = self.shared.span.count;
        let due = match self.terms.ramp {
            Duration::ZERO => count,
            ramp => (elapsed.as_secs_f64() / ramp.as_secs_f64() * f64::from(count)).ceil() as u32,
        };
        let first = self.shared.span.first;
        for number in first + self.begun..first + due.min(count) {
            let name = self.shared.name(number);
            match name.parse::<RegistrationId>() {
                Ok(id) => drop(self.devices.spawn(Device::new(self.shared, number, id).live())),
                Err(error) => {
                    self.shared.tally.fault(&Fault::new(FaultKind::Leaf, error.to_string()));
                    self.shared.tally.failed.inc();
                }
            }
        }
        self.begun = self.begun.max(due.min(count));
    }

    /// Whether everybody has done what there is to do.
    fn is_over(&mut self, now: Instant) -> bool {
        let tally = &self.shared.tally;
        let (count, failed) = (u64::from(self.shared.span.count), tally.failed.get());
        if self.ready.is_none() && tally.met.get() + failed >= count {
            self.ready = Some(now);
        }
        let Some(ready) = self.ready else { return false };
        if let Some(happening) = self.shared.plan.happening() {
            if !self.has_happened && now - ready >= self.terms.happens_after {
                self.has_happened = true;
                self.shared.stage.send_replace(Stage::Happened(happening));
            }
            if !self.has_happened || tally.recovered.get() + failed < count {
                return failed >= count;
            }
        }
        tally.finished.get() + failed >= count
    }
}
