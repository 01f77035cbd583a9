//! Keeps the device connected: asks DPS, connects to the hub, begins again, for ever.

pub mod assignment;
pub mod credentials;
pub mod delivery;
pub mod lifecycle;
pub mod methods;
pub mod provisioner;
pub mod session;

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracker_protocol::dps::Outcome;

use crate::config::Config;
use crate::event::{Event, Events, Loss};
use crate::identity::Identity;
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::link::{Link, LinkError, LinkErrorKind, LinkOptions};
use crate::platform::network::Network;
use crate::platform::watched_file::{self, WatchedFile};
use crate::status::Connection;
use crate::uplink::assignment::{Assignment, AssignmentFile, Terms};
use crate::uplink::credentials::{Credentials, CredentialsError};
use crate::uplink::lifecycle::{Action, Lifecycle, Registered};
use crate::uplink::session::{Device, Session};

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
    last_problem: String,
    network: Network,
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
        let network = Network::new(config.connection.gateway.is_some());
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
            last_problem: String::new(),
            network,
        }
    }

    /// Works until `shutdown` says so.
    pub async fn run(mut self, mut shutdown: watch::Receiver<bool>) {
        while !*shutdown.borrow() {
            let next = self.life.next();
            self.publish_state(None);
            let heart = self.device.heart.clone();
            let wait = next.at.saturating_sub(self.now());
            tokio::select! {
                () = heart.during(sleep(wait)) => {}
                () = watched_file::replaced(self.certificate(), self.timing.look_every) => {
                    self.life.nudge(self.now());
                    continue;
                }
                () = self.network.comes_up() => {
                    self.life.network_up(self.now(), rand::random());
                    continue;
                }
                _ = shutdown.changed() => continue,
            }
            let Some((identity, tls)) = self.credentials() else {
                let patience = if self.device.status.clock.certificate_time().is_none() {
                    LOOK_FOR_TIME
                } else {
                    self.timing.look_every
                };
                tokio::select! {
                    () = heart.during(sleep(patience)) => {}
                    _ = shutdown.changed() => {}
                }
                continue;
            };
            self.network.forget();
            match next.action {
                Action::Register => tokio::select! {
                    () = self.register(&identity, tls) => {}
                    _ = shutdown.changed() => {}
                },
                Action::Connect(assignment) if assignment.terms != self.terms(&identity) => {
                    self.life.forget_assignment(self.now());
                }
                Action::Connect(assignment) => self.connect(&assignment, tls, &mut shutdown).await,
            }
        }
    }

    fn now(&self) -> Duration {
        self.device.started.elapsed()
    }

    fn publish_state(&self, taken_over: Option<bool>) {
        self.connection.send_if_modified(|current| {
            let new = Connection {
                state: self.life.state(),
                hub: self.life.assignment().map(|assignment| assignment.hub.clone()),
                taken_over: taken_over.unwrap_or(current.taken_over),
            };
            std::mem::replace(current, new.clone()) != new
        });
    }

    /// What an assignment must have been given for to hold.
    fn terms(&self, identity: &Identity) -> Terms {
        Terms::new(&self.config.dps, &identity.thumbprint)
    }

    /// Identity and TLS client, loaded again when the certificate was replaced. `None` while they can't be used; the
    /// reason is told once.
    fn credentials(&mut self) -> Option<(Identity, Tls)> {
        match self.load_credentials() {
            Ok(credentials) => {
                self.last_problem.clear();
                Some(credentials)
            }
            Err(problem) => {
                let problem = problem.to_string();
                if problem != self.last_problem {
                    self.events.emit(Event::Offline(problem.clone()));
                    self.last_problem = problem;
                }
                None
            }
        }
    }

    fn load_credentials(&mut self) -> Result<(Identity, Tls), CredentialsError> {
        let clock = self.device.status.clock.clone();
        let credentials = match self.credentials.take() {
            Some(credentials) if !credentials.file.has_changed() => credentials,
            before => {
                Credentials::load(&self.config, clock.clone()).inspect_err(|_| self.credentials = before)?
            }
        };
        let credentials = self.credentials.insert(credentials);
        credentials.check_validity(&*clock)?;
        Ok((credentials.identity.clone(), credentials.tls.clone()))
    }

    /// The certificate file in use.
    fn certificate(&self) -> Option<WatchedFile> {
        self.credentials.as_ref().map(|credentials| credentials.file.clone())
    }

    fn link_options(&self, host: &str, client_id: &str, username: String, tls: Tls) -> LinkOptions {
        let connection = &self.config.connection;
        LinkOptions {
            endpoint: connection.endpoint(host),
            client_id: client_id.into(),
            username,
            keep_alive: connection.keep_alive,
            timing: self.timing.clone(),
            tls,
        }
    }

    async fn register(&mut self, identity: &Identity, tls: Tls) {
        let Config { dps, .. } = &self.config;
        self.events.emit(Event::Registering { host: dps.host.clone(), id_scope: dps.id_scope.clone() });
        let id = &identity.registration_id;
        let options = provisioner::link_options(&self.config, id, tls, self.timing.clone());
        let answer_within = self.timing.dps_answer_within;
        let outcome = provisioner::register(&options, id.clone(), answer_within, &self.device.heart).await;
        let (now, terms) = (self.now(), self.terms(identity));
        match self.life.registered(now, rand::random(), &outcome, &terms) {
            Registered::Assigned(assignment) => store(&self.stored, Some(assignment), &self.events),
            Registered::Nowhere => store(&self.stored, None, &self.events),
            Registered::AsBefore => {}
        }
        let again = self.life.next().at.saturating_sub(now);
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

    async fn connect(&mut self, assignment: &Assignment, tls: Tls, shutdown: &mut watch::Receiver<bool>) {
        let Assignment { hub, device_id, .. } = assignment;
        self.events.emit(Event::Connecting { hub: hub.clone() });
        let options = self.link_options(hub, device_id, session::username(hub, device_id), tls);
        let connected = tokio::select! {
            link = Link::connect(&options) => link,
            _ = shutdown.changed() => return,
        };
        let link = match connected {
            Ok(link) => link,
            Err(error) => return self.connect_failed(&error),
        };
        self.life.connected(self.now());
        self.publish_state(None);
        let backlog = self.device.journal.stats().backlog;
        self.events.emit(Event::Online { hub: hub.clone(), backlog });
        let online_since = Instant::now();
        let certificate = self.certificate();
        let goodbye = self.timing.goodbye_within;
        let error =
            match Session::begin(link, device_id, &mut self.device, self.timing.acknowledge_within).await {
                Ok(mut session) => tokio::select! {
                    error = session.run() => error,
                    () = watched_file::replaced(certificate, self.timing.look_every) => {
                        self.events.emit(Event::CertificateChanged);
                        session.finish(goodbye).await;
                        return self.life.nudge(self.now());
                    }
                    _ = shutdown.changed() => return session.finish(goodbye).await,
                },
                Err(error) => error,
            };
        self.network.forget();
        let loss = self.life.lost(self.now(), rand::random(), error.kind);
        let stayed = online_since.elapsed() >= self.timing.short_spell;
        self.publish_state(if stayed { Some(false) } else { (loss == Loss::TakenOver).then_some(true) });
        let again = self.life.next().at.saturating_sub(self.now());
        self.events.emit(Event::Lost { why: error.why, loss, again });
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
        let again = self.life.next().at.saturating_sub(now);
        self.events.emit(Event::ConnectLater { why, again });
    }
}

/// Keeps what is known for the next start: a refused device has no assignment any more.
fn store(file: &AssignmentFile, assignment: Option<&Assignment>, events: &Events) {
    if let Err(error) = file.write(assignment) {
        let what = format!("the assignment can't be stored, the next start will ask DPS again: {error}");
        events.emit(Event::Trouble(what));
    }
}
