//! The certificates that Azure issues to this device: which the hub is shown, and how the next one comes in time.
//!
//! ```text
//!             DPS ── registration with a CSR ──┐
//!  plan.rs ─▶                                  ├─▶ checked and stored ─▶ the old key signs the evidence ─▶ a quiet moment
//!             hub ── `RenewalClient` ──────────┘     (`Pairs::take`)                                             │
//!                          CONNACK 0: it is the current one ◀── shown.rs ◀── connecting with the new one ◀───────┘
//!                          refused: the one before ◀──────────┘     all refused, or at their end: DPS again
//! ```

mod holder;
mod plan;
mod shown;
mod told;

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracker_evidence::base64;
use tracker_protocol::hub::{RenewalClient, RenewalEvent, RenewalRequest, RenewalStep};
use tracker_protocol::{Publish, RegistrationId};

use crate::config::Config;
use crate::event::{Event, Events};
use crate::event_message::EventMessage;
use crate::identity::Identity;
use crate::identity::operational::{CertificateRequest, Pairs, Slot, renewal_due};
use crate::journal::{Bundle, Journal};
use crate::link::tls::Tls;
use crate::platform::clock::{Clock, rfc3339};
use crate::reading::Stamp;
use crate::uplink::credentials::CredentialsError;
use crate::uplink::lifecycle::Issued;
use holder::Holder;
use plan::{Deed, Plan, Term};
use shown::Choice;

/// The old key gets so long to sign the chain of evidence: in a token it may take a while, and without it the chain is still one.
const SIGN_WITHIN: Duration = Duration::from_secs(10);

/// After so many connections in a row that a hub ends when it hears of renewal, it hears nothing of it.
const UNHEEDED: u32 = 3;

/// What the renewal needs of the device.
pub struct Surroundings {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Where event messages go.
    pub journal: Arc<Journal>,
    /// Where events go.
    pub events: Events,
    /// Something that is reported has changed.
    pub news: Arc<Notify>,
    /// Has the chain of evidence signed.
    pub signing: Signing,
}

/// How the chain of evidence is signed before its key changes.
#[derive(Clone)]
pub struct Signing {
    /// Whether there is a chain.
    pub evidence: watch::Receiver<bool>,
    /// A signature is wanted now.
    pub wanted: Arc<Notify>,
    /// How often the notary has looked whether one is.
    pub looks: watch::Receiver<u64>,
}

/// The certificates that are issued to this device, and the next one on its way. Outlives connections.
pub struct Renewal {
    around: Surroundings,
    config: Config,
    holder: Holder,
    choice: Choice,
    plan: Plan,
    term: Option<Term>,
    client: RenewalClient,
    /// Work with disk or token, one at a time unless it hurries nobody.
    jobs: JoinSet<Done>,
    is_busy: bool,
    /// The connection is to be left, at this time at the latest.
    leaving: Option<(Leaving, Duration)>,
    device_id: String,
    /// Common name of the certificate in use.
    id: Option<RegistrationId>,
    /// Whether the hub of this connection is asked to renew certificates.
    at_hub: bool,
    /// It has agreed to.
    is_heeded: bool,
    /// Connections in a row that ended before the hub had agreed to.
    unheeded: u32,
    trouble: String,
}

/// For what a good connection is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    /// To connect with another certificate.
    ForHub,
    /// To ask DPS for one.
    ForDps,
}

/// What came of work with disk or token.
pub enum Done {
    /// There is a request to be made; it may have been made before.
    Asks(Result<(CertificateRequest, bool), String>),
    /// This certificate was taken and is stored.
    Taken(Result<String, String>),
    /// A request was forgotten.
    Forgotten(Result<(), String>),
    /// The hub's word on a certificate was noted.
    Noted(Result<(), String>),
}

impl Renewal {
    /// `None` where the configuration does not want certificates issued.
    pub fn new(config: &Config, around: Surroundings) -> Option<Self> {
        Some(Self {
            holder: Holder::new(config, &around.events)?,
            around,
            config: config.clone(),
            choice: Choice::default(),
            plan: Plan::default(),
            term: None,
            client: RenewalClient::default(),
            jobs: JoinSet::new(),
            is_busy: false,
            leaving: None,
            device_id: String::new(),
            id: None,
            at_hub: false,
            is_heeded: false,
            unheeded: 0,
            trouble: String::new(),
        })
    }

    /// Looks at what there is for the device of this name, if that is known. An error says why none of it can be used now,
    /// whatever there is.
    pub async fn refresh(&mut self, id: Option<RegistrationId>) -> Result<(), String> {
        let mut pairs = self.holder.work(|pairs| Ok(pairs.candidates())).await?;
        // They may be from before the device got another name.
        pairs.retain(|pair| id.as_ref().is_none_or(|id| *id == pair.identity.registration_id));
        let replaced = self.choice.replace(pairs, &self.config, &self.around.clock);
        replaced.map_err(|error: CredentialsError| error.to_string())
    }

    /// Whether the hub can be shown something; `None` while nobody knows the time.
    pub fn issued(&self) -> Option<Issued> {
        self.choice.issued(&*self.around.clock)
    }

    /// What the hub is shown now.
    pub fn best(&mut self) -> Option<(Identity, Tls)> {
        self.choice.best(&*self.around.clock)
    }

    /// The hub has refused this one. Whether there is another to show, which is told.
    pub fn refused(&mut self, thumbprint: &str, why: &str) -> bool {
        self.note(thumbprint, false);
        let another = self.choice.refused(thumbprint, &*self.around.clock);
        if another {
            self.around.events.emit(Event::CertificateRefused { why: why.into() });
            let trouble = format!("the hub has refused the certificate {thumbprint}: {why}");
            self.trouble = trouble;
        }
        another
    }

    /// The hub has taken this one.
    pub fn taken(&mut self, now: Duration, identity: &Identity) {
        let Identity { thumbprint, not_before, not_after, .. } = identity;
        let due = renewal_due(*not_before, *not_after, self.holder.renew_at(), thumbprint);
        let term = Term { not_before: *not_before, not_after: *not_after, due };
        let (is_new, others_refused) = self.choice.taken(thumbprint);
        self.plan.begin(now, rand::random(), term);
        self.term = Some(term);
        self.id = Some(identity.registration_id.clone());
        if is_new {
            self.trouble.clear();
            self.around.events.emit(Event::CertificateRenewed { until: *not_after, due });
            self.append(told::renewed(&term, thumbprint));
        }
        if is_new || others_refused {
            self.note(thumbprint, true);
        }
        self.around.news.notify_one();
    }

    /// Notes the hub's word, when there is time.
    fn note(&mut self, thumbprint: &str, is_taken: bool) {
        let (holder, thumbprint) = (self.holder.clone(), thumbprint.to_owned());
        self.jobs.spawn(async move {
            let noted =
                holder.work(
                    move |pairs| {
                        if is_taken { pairs.proved(&thumbprint) } else { pairs.refused(&thumbprint) }
                    },
                );
            Done::Noted(noted.await)
        });
    }

    /// What DPS is asked with.
    pub async fn csr(&mut self, id: &RegistrationId) -> Result<String, String> {
        let (id, now) = (id.clone(), self.around.clock.certificate_time());
        Ok(self.holder.work(move |pairs| pairs.request(&id, now)).await?.csr)
    }

    /// Takes what DPS has issued; when this returns it is stored, and the old key has signed.
    pub async fn take(&mut self, chain: Vec<String>) -> Result<(), String> {
        let now = self.around.clock.certificate_time();
        take(&self.holder, &self.around.signing, chain, now).await?;
        // What the hub may still be asked for is asked for no more.
        self.client.end();
        Ok(())
    }

    /// DPS does not take the request as it is: the next one is another.
    pub fn forget_request(&mut self) {
        let holder = self.holder.clone();
        self.client.end();
        self.jobs.spawn(async move { Done::Forgotten(holder.work(Pairs::forget_request).await) });
    }

    /// What is reported beside the validity of the certificate in use.
    pub fn report(&self, reported: &mut Value) {
        told::reported(reported, self.term.as_ref(), &self.trouble);
    }

    /// Whether the hub of the next connection is to be asked to renew certificates. One that seems to mind is not, every other
    /// time: DPS issues them, too, and readings are worth more.
    pub fn wants_hub(&self) -> bool {
        self.unheeded < UNHEEDED
    }

    /// A connection begins; `at_hub` tells whether the hub at its other end is asked to renew certificates.
    pub fn begin(&mut self, now: Duration, device_id: &str, at_hub: bool) {
        self.client.handle(now, 0.0, RenewalEvent::Disconnected);
        self.leaving = None;
        self.device_id = device_id.into();
        self.at_hub = at_hub;
        self.is_heeded = false;
    }

    /// It has ended, or the hub would have none.
    pub fn ended(&mut self) {
        self.unheeded = match (self.at_hub, self.is_heeded) {
            (true, false) => self.unheeded + 1,
            (true, true) => 0,
            (false, _) => UNHEEDED - 1,
        };
        self.is_heeded = false;
    }

    /// When to call [`Self::tick`] although nothing happens.
    pub fn deadline(&self, now: Duration) -> Option<Duration> {
        let leave = self.leaving.map(|(_, by)| by);
        let plan = match self.next(now) {
            Some(Deed::Wait(until)) => Some(until),
            Some(_) => Some(now),
            None => None,
        };
        [leave, plan, self.client.deadline()].into_iter().flatten().min()
    }

    fn next(&self, now: Duration) -> Option<Deed> {
        let asks = self.at_hub.then(|| self.client.is_under_way());
        let is_free = self.leaving.is_none() && !self.is_busy;
        is_free.then(|| self.plan.next(now, self.around.clock.certificate_time(), asks))
    }

    /// Does what is due; gives what to publish.
    pub fn tick(&mut self, now: Duration) -> Option<Publish> {
        let publish = self.handle(now, RenewalEvent::Tick);
        match self.next(now) {
            Some(Deed::AskHub) => self.ask(),
            Some(Deed::AskDps) => {
                self.plan.asks_dps(now, rand::random());
                self.leave(now, Leaving::ForDps);
            }
            Some(Deed::Tell) => {
                self.plan.told();
                self.tell_end();
            }
            Some(Deed::Wait(_)) | None => {}
        }
        publish
    }

    fn ask(&mut self) {
        let (holder, now) = (self.holder.clone(), self.around.clock.certificate_time());
        let Some(id) = self.id.clone() else { return };
        self.is_busy = true;
        self.jobs.spawn(async move {
            let asks = holder.work(move |pairs| {
                let known = pairs.under_way().is_some();
                Ok((pairs.request(&id, now)?, known))
            });
            Done::Asks(asks.await)
        });
    }

    /// Takes what happened at the hub; gives what to publish.
    pub fn handle(&mut self, now: Duration, event: RenewalEvent<'_>) -> Option<Publish> {
        if matches!(event, RenewalEvent::Subscribed) {
            if !self.at_hub {
                return None;
            }
            self.is_heeded = true;
        }
        let steps = self.client.handle(now, rand::random(), event);
        steps.into_iter().filter_map(|step| self.follow(now, step)).last()
    }

    fn follow(&mut self, now: Duration, step: RenewalStep) -> Option<Publish> {
        match step {
            RenewalStep::Publish(message) => return Some(message),
            RenewalStep::Accepted(until) => {
                let until = DateTime::parse_from_rfc3339(&until).ok();
                let until = until.zip(self.around.clock.certificate_time());
                if let Some((until, utc)) = until {
                    self.client.expires_in(now, (until.to_utc() - utc).to_std().unwrap_or_default());
                }
            }
            RenewalStep::Issued(chain) => {
                self.is_busy = true;
                let (holder, signing) = (self.holder.clone(), self.around.signing.clone());
                let utc = self.around.clock.certificate_time();
                self.jobs.spawn(async move { Done::Taken(take(&holder, &signing, chain, utc).await) });
            }
            RenewalStep::Refused(why) => {
                self.tell(why);
                self.plan.failed(now, rand::random(), true);
                self.forget_request();
            }
            RenewalStep::Fault(why) => self.tell(why),
        }
        None
    }

    /// What came of work with disk or token; never where there is none. Cancel-safe.
    async fn done(&mut self) -> Done {
        loop {
            match self.jobs.join_next().await {
                Some(Ok(done)) => return done,
                // It was ended with the program.
                Some(Err(_)) => {}
                None => pending().await,
            }
        }
    }

    /// Goes on from there; gives what to publish.
    pub fn go_on(&mut self, now: Duration, done: Done, in_use: Option<&str>) -> Option<Publish> {
        match done {
            Done::Asks(asks) => {
                self.is_busy = false;
                match asks {
                    Ok((CertificateRequest { rid, csr, .. }, is_known)) => {
                        let device_id = self.device_id.clone();
                        let request = RenewalRequest { device_id, request_id: rid, csr, is_known };
                        let left = self.plan.time_left(self.around.clock.certificate_time());
                        self.around.events.emit(Event::RenewingCertificate);
                        let step = self.client.begin(now, request, left)?;
                        return self.follow(now, step);
                    }
                    Err(why) => self.failed(now, why),
                }
            }
            Done::Taken(taken) => {
                self.is_busy = false;
                match taken {
                    // A connection that was made meanwhile may have it already.
                    Ok(thumbprint) if in_use == Some(&*thumbprint) => {}
                    Ok(_) => {
                        // Should the hub not take what it has issued, it is not asked for more of it soon.
                        self.plan.failed(now, rand::random(), true);
                        self.leave(now, Leaving::ForHub);
                    }
                    Err(why) => self.failed(now, why),
                }
            }
            Done::Forgotten(Err(why)) | Done::Noted(Err(why)) => self.tell(why),
            Done::Forgotten(Ok(())) | Done::Noted(Ok(())) => {}
        }
        None
    }

    fn failed(&mut self, now: Duration, why: String) {
        self.plan.failed(now, rand::random(), false);
        self.tell(why);
    }

    fn leave(&mut self, now: Duration, leaving: Leaving) {
        self.leaving = Some((leaving, now.saturating_add(self.plan.patience())));
    }

    /// Whether the connection is to be left: when nothing is in flight, or at once where that has been waited for long enough.
    pub fn leaves(&self, now: Duration, is_quiet: bool) -> Option<Leaving> {
        self.leaving.filter(|(_, by)| is_quiet || *by <= now).map(|(leaving, _)| leaving)
    }

    /// Tells what is wrong, unless it was told last.
    fn tell(&mut self, why: String) {
        if why != self.trouble {
            self.around.events.emit(Event::Trouble(why.clone()));
            self.trouble = why;
            self.around.news.notify_one();
        }
    }

    fn tell_end(&mut self) {
        let Some(Term { not_after, .. }) = self.term else { return };
        self.append(told::ending(not_after, &self.trouble));
        let why = if self.trouble.is_empty() { "the hub has issued none" } else { &self.trouble };
        let until = rfc3339(not_after);
        let what = format!("the certificate for the hub ends at {until}, and there is no new one: {why}");
        self.around.events.emit(Event::Trouble(what));
    }

    fn append(&self, event: EventMessage) {
        let stamp = Stamp::now(&*self.around.clock);
        let bundle = Bundle { stamp, events: vec![event], reading: None, states: Vec::new() };
        self.around.journal.append_bundle(bundle);
    }
}

/// What came of work with disk or token, where there is such work. Cancel-safe.
pub async fn done(renewal: &mut Option<Renewal>) -> Done {
    match renewal {
        Some(renewal) => renewal.done().await,
        None => pending().await,
    }
}

/// Has a chain checked and stored, and the chain of evidence signed by the key that is in use. Gives its thumbprint.
async fn take(
    holder: &Holder,
    signing: &Signing,
    chain: Vec<String>,
    now: Option<DateTime<Utc>>,
) -> Result<String, String> {
    let mut chain = decode_chain(&chain).ok_or("what was issued is no base64")?;
    let taken = holder.work(move |pairs| {
        if let Err(error) = pairs.take(&chain, now) {
            // One SDK knows an order that begins with the root.
            chain.reverse();
            pairs.take(&chain, now).map_err(|_| error)?;
        }
        let pairs = pairs.summary().pairs;
        let new = pairs.into_iter().find(|pair| pair.slot == Slot::Next);
        Ok(new.map(|pair| pair.thumbprint).unwrap_or_default())
    });
    let taken = taken.await?;
    signing.sign().await;
    Ok(taken)
}

/// DER of certificates that are written in base64; `None` where they are not.
pub fn decode_chain(chain: &[String]) -> Option<Vec<Vec<u8>>> {
    chain.iter().map(|text| decode(text)).collect()
}

/// The bytes of base64 in the standard alphabet.
fn decode(text: &str) -> Option<Vec<u8>> {
    base64::decode(text.trim_end_matches('=').replace('+', "-").replace('/', "_").as_str())
}

impl Signing {
    /// The chain of evidence is signed by the key in use, if there is one.
    async fn sign(&self) {
        if *self.evidence.borrow() {
            let mut looks = self.looks.clone();
            looks.mark_unchanged();
            self.wanted.notify_one();
            let _ = timeout(SIGN_WITHIN, looks.changed()).await;
        }
    }
}
