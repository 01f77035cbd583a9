//! Readings on their way from the journal to the hub: asked for, sent within a window, acknowledged, forgotten.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep};

use crate::config::DeliveryMode;
use crate::event::repeats::Repeated;
use crate::event::{Event, Events};
use crate::journal::{Journal, Lease};
use crate::link::{Link, LinkError, Refusal};
use crate::platform::clock::Clock;
use crate::reading::Stamp;
use crate::uplink::delivery;
use crate::uplink::session::device::Device;
use crate::uplink::session::dialect::Dialect;
use crate::uplink::session::reluctance::{Fate, Reluctance};

/// Messages sent and not yet acknowledged, at the most.
const WINDOW: usize = 32;
/// Before CONNACK so many: a hub that refuses the device again and again is not told much.
const FIRST: usize = 1;
/// A journal that is too busy to be told of acknowledgements is told so often, so far apart; what it does not hear is
/// sent again.
const JOURNAL_TRIES: u32 = 10;
const JOURNAL_PAUSE: Duration = Duration::from_millis(20);

/// A message with readings that the hub has not acknowledged yet.
#[derive(Debug)]
pub struct Sent {
    seqs: Vec<u64>,
    pub(super) at: Instant,
}

/// A question to the journal. The mode that it was asked in is kept, so that number and shape of a lease's messages
/// agree.
struct Asked {
    lease: oneshot::Receiver<Lease>,
    mode: DeliveryMode,
}

/// Readings of one connection.
pub(super) struct Outbox {
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    events: Events,
    device_id: String,
    container_number: watch::Receiver<Option<Arc<str>>>,
    /// The journal will answer with what is to be sent next.
    asked: Option<Asked>,
    /// Messages for which there was no room: readings that do not share messages after all, as alerts don't.
    waiting: VecDeque<delivery::Message>,
    /// The journal knows that nothing is on its way.
    released: bool,
    /// Acknowledged readings that the journal has not been told of yet.
    acknowledged: Vec<u64>,
    /// The hub takes readings by now.
    is_open: bool,
    /// Where the hub did not take a message; nothing, as long as it takes all.
    reluctance: Option<Box<Reluctance>>,
}

impl Outbox {
    /// Begins anew: what was being sent over another connection will be sent again.
    pub(super) fn begin(device: &Device, device_id: &str, is_open: bool) -> Self {
        Self {
            released: device.journal.release_soon(),
            journal: device.journal.clone(),
            clock: device.status.clock.clone(),
            events: device.events.clone(),
            device_id: device_id.into(),
            container_number: device.settings.container_number(),
            asked: None,
            waiting: VecDeque::new(),
            acknowledged: Vec::new(),
            is_open,
            reluctance: None,
        }
    }

    /// The hub takes readings from now on.
    pub(super) fn open(&mut self) {
        self.is_open = true;
    }

    /// Whether to ask the journal for more: once half of the window is free, as several readings at a time spare it
    /// questions.
    pub(super) fn wants_more(&self, link: &Link<Sent>) -> bool {
        let half = if link.is_connected() { link.window(WINDOW).div_ceil(2) } else { FIRST };
        self.asked.is_none() && self.waiting.is_empty() && self.room(link) >= half
    }

    /// Whether nothing waits to be sent, as far as the journal has said.
    pub(super) fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Asks the journal for more, if it is time to.
    pub(super) fn ask(&mut self, link: &Link<Sent>, mode: DeliveryMode) {
        if !self.wants_more(link) {
            return;
        }
        self.released = self.released || self.journal.release_soon();
        if !self.released {
            return;
        }
        self.tell_journal_now();
        let mode = self.allowed(mode);
        let limit = if link.is_connected() { delivery::readings(mode, self.room(link)) } else { FIRST };
        let lease = self.journal.await_lease(limit, Stamp::now(&*self.clock));
        self.asked = lease.map(|lease| Asked { lease, mode });
    }

    /// Takes the journal's answer once it is there; waits for ever where it is not asked. Cancel-safe.
    pub(super) async fn answered(&mut self) {
        let Some(asked) = &mut self.asked else { return pending().await };
        // A journal that is gone answers nothing.
        let lease = (&mut asked.lease).await.unwrap_or_default();
        let mode = asked.mode;
        self.asked = None;
        self.enqueue(lease, mode);
    }

    /// Takes what there is to send now, for the last time.
    pub(super) async fn last(&mut self, link: &Link<Sent>, mode: DeliveryMode) {
        let answered = self.asked.take().and_then(|mut asked| {
            asked.lease.close();
            Some((asked.lease.try_recv().ok()?, asked.mode))
        });
        let (lease, mode) = match answered {
            Some(answered) => answered,
            None => {
                let mode = self.allowed(mode);
                let limit = delivery::readings(mode, self.room(link));
                (self.journal.lease(limit, Stamp::now(&*self.clock)).await, mode)
            }
        };
        self.enqueue(lease, mode);
    }

    fn enqueue(&mut self, lease: Lease, mode: DeliveryMode) {
        let container_number = self.container_number.borrow().clone();
        let origin =
            delivery::Origin { device_id: &self.device_id, container_number: container_number.as_deref() };
        self.waiting.extend(delivery::messages(lease, origin, mode));
    }

    /// Fills the window.
    pub(super) fn send(&mut self, link: &mut Link<Sent>, dialect: &dyn Dialect) -> Result<(), LinkError> {
        let room = self.room(link);
        for delivery::Message { seqs, publish } in self.waiting.drain(..room.min(self.waiting.len())) {
            link.send(dialect.telemetry(publish), Some(Sent { seqs, at: Instant::now() }))?;
        }
        Ok(())
    }

    /// The hub has these readings.
    pub(super) fn acknowledged(&mut self, Sent { seqs, .. }: Sent) {
        for seq in &seqs {
            self.events.emit(Event::Delivered { seq: *seq });
        }
        self.acknowledged.extend(seqs);
        if let Some(reluctance) = &mut self.reluctance {
            reluctance.taken();
        }
    }

    /// The hub has not taken these readings. Gives what a person is told of it.
    pub(super) fn refused(&mut self, Sent { seqs, .. }: Sent, refusal: &Refusal) -> (Repeated, String) {
        let reluctance = self.reluctance.get_or_insert_with(|| Box::new(Reluctance::new()));
        let fate = reluctance.refused(refusal.kind, seqs.len(), rand::random());
        let (first, more) = (seqs.first().copied().unwrap_or_default(), seqs.len().saturating_sub(1));
        let which =
            if more == 0 { format!("reading {first}") } else { format!("reading {first} and {more} more") };
        let (kind, fate) = match fate {
            Fate::Again => (Repeated::PutOff, "it is sent again later"),
            Fate::OneByOne => (Repeated::PutOff, "they are sent one by one"),
            Fate::GivenUp => {
                self.acknowledged.extend(seqs);
                (Repeated::GivenUp, "it can never be taken, and is given up")
            }
        };
        (kind, format!("the hub did not take {which} ({}): {fate}", refusal.why))
    }

    /// Has what was put off sent again, where it is time to, and nothing is in flight.
    pub(super) fn renew(&mut self, link: &Link<Sent>) {
        let Some(reluctance) = self.reluctance.as_mut().filter(|reluctance| reluctance.is_due()) else {
            return;
        };
        if link.unacknowledged().next().is_some() || !self.acknowledged.is_empty() {
            return;
        }
        // What it has given, or is about to give, it gives again.
        self.waiting.clear();
        self.asked = None;
        self.released = self.journal.release_soon();
        reluctance.renewed();
    }

    /// When that is.
    pub(super) fn renewal_due(&self) -> Option<Instant> {
        self.reluctance.as_ref()?.due()
    }

    /// The mode, as far as the hub takes several readings at a time.
    fn allowed(&self, mode: DeliveryMode) -> DeliveryMode {
        match &self.reluctance {
            Some(reluctance) if reluctance.one_by_one() => DeliveryMode { batch_backlog: false, ..mode },
            _ => mode,
        }
    }

    /// Messages that may be sent before another one is acknowledged.
    fn room(&self, link: &Link<Sent>) -> usize {
        let sends = self.reluctance.as_ref().is_none_or(|reluctance| reluctance.sends());
        if !self.is_open || !sends {
            return 0;
        }
        link.room(if link.is_connected() { WINDOW } else { FIRST })
    }

    /// Tells the journal what is acknowledged, once nothing is in flight or much has gathered; else it is told when it is
    /// asked for more. A journal that is busy is told later.
    pub(super) fn tell_journal(&mut self, link: &Link<Sent>) {
        if link.unacknowledged().next().is_none() || self.acknowledged.len() >= WINDOW / 2 {
            self.tell_journal_now();
        }
    }

    fn tell_journal_now(&mut self) {
        if !self.acknowledged.is_empty() {
            let seqs = std::mem::take(&mut self.acknowledged);
            self.acknowledged = self.journal.acknowledge(seqs).err().unwrap_or_default();
        }
    }

    /// Tells the journal everything that is acknowledged, and that the rest must be sent again.
    pub(super) async fn end(&mut self) {
        self.tell_journal_now();
        for _ in 0..JOURNAL_TRIES {
            if self.acknowledged.is_empty() {
                break;
            }
            sleep(JOURNAL_PAUSE).await;
            self.tell_journal_now();
        }
        // A journal that can't be told now is told by the next connection.
        self.journal.release_soon();
    }
}
