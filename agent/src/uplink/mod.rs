//! Keeps the device connected: asks DPS, connects to the hub, begins again, for ever.

pub mod assignment;
#[cfg(feature = "tpm")]
pub mod by_tpm;
mod compact;
pub mod credentials;
pub mod delivery;
pub mod diagnostics;
mod knocking;
pub mod lifecycle;
pub mod methods;
pub mod notary;
pub mod patience;
pub mod profile;
pub mod provisioner;
mod readiness;
mod ready;
pub mod renewal;
pub mod session;
mod told;
pub mod trips;

use std::future::pending;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tracker_protocol::dps::{ConnectionProfile, Outcome};
use tracker_timers::sleep;

use crate::config::{Config, ConnectionConfig, DpsConfig, Profile};
use crate::event::{Event, Events, Loss};
use crate::identity::Identity;
use crate::link::dial::Probe;
use crate::link::dialer::Dialer;
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::link::{Link, LinkError, LinkErrorKind, LinkOptions};
use crate::platform::background::Background;
use crate::platform::network::Network;
use crate::platform::watched_file::{self, WatchedFile};
use crate::status::Connection;
use crate::uplink::assignment::{Assignment, AssignmentFile, Terms};
use crate::uplink::credentials::Credentials;
use crate::uplink::lifecycle::{Action, Lifecycle, Registered};
use crate::uplink::patience::Patience;
use crate::uplink::readiness::Ready;
use crate::uplink::renewal::Renewal;
use crate::uplink::session::{Device, Opening, Sent, Session};
use crate::uplink::told::Told;

/// The part of a token's life after which the connection is made anew with another one.
const TOKEN_SPENT: f64 = 0.8;
/// How often the clock is looked at while it does not know the time.
const LOOK_FOR_TIME: Duration = Duration::from_secs(1);

/// The uplink of one device.
pub struct Uplink {
    config: Config,
    timing: Timing,
    life: Lifecycle,
    stored: AssignmentFile,
    device: Device,
    connection: watch::Sender<Connection>,
    events: Events,
    credentials: Option<Credentials>,
    /// The certificate file that was looked at last, in use or not.
    certificate: Option<WatchedFile>,
    /// The file with the proxy's password, as it was when the proxy was last asked.
    password: Option<WatchedFile>,
    last_problem: String,
    network: Network,
    patience: Patience,
    dialer: Dialer,
    told: Told,
    /// DPS was asked for this certificate, so that a hub by another one is not asked about again.
    asked_for: String,
    /// The kind of the hub that was assigned last, where DPS has said it.
    known: Option<(String, ConnectionProfile)>,
    /// It was told what a hub of MQTT 5 lacks.
    lacks_told: bool,
}

/// How it ended to work with a hub.
enum End {
    /// It was ended from here.
    Ours,
    /// The hub has not accepted the device.
    Unconnected(LinkError),
    /// The connection was lost after it stood so long.
    Lost(LinkError, Duration),
}

impl Uplink {
    /// An uplink that begins after `first_wait` with the stored assignment, if it is still good.
    pub fn new(
        config: Config,
        timing: Timing,
        device: Device,
        connection: watch::Sender<Connection>,
        stored: AssignmentFile,
        assignment: Option<Assignment>,
        first_wait: Duration,
    ) -> Self {
        let events = device.events.clone();
        let ConnectionConfig { gateway, proxy, .. } = &config.connection;
        let network = Network::new(gateway.is_some() || proxy.is_some());
        let mut patience = Patience::default();
        if let Some(assignment) = assignment.as_ref().filter(|assignment| assignment.waits_for_connack) {
            patience.remember(&assignment.hub);
        }
        let known = assignment.as_ref().and_then(kind);
        let life = Lifecycle::new(timing.clone(), assignment, device.started.elapsed() + first_wait);
        Self {
            config,
            timing,
            life,
            stored,
            device,
            connection,
            events,
            credentials: None,
            certificate: None,
            password: None,
            last_problem: String::new(),
            network,
            patience,
            dialer: Dialer::default(),
            told: Told::default(),
            asked_for: String::new(),
            known,
            lacks_told: false,
        }
    }

    /// Works until `shutdown` says so.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        self.look_for_issued().await;
        while !*shutdown.borrow() {
            let next = self.life.next();
            self.publish_state(None);
            let heart = self.device.heart.clone();
            let wait = next.at.saturating_sub(self.now());
            tokio::select! {
                () = heart.during(sleep(wait)) => {}
                () = watched_file::replaced(self.certificate.clone(), self.timing.look_every) => {
                    self.life.nudge(self.now());
                    continue;
                }
                () = watched_file::replaced(self.password.clone(), self.timing.look_every) => {
                    self.watch_password();
                    self.life.nudge(self.now());
                    continue;
                }
                () = self.network.comes_up() => {
                    self.life.network_up(self.now(), rand::random());
                    continue;
                }
                _ = shutdown.changed() => continue,
            }
            if let Some(probe) = self.life.probe() {
                tokio::select! {
                    answered = self.probe(&next.action, probe) => if !answered {
                        continue;
                    },
                    _ = shutdown.changed() => continue,
                }
            }
            let ready = tokio::select! {
                ready = heart.during(self.ready(next.action)) => ready,
                _ = shutdown.changed() => continue,
            };
            match ready {
                Ready::Register(identity, tls) => {
                    self.network.forget();
                    self.watch_password();
                    tokio::select! {
                        () = self.register(&identity, tls) => {}
                        _ = shutdown.changed() => {}
                    }
                }
                Ready::Connect(assignment, identity, tls) => {
                    self.network.forget();
                    self.watch_password();
                    self.connect(&assignment, &identity, tls, &mut shutdown).await;
                }
                Ready::Otherwise => {}
                Ready::NotYet => {
                    // Who can't go on does not look whether he could.
                    self.dialer.forget_probe();
                    self.life.end_probing();
                    let patience = if self.device.status.clock.certificate_time().is_none() {
                        LOOK_FOR_TIME
                    } else {
                        self.timing.look_every
                    };
                    tokio::select! {
                        () = heart.during(sleep(patience)) => {}
                        _ = shutdown.changed() => {}
                    }
                }
            }
        }
    }

    /// Looks whether somebody answers: no credentials are loaded for that, and nothing is said.
    async fn probe(&mut self, action: &Action, probe: Probe) -> bool {
        let host = match action {
            Action::Register => &self.config.dps.host,
            Action::Connect(assignment) => &assignment.hub,
        };
        let connection = &self.config.connection;
        let first_hop = connection.first_hop(host);
        let probed = self.device.heart.during(self.dialer.probe(&first_hop, probe)).await;
        let probed = probed.map_err(|error| match connection.proxy {
            Some(_) => LinkError { why: format!("the proxy {error}"), ..error },
            None => error,
        });
        if let Err(LinkError { kind, .. }) = &probed
            && !matches!(kind, LinkErrorKind::Silent | LinkErrorKind::NobodyListens)
        {
            // There was more than silence: it counts as an attempt.
            self.told.end();
            self.events.emit(match action {
                Action::Register => {
                    let DpsConfig { host, id_scope, .. } = self.config.dps.clone();
                    Event::Registering { host, id_scope }
                }
                Action::Connect(assignment) => Event::Connecting { hub: assignment.hub.clone() },
            });
        }
        match (probed, action) {
            (Ok(()), _) => {
                // That is news, whatever comes of it; unless it is but the proxy that answers.
                if self.config.connection.proxy.is_none() {
                    self.told.end();
                }
                return true;
            }
            (Err(error), Action::Connect(_)) => self.connect_failed(&error),
            (Err(error), Action::Register) => {
                let terms = Terms::new(&self.config.dps, "");
                self.registered(Err(error), &terms);
            }
        }
        false
    }

    /// A password in place of the one that is read next is worth an attempt.
    fn watch_password(&mut self) {
        let login = self.config.connection.proxy.as_ref().and_then(|proxy| proxy.login.as_ref());
        self.password = login.map(|login| WatchedFile::new(&login.password_file));
    }

    fn now(&self) -> Duration {
        self.device.started.elapsed()
    }

    fn publish_state(&self, taken_over: Option<bool>) {
        publish_state(&self.connection, &self.life, taken_over);
    }

    async fn register(&mut self, identity: &Identity, tls: Tls) {
        let Config { dps, .. } = &self.config;
        let registering = || Event::Registering { host: dps.host.clone(), id_scope: dps.id_scope.clone() };
        if !self.told.is_quiet() {
            self.events.emit(registering());
        }
        let hurries = |error: &LinkError| {
            let why = provisioner::explain(error, &dps.id_scope);
            self.events.emit(Event::RegisterLater { why, again: Duration::ZERO });
            self.events.emit(registering());
        };
        let (id, terms) = (&identity.registration_id, self.terms(identity));
        #[cfg(feature = "tpm")]
        if let Some(tpm) = identity.tpm().cloned() {
            let clock = self.device.status.clock.clone();
            let (config, timing, heart) = (&self.config, &self.timing, &self.device.heart);
            let by_tpm = by_tpm::ByTpm { config, identity, tpm, tls, timing, clock: &*clock, heart };
            let outcome = by_tpm.register(&mut self.dialer).await;
            self.registered(outcome, &terms);
            return;
        }
        let csr = match &mut self.device.renewal {
            Some(renewal) => renewal.csr(id).await.map(Some),
            None => Ok(None),
        };
        let csr = match csr {
            Ok(csr) => csr,
            Err(why) => {
                self.registered(Ok(Outcome::TryLater { retry_after: None, why }), &terms);
                return;
            }
        };
        let now = self.device.status.clock.certificate_time();
        let options = match provisioner::link_options(&self.config, identity, tls, now, self.timing.clone()) {
            Ok(options) => options,
            Err(why) => {
                self.registered(Ok(Outcome::TryLater { retry_after: None, why }), &terms);
                return;
            }
        };
        let answer_within = self.timing.dps_answer_within;
        let asking = provisioner::Asking { options: &options, answer_within, heart: &self.device.heart, csr };
        let outcome = asking.register(id, &mut self.dialer, &mut self.patience, hurries).await;
        let asks = self.config.connection.profile == Profile::Assigned;
        let outcome = outcome.map(|outcome| profile::judge(outcome, asks, self.known.as_ref()));
        let outcome = self.issued(outcome).await;
        self.registered(outcome, &terms);
    }

    fn registered(&mut self, outcome: Result<Outcome, LinkError>, terms: &Terms) {
        let now = self.now();
        let tells = outcome.as_ref().err().is_none_or(|error| self.told.tells(now, error));
        if outcome.is_ok() {
            self.told.end();
        }
        match self.life.registered(now, rand::random(), &outcome, terms) {
            Registered::Assigned(assignment) => {
                self.known = kind(assignment).or(self.known.take());
                // What is known of a hub holds although DPS has assigned it once more.
                let minds = self.patience.minds(&assignment.hub);
                self.life.wait_for_connack(minds);
                self.store(self.life.assignment().cloned());
            }
            Registered::Nowhere if tells => self.store(None),
            Registered::Nowhere | Registered::AsBefore => {}
        }
        if !tells {
            return;
        }
        let again = self.told_wait(now);
        self.events.emit(match outcome {
            Ok(Outcome::Assigned(assigned)) => Event::Assigned {
                hub: assigned.hub,
                device_id: assigned.device_id,
                substatus: assigned.substatus,
            },
            Ok(Outcome::Refused(refusal)) => Event::Refused { refusal, again },
            Ok(Outcome::TryLater { why, .. }) => Event::RegisterLater { why, again },
            Err(error) => {
                let why = provisioner::explain(&error, &self.config.dps.id_scope);
                Event::RegisterLater { why, again }
            }
        });
    }

    async fn connect(
        &mut self,
        assignment: &Assignment,
        identity: &Identity,
        tls: Tls,
        shutdown: &mut watch::Receiver<bool>,
    ) {
        let hub = &assignment.hub;
        let mut waits = self.patience.waits_for(hub);
        loop {
            if !self.told.is_quiet() {
                self.events.emit(Event::Connecting { hub: hub.clone() });
            }
            let attempt = self.attempt(assignment, identity, tls.clone(), waits, shutdown).await;
            let (end, minded) = attempt.unwrap_or_else(|end| (end, false));
            // At once, and waiting for CONNACK this time.
            let hurries = minded && self.patience.suspects(hub);
            if waits && !matches!(end, End::Ours) {
                self.patience.acquits(hub);
            }
            match end {
                End::Ours => {}
                End::Unconnected(LinkError { why, .. }) if hurries => {
                    self.events.emit(Event::ConnectLater { why, again: Duration::ZERO });
                }
                End::Unconnected(error) => self.unconnected(error, identity),
                End::Lost(error, stood) => {
                    if let Some(renewal) = &mut self.device.renewal {
                        renewal.ended();
                    }
                    self.lost(error, stood, hurries);
                }
            }
            if !hurries {
                return;
            }
            waits = true;
        }
    }

    fn lost(&mut self, error: LinkError, stood: Duration, hurries: bool) {
        let now = self.now();
        let loss = self.life.lost(now, rand::random(), error.kind);
        let stayed = stood >= self.timing.short_spell;
        self.publish_state(match loss {
            Loss::Displaced => Some(true),
            _ if stayed => Some(false),
            Loss::TakenOver => Some(true),
            Loss::Ordinary => None,
        });
        let again = if hurries { Duration::ZERO } else { self.life.next().at.saturating_sub(now) };
        self.events.emit(Event::Lost { why: error.why, loss, again });
    }

    /// Connects, and works with the hub until the connection is lost or it is time to go. Says besides whether the hub may
    /// mind packets that follow CONNECT at once, as they do unless its CONNACK is waited for (`waits`).
    async fn attempt(
        &mut self,
        assignment: &Assignment,
        identity: &Identity,
        tls: Tls,
        waits: bool,
        shutdown: &mut watch::Receiver<bool>,
    ) -> Result<(End, bool), End> {
        let Assignment { hub, device_id, .. } = assignment;
        let renews = self.device.renewal.as_ref().is_some_and(Renewal::wants_hub);
        let opening = Opening::new(assignment.speaks(), hub, device_id, renews);
        let unconnected = |why| End::Unconnected(LinkError { kind: LinkErrorKind::Outage, why });
        let options = self.link_options(assignment, &opening, identity, tls).map_err(unconnected)?;
        let link = tokio::select! {
            link = open(&mut self.dialer, &options, waits) => link.map_err(End::Unconnected)?,
            _ = shutdown.changed() => return Err(End::Ours),
        };
        let Timing { goodbye_within, look_every, .. } = self.timing;
        let background = self.device.background.clone();
        let begun = Session::begin(link, opening.dialect, device_id, &mut self.device, &self.timing);
        let mut session = begun.await.map_err(End::Unconnected)?;
        let connected = tokio::select! {
            connected = session.connected() => connected,
            _ = shutdown.changed() => return Err(End::Ours),
        };
        if let Err(error) = connected {
            return Ok((End::Unconnected(error), session.is_minded()));
        }
        self.life.connected(session.now());
        self.told.end();
        publish_state(&self.connection, &self.life, None);
        self.events.emit(Event::Online { hub: hub.clone(), backlog: session.backlog() });
        let is_issued = session.accepted_as(identity);
        tell_lacks(&self.events, assignment, &mut self.lacks_told);
        let (online_since, in_use, clock) = (Instant::now(), self.credentials.clone(), session.clock());
        let (config, events, last_problem) = (&self.config, &self.events, &mut self.last_problem);
        // A renewal is looked at before the connection is given up for it.
        let renewed = async {
            // The hub is shown another certificate than the one in the file.
            let Some(in_use) = in_use.filter(|_| !is_issued) else { return pending().await };
            let tell = |problem| tell(events, last_problem, credentials::kept(&problem), Event::Trouble);
            Credentials::renewed(config, &clock, &in_use.file, look_every, tell).await
        };
        let (patience, life, stored) = (&mut self.patience, &mut self.life, &self.stored);
        let work = async {
            session.subscribed().await?;
            let minds = patience.is_well(hub, waits);
            if minds == Some(true) {
                let what = format!("{hub} minds packets before its CONNACK: it is waited for from now on");
                events.emit(Event::Trouble(what));
            }
            if let Some(assignment) = minds.and_then(|minds| life.wait_for_connack(minds)) {
                store(stored, events, &background, Some(assignment.clone()));
            }
            session.run().await
        };
        // A hub ends a connection whose token has ended.
        let token_ends = sleep(self.timing.token_lasts.mul_f64(TOKEN_SPENT));
        let renewed = tokio::select! {
            ended = work => match ended {
                Err(error) => {
                    let minded = session.is_minded();
                    self.network.forget();
                    return Ok((End::Lost(error, online_since.elapsed()), minded));
                }
                Ok(leaving) => {
                    session.finish(goodbye_within).await;
                    self.network.forget();
                    self.leaves(leaving);
                    return Err(End::Ours);
                }
            },
            renewed = renewed => Some(renewed),
            () = token_ends, if identity.has_no_certificate() => None,
            _ = shutdown.changed() => {
                session.finish(goodbye_within).await;
                return Err(End::Ours);
            }
        };
        if renewed.is_some() {
            self.events.emit(Event::CertificateChanged);
        }
        session.finish(goodbye_within).await;
        self.network.forget();
        if let Some(renewed) = renewed {
            self.use_credentials(renewed);
        }
        self.life.nudge(self.now());
        Err(End::Ours)
    }

    fn connect_failed(&mut self, error: &LinkError) {
        let now = self.now();
        let mut why = error.why.clone();
        if error.kind == LinkErrorKind::Identity && self.life.is_just_assigned() {
            why.push_str(
                ", and DPS has just assigned this device there: is it disabled at the hub, or the hub's quota used up?",
            );
        }
        self.life.connect_failed(now, rand::random(), error);
        if self.told.tells(now, error) {
            let again = self.told_wait(now);
            self.events.emit(Event::ConnectLater { why, again });
        }
    }

    /// How long the next attempt is away, as it is told. No wait at all means that DPS is asked now.
    fn told_wait(&self, now: Duration) -> Duration {
        let wait = self.life.next().at.saturating_sub(now);
        if wait.is_zero() && self.life.probe().is_some() { self.timing.probe_every } else { wait }
    }

    /// Keeps what is known for the next start: a refused device has no assignment any more.
    fn store(&self, assignment: Option<Assignment>) {
        store(&self.stored, &self.events, &self.device.background, assignment);
    }
}

/// What a hub of the second kind lacks is told once.
fn tell_lacks(events: &Events, assignment: &Assignment, told: &mut bool) {
    if assignment.speaks() == ConnectionProfile::MqttV5 && !std::mem::replace(told, true) {
        let hub = &assignment.hub;
        let what = format!(
            "{hub} speaks MQTT 5: such a hub renews no certificate, and sends no messages to devices"
        );
        events.emit(Event::Note(what));
    }
}

/// Connects, and waits for CONNACK or goes on before it.
async fn open(dialer: &mut Dialer, options: &LinkOptions, waits: bool) -> Result<Link<Sent>, LinkError> {
    if waits { Link::connect_by(dialer, options).await } else { Link::open(dialer, options).await }
}

fn store(file: &AssignmentFile, events: &Events, background: &Background, assignment: Option<Assignment>) {
    let (file, events) = (file.clone(), events.clone());
    background.run(file.clone().path(), move || {
        if let Err(error) = file.write(assignment.as_ref()) {
            let what = format!("the assignment can't be stored, the next start will ask DPS again: {error}");
            events.emit(Event::Trouble(what));
        }
    });
}

/// The hub of an assignment and its kind, where DPS has said it.
fn kind(assignment: &Assignment) -> Option<(String, ConnectionProfile)> {
    Some((assignment.hub.clone(), assignment.profile?))
}

/// Tells how the connection stands, where that is news.
fn publish_state(connection: &watch::Sender<Connection>, life: &Lifecycle, taken_over: Option<bool>) {
    connection.send_if_modified(|current| {
        let new = Connection {
            state: life.state(),
            hub: life.assignment().map(|assignment| assignment.hub.clone()),
            taken_over: taken_over.unwrap_or(current.taken_over),
        };
        std::mem::replace(current, new.clone()) != new
    });
}

/// Tells what is wrong with the certificate, unless it was told last.
fn tell(events: &Events, last_problem: &mut String, problem: String, event: fn(String) -> Event) {
    if problem != *last_problem {
        events.emit(event(problem.clone()));
        *last_problem = problem;
    }
}
