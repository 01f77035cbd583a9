//! What the uplink has in hand for its next deed: who it is to DPS, and who to the hub.

use rand::random;
use tracker_protocol::dps::{Outcome, RefusalKind};

use super::Uplink;
use crate::config::Profile;
use crate::event::Event;
use crate::identity::Identity;
use crate::link::tls::Tls;
use crate::link::{LinkError, LinkErrorKind, LinkOptions};
use crate::platform::watched_file::WatchedFile;
use crate::uplink::assignment::{Assignment, Terms};
use crate::uplink::credentials::{self, Credentials, CredentialsError};
use crate::uplink::lifecycle::Action;
use crate::uplink::readiness::Ready;
use crate::uplink::renewal::{Leaving, Renewal};
use crate::uplink::session::Opening;
use crate::uplink::{profile, provisioner, tell};

impl Uplink {
    /// Loads what is needed.
    pub(super) async fn ready(&mut self, action: Action) -> Ready {
        if self.device.renewal.is_some() {
            return self.ready_with_issued(action).await;
        }
        let Some(Credentials { identity, tls, hub_tls, .. }) = self.credentials() else {
            return Ready::NotYet;
        };
        match action {
            Action::Register => Ready::Register(identity, tls),
            Action::Connect(assignment) if !self.holds(&assignment, &identity) => {
                self.life.forget_assignment(self.now());
                Ready::Otherwise
            }
            Action::Connect(assignment) => Ready::Connect(assignment, identity, hub_tls),
        }
    }

    /// The same where DPS is shown one certificate and the hub another, which was issued: neither needs the other's to be good.
    async fn ready_with_issued(&mut self, action: Action) -> Ready {
        let loaded = self.load_credentials();
        let id = self.credentials.as_ref().map(|credentials| credentials.identity.registration_id.clone());
        let Some(renewal) = &mut self.device.renewal else { return Ready::NotYet };
        let refreshed = renewal.refresh(id).await;
        let issued =
            refreshed.and_then(|()| renewal.issued().ok_or_else(|| CredentialsError::NoTime.to_string()));
        let issued = match issued {
            Ok(issued) => issued,
            Err(why) => {
                tell(&self.events, &mut self.last_problem, why, Event::Offline);
                return Ready::NotYet;
            }
        };
        self.life.has_issued(issued);
        match (action, self.life.next().action) {
            (Action::Register, Action::Register) => match self.credentials() {
                Some(Credentials { identity, tls, .. }) => Ready::Register(identity, tls),
                None if self.life.can_connect() => {
                    self.life.can_not_register(self.now(), random());
                    Ready::Otherwise
                }
                None => Ready::NotYet,
            },
            (Action::Connect(_), Action::Connect(assignment)) => self.ready_for_hub(assignment, loaded),
            _ => Ready::Otherwise,
        }
    }

    /// Who the device is to the hub is known before there is a network: its key signs what it measures.
    pub(super) async fn look_for_issued(&mut self) {
        let Some(renewal) = &mut self.device.renewal else { return };
        // What can't be read now is told when it is needed.
        if renewal.refresh(None).await.is_ok()
            && let Some((identity, _)) = renewal.best()
        {
            self.device.identity.send_replace(Some(identity));
        }
    }

    fn ready_for_hub(&mut self, assignment: Assignment, loaded: Result<(), CredentialsError>) -> Ready {
        match loaded {
            Ok(()) => self.last_problem.clear(),
            Err(problem) => {
                let what = format!(
                    "DPS could not be asked: {problem}; the hub is shown the certificate that was issued"
                );
                tell(&self.events, &mut self.last_problem, what, Event::Trouble);
            }
        }
        let identity = self.credentials.as_ref().map(|credentials| credentials.identity.clone());
        if let Some(identity) = identity.filter(|identity| !self.holds(&assignment, identity)) {
            let terms = self.terms(&identity);
            let Terms { id_scope, dps_host, thumbprint } = terms;
            let elsewhere =
                (&id_scope, &dps_host) != (&assignment.terms.id_scope, &assignment.terms.dps_host);
            if elsewhere || !profile::is_spoken(assignment.speaks()) {
                self.life.forget_assignment(self.now());
                return Ready::Otherwise;
            }
            // A new certificate is told to DPS once. Whatever comes of that, the hub knows another one.
            if self.asked_for != thumbprint {
                self.asked_for = thumbprint;
                self.life.ask_aside(self.now());
                return Ready::Otherwise;
            }
        }
        let best = self.device.renewal.as_mut().and_then(Renewal::best);
        let Some((identity, tls)) = best else { return Ready::Otherwise };
        self.device.identity.send_replace(Some(identity.clone()));
        Ready::Connect(assignment, identity, tls)
    }

    /// Takes what DPS has issued, where that was asked for; without it an assignment is none.
    pub(super) async fn issued(&mut self, outcome: Result<Outcome, LinkError>) -> Result<Outcome, LinkError> {
        let Some(renewal) = &mut self.device.renewal else { return outcome };
        let later = |why| Ok(Outcome::TryLater { retry_after: None, why });
        match outcome {
            Ok(Outcome::Assigned(mut assigned)) => {
                let Some(chain) = assigned.issued.take() else {
                    return later(provisioner::nothing_issued(&assigned.hub));
                };
                match self.device.heart.during(renewal.take(chain)).await {
                    Err(why) => later(format!("the certificate that DPS has issued can't be used: {why}")),
                    Ok(()) => Ok(Outcome::Assigned(assigned)),
                }
            }
            Ok(Outcome::Refused(refusal)) => {
                if refusal.kind == RefusalKind::BadRequest {
                    renewal.forget_request();
                }
                Ok(Outcome::Refused(refusal))
            }
            other => other,
        }
    }

    /// The hub could not be connected to. One that refuses a certificate that was issued is shown another, or DPS is asked for
    /// one.
    pub(super) fn unconnected(&mut self, mut error: LinkError, identity: &Identity) {
        if let Some(renewal) = &mut self.device.renewal
            && matches!(error.kind, LinkErrorKind::Identity | LinkErrorKind::Certificate)
        {
            renewal.ended();
            if renewal.refused(&identity.thumbprint, &error.why) {
                self.life.show_another(self.now());
                return;
            }
            error.kind = LinkErrorKind::Identity;
        }
        self.connect_failed(&error);
    }

    /// A good connection was left for this.
    pub(super) fn leaves(&mut self, leaving: Leaving) {
        match leaving {
            Leaving::ForHub => self.life.nudge(self.now()),
            Leaving::ForDps => self.life.ask_aside(self.now()),
        }
    }

    /// How to connect to the assigned hub, this time.
    pub(super) fn link_options(
        &self,
        assignment: &Assignment,
        opening: &Opening,
        identity: &Identity,
        tls: Tls,
    ) -> Result<LinkOptions, String> {
        let connection = &self.config.connection;
        let Assignment { hub, device_id, .. } = assignment;
        let until = provisioner::token_end(self.device.status.clock.certificate_time(), &self.timing);
        Ok(LinkOptions {
            endpoint: connection.endpoint(&assignment.hub),
            transport: connection.transport,
            proxy: connection.proxy.clone(),
            client_id: assignment.device_id.clone(),
            username: opening.username.clone(),
            password: identity.password_at_hub(hub, device_id, until)?,
            keep_alive: connection.keep_alive.min(opening.longest_keep_alive),
            timing: self.timing.clone(),
            tls,
            version: opening.version,
        })
    }

    /// What an assignment must have been given for to hold.
    pub(super) fn terms(&self, identity: &Identity) -> Terms {
        Terms::new(&self.config.dps, &identity.thumbprint)
    }

    /// Whether an assignment is still good: DPS would give it again, and has said of it what is to be known.
    fn holds(&self, assignment: &Assignment, identity: &Identity) -> bool {
        let asks = self.config.connection.profile == Profile::Assigned;
        assignment.terms == self.terms(identity)
            && identity.is_known_to_hubs()
            && (assignment.profile.is_some() || !asks)
            && profile::is_spoken(assignment.speaks())
    }

    /// Identity and TLS clients, loaded again when the certificate was replaced. A replacement that can't be used is told
    /// of, and those in use stay as long as they are valid. `None` while none can be used; the reason is told once.
    fn credentials(&mut self) -> Option<Credentials> {
        let problem = self.load_credentials().err();
        let clock = &*self.device.status.clock;
        let usable = match &self.credentials {
            Some(in_use) => in_use.check_validity(clock).map(|()| in_use.clone()),
            None => Err(CredentialsError::NoTime),
        };
        let (usable, problem, event): (_, _, fn(String) -> Event) = match (usable, problem) {
            (Ok(usable), None) => {
                self.last_problem.clear();
                return Some(usable);
            }
            (Ok(usable), Some(problem)) => (Some(usable), credentials::kept(&problem), Event::Trouble),
            (Err(problem), None) | (Err(_), Some(problem)) => (None, problem.to_string(), Event::Offline),
        };
        tell(&self.events, &mut self.last_problem, problem, event);
        usable
    }

    /// Takes what the files hold, if they have changed, and if it is not worse than what is in use.
    fn load_credentials(&mut self) -> Result<(), CredentialsError> {
        let clock = self.device.status.clock.clone();
        if self.credentials.as_ref().is_some_and(|in_use| !in_use.have_changed()) {
            return Ok(());
        }
        self.certificate = Some(WatchedFile::new(&self.config.identity.certificate));
        let loaded = Credentials::load(&self.config, clock.clone())?;
        let in_use = self.credentials.as_ref();
        if in_use.is_some_and(|in_use| in_use.check_validity(&*clock).is_ok()) {
            loaded.check_validity(&*clock)?;
        }
        self.use_credentials(loaded);
        Ok(())
    }

    /// These are shown to DPS from now on, and to the hub unless it is shown what was issued.
    pub(super) fn use_credentials(&mut self, loaded: Credentials) {
        if self.device.renewal.is_none() {
            self.device.identity.send_replace(Some(loaded.identity.clone()));
        }
        self.device.first_root_end.send_replace(loaded.first_root_end.clone());
        self.credentials = Some(loaded);
    }
}
