//! Brings what waits to its target, one after the other, until nothing does.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    parcel::{DeadReason, Parcel},
    shared::Shared,
    target::{Failure, write},
};
use crate::lock::lock;

pub(super) struct Worker {
    shared: Arc<Shared>,
    stop: watch::Receiver<bool>,
}

impl Worker {
    pub(super) fn new(shared: Arc<Shared>, stop: watch::Receiver<bool>) -> Self {
        Self { shared, stop }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.bury().await;
            let parcels = {
                let mut queue = lock(&self.shared.queue);
                let parcels = queue.next(self.shared.parts.target.batch());
                if parcels.is_empty() && !queue.has_dead() {
                    queue.dismiss();
                    return;
                }
                parcels
            };
            let Some(first) = parcels.first() else { continue };
            if let Some(reason) = self.hopeless(first) {
                let mut queue = lock(&self.shared.queue);
                let outcome = queue.health().last_error.map(|(why, _)| why).unwrap_or_default();
                queue.give_up(reason, &outcome);
                continue;
            }
            let delivery = self.shared.parts.target.deliver(&parcels);
            let ended = tokio::select! {
                // Its sender gone means the same.
                _ = self.stop.changed() => return,
                ended = delivery => ended,
            };
            let now = self.shared.parts.clock.now();
            let attempts = {
                let mut queue = lock(&self.shared.queue);
                queue.tried(parcels.len(), now);
                match ended {
                    Ok(()) => {
                        queue.delivered(parcels.len(), now);
                        continue;
                    }
                    Err(Failure { why, is_final }) => {
                        tracing::warn!(target: "tracker_emulator::routing", endpoint = self.shared.parts.name, %why, "not delivered");
                        queue.failed(why.clone(), now);
                        if is_final {
                            queue.give_up(DeadReason::Refused, &why);
                            continue;
                        }
                    }
                }
                first.attempts + 1
            };
            if !self.pause(attempts).await {
                return;
            }
        }
    }

    /// Why a parcel is not tried any more.
    fn hopeless(&self, parcel: &Parcel) -> Option<DeadReason> {
        let redelivery = &self.shared.parts.redelivery;
        if parcel.attempts >= redelivery.max_attempts {
            return Some(DeadReason::Attempts);
        }
        let age = self.shared.parts.clock.now() - parcel.published;
        (age >= redelivery.time_to_live).then_some(DeadReason::Age)
    }

    /// Waits before the next attempt, and writes dead letters meanwhile. False: the worker is to end.
    async fn pause(&mut self, attempts: u32) -> bool {
        let redelivery = self.shared.parts.redelivery;
        if attempts >= redelivery.max_attempts {
            return true;
        }
        let wait = tokio::time::sleep(redelivery.wait(attempts));
        tokio::pin!(wait);
        loop {
            tokio::select! {
                _ = self.stop.changed() => return false,
                () = &mut wait => return true,
                () = self.shared.dead.notified() => self.bury().await,
            }
        }
    }

    /// Writes dead letters where they belong.
    async fn bury(&self) {
        let dead = lock(&self.shared.queue).take_dead();
        if dead.is_empty() {
            return;
        }
        let count = dead.len();
        let written = match &self.shared.parts.dead_letters {
            Some(path) => write(path.clone(), dead).await,
            None => Err("there is no dead letter file".into()),
        };
        if let Err(why) = written {
            tracing::warn!(target: "tracker_emulator::routing", endpoint = self.shared.parts.name, count, %why, "dropped");
            lock(&self.shared.queue).lost(count);
        }
    }
}
