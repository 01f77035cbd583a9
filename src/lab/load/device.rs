//! One device: registered, online, and online again until all that it has to say is acknowledged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use rustls::sign::CertifiedKey;
use tokio::sync::{SemaphorePermit, watch};
use tokio::time::{Instant, sleep};
use tracker_protocol::RegistrationId;

use super::fault::{Fault, FaultKind};
use super::latency::Latency;
use super::plan::Happening;
use super::registering::{Setback, connect, options, register};
use super::shared::{Shared, Stage};
use super::tls::Ticket;
use crate::link::Link;
use crate::uplink::session::username;

/// Between attempts, doubled with each.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// A connection shorter than this that the server closes is a suspicion,
const SHORT_SPELL: Duration = Duration::from_mins(1);
/// and so many in a row are another client.
const MOST_CUTS: u8 = 3;
/// Attempts that break off because of the certificate, before the device gives up.
const MOST_REFUSALS: u8 = 3;

/// What a message's acknowledgement stands for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    pub(super) message: u32,
    pub(super) at: Instant,
}

/// How a connection ended.
pub(super) enum End {
    /// All is said.
    Left,
    /// The device is at sea until then.
    Dark(Instant),
    Happened(Happening),
    Lost(Fault),
}

/// A device.
pub(super) struct Device {
    pub(super) shared: Arc<Shared>,
    pub(super) number: u32,
    id: RegistrationId,
    key: Option<Arc<CertifiedKey>>,
    assigned: Option<(String, String)>,
    ticket: Option<Arc<Ticket>>,
    failures: u8,
    cuts: u8,
    refusals: u8,
    /// When it was online first: its time begins then.
    pub(super) begun: Option<Instant>,
    /// The next message that was never sent.
    pub(super) next: u32,
    /// Of alarms.
    pub(super) alarms: u32,
    pub(super) unacknowledged: VecDeque<u32>,
    /// Its hub has answered the request for the twin.
    pub(super) knows_twin: bool,
    pub(super) has_finished: bool,
    pub(super) stage: watch::Receiver<Stage>,
    happened: Option<Instant>,
}

impl Device {
    pub(super) fn new(shared: &Arc<Shared>, number: u32, id: RegistrationId) -> Self {
        // Only those that are cut come back to a hub that knows them.
        let resumes = shared.plan.happening() == Some(Happening::Cut);
        Self {
            shared: Arc::clone(shared),
            number,
            id,
            key: None,
            assigned: None,
            ticket: resumes.then(Arc::default),
            failures: 0,
            cuts: 0,
            refusals: 0,
            begun: None,
            next: 0,
            alarms: 0,
            unacknowledged: VecDeque::new(),
            knows_twin: false,
            has_finished: false,
            stage: shared.stage.subscribe(),
            happened: None,
        }
    }

    /// Lives until all devices leave, or until it gives up.
    pub(super) async fn live(mut self) {
        let shared = Arc::clone(&self.shared);
        loop {
            let turn = self.turn(&shared).await;
            // What connecting takes of memory is there for those whose turn it is, and given back as soon as it is done.
            let link = match Box::pin(self.online(&shared, turn)).await {
                Ok(link) => link,
                Err(setback) => {
                    if !self.goes_on(&setback).await {
                        return;
                    }
                    continue;
                }
            };
            let online_since = Instant::now();
            self.shared.tally.online.inc();
            let end = self.serve(link).await;
            self.shared.tally.online.dec();
            self.shared.is_at(self.number, None);
            match end {
                End::Left => return,
                End::Dark(until) => {
                    if !self.waits(until.saturating_duration_since(Instant::now())).await {
                        return;
                    }
                }
                End::Happened(happening) => self.happens(happening),
                End::Lost(fault) => {
                    if !self.is_lost(fault, online_since).await {
                        return;
                    }
                }
            }
        }
    }

    /// Waits until it may come.
    async fn turn<'a>(&self, shared: &'a Shared) -> Option<SemaphorePermit<'a>> {
        if self.assigned.is_none() {
            shared.pacer.registration().await;
        }
        shared.pacer.place().await
    }

    /// From wherever it is to a connection with its hub.
    async fn online<'a>(
        &mut self,
        shared: &'a Shared,
        mut held: Option<SemaphorePermit<'a>>,
    ) -> Result<Link<Sent>, Setback> {
        let is_new = self.assigned.is_none();
        let begun = Instant::now();
        let name = self.id.as_str();
        let key = match &self.key {
            Some(key) => Arc::clone(key),
            None => {
                let made = shared.leafs.leaf(self.number, name);
                let made = made.map_err(|error| Fault::new(FaultKind::Leaf, format!("{name}: {error:#}")))?;
                Arc::clone(self.key.insert(made))
            }
        };
        let place = &shared.places[shared.place_of(self.number)];
        if is_new {
            let tls = place.trust.of(&key, None);
            let assigned = register(shared, self.number, &self.id, tls, &mut held).await?;
            if self.begun.is_none() {
                shared.tally.provisioned.inc();
            }
            self.assigned = Some((assigned.hub, assigned.device_id));
            if held.is_none() {
                held = shared.pacer.place().await;
            }
        }
        let Some((hub, device_id)) = &self.assigned else {
            return Err(Fault::new(FaultKind::Identity, "no hub is assigned").into());
        };
        let connecting = Instant::now();
        let tls = place.trust.of(&key, self.ticket.as_ref());
        let mut options = options(place, device_id, username(hub, device_id, false), tls);
        options.endpoint = place.hub(hub);
        let link = connect(shared, self.number, &options).await?;
        drop(held);
        let now = Instant::now();
        let tally = &shared.tally;
        tally.hub_connections.inc();
        tally.took(Latency::Connecting, now - connecting);
        if is_new {
            tally.took(Latency::Provisioning, now - begun);
        }
        if self.begun.is_none() {
            self.begun = Some(now);
            tally.met.inc();
        }
        if let Some(happened) = self.happened.take() {
            tally.took(Latency::Recovery, now - happened);
            tally.recovered.inc();
        }
        shared.is_at(self.number, Some(hub));
        (self.failures, self.refusals) = (0, 0);
        Ok(link)
    }

    /// What it is called at its hub.
    pub(super) fn device_id(&self) -> &str {
        self.assigned.as_ref().map_or(self.id.as_str(), |(_, device_id)| device_id)
    }

    /// Whether it tries again after this, once it has waited.
    async fn goes_on(&mut self, setback: &Setback) -> bool {
        let fault = &setback.fault;
        self.shared.tally.fault(fault);
        match fault.kind {
            FaultKind::DpsRefused | FaultKind::Leaf | FaultKind::BadSource => {
                self.gives_up();
                return false;
            }
            FaultKind::Certificate => {
                self.refusals += 1;
                if self.refusals >= MOST_REFUSALS {
                    self.gives_up();
                    return false;
                }
                self.assigned = None;
            }
            FaultKind::Identity => self.assigned = None,
            _ => {}
        }
        let wait = self.backoff().max(setback.wait.unwrap_or_default());
        self.waits(wait).await
    }

    /// Whether it tries again after a connection that broke, once it has waited.
    async fn is_lost(&mut self, fault: Fault, since: Instant) -> bool {
        let tally = &self.shared.tally;
        tally.lost.inc();
        let is_cut = fault.kind == FaultKind::Closed && since.elapsed() < SHORT_SPELL;
        self.cuts = if is_cut { self.cuts + 1 } else { 0 };
        if fault.kind == FaultKind::TakenOver || self.cuts >= MOST_CUTS {
            let why = format!(
                "{}: the hub closed {} connections in a row, each soon after it had taken it",
                self.id, self.cuts
            );
            tally.fault(&Fault::new(FaultKind::TakenOver, why));
            tally.taken_over.inc();
            self.gives_up();
            return false;
        }
        tally.fault(&fault);
        let wait = self.backoff();
        self.waits(wait).await
    }

    fn gives_up(&self) {
        self.shared.tally.failed.inc();
    }

    /// From half of the wait to the whole.
    fn backoff(&mut self) -> Duration {
        let most = FIRST_WAIT.saturating_mul(1 << self.failures.min(10)).min(LONGEST_WAIT);
        self.failures = self.failures.saturating_add(1);
        most.mul_f64(0.5 + rand::random::<f64>() / 2.0)
    }

    /// Waits so long; `false` when all leave meanwhile.
    async fn waits(&mut self, wait: Duration) -> bool {
        // A receiver of its own: what happens meanwhile is news to this one yet.
        let mut stage = self.stage.clone();
        tokio::select! {
            () = sleep(wait) => true,
            _ = stage.wait_for(|stage| *stage == Stage::Leaving) => false,
        }
    }

    fn happens(&mut self, happening: Happening) {
        self.happened = Some(Instant::now());
        match happening {
            Happening::Cut | Happening::Alarms => {}
            Happening::Reprovision => self.assigned = None,
            Happening::Roll => (self.assigned, self.key) = (None, None),
        }
    }
}
