//! Asks DPS where this device belongs: one connection, one registration.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::{Instant, sleep};
use tracker_protocol::RegistrationId;
use tracker_protocol::dps::{self, DpsUsername, Event, Outcome, RESPONSE_FILTER, Registration, Step};

use crate::config::{Config, Profile};
use crate::identity::Identity;
use crate::link::dialer::Dialer;
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::link::{Link, LinkError, LinkErrorKind, LinkEvent, LinkOptions, Version};
use crate::platform::heartbeat::Heartbeat;
use crate::platform::user_agent::user_agent;
use crate::uplink::patience::Patience;

/// By which version of its API DPS is asked: the oldest that knows what is asked for.
fn api_version(config: &Config) -> &'static str {
    match config.connection.profile {
        Profile::Assigned => dps::PROFILE_API_VERSION,
        Profile::Classic if config.identity.operational.is_some() => dps::ISSUING_API_VERSION,
        Profile::Classic => dps::API_VERSION,
    }
}

/// The MQTT user name at DPS.
pub fn username(config: &Config, registration_id: &RegistrationId) -> String {
    DpsUsername {
        id_scope: config.dps.id_scope.clone(),
        registration_id: registration_id.to_string(),
        api_version: api_version(config).into(),
        client_version: Some(user_agent()),
    }
    .to_string()
}

/// How to connect to DPS as this device, at this time. The error says why a key signs no token now.
pub fn link_options(
    config: &Config,
    identity: &Identity,
    tls: Tls,
    now: Option<DateTime<Utc>>,
    timing: Timing,
) -> Result<LinkOptions, String> {
    let id = &identity.registration_id;
    let until = token_end(now, &timing);
    Ok(LinkOptions {
        endpoint: config.connection.endpoint(&config.dps.host),
        transport: config.connection.transport,
        proxy: config.connection.proxy.clone(),
        client_id: id.to_string(),
        username: username(config, id),
        password: identity.password_at_dps(&config.dps.id_scope, until)?,
        keep_alive: config.connection.keep_alive,
        timing,
        tls,
        version: Version::V311,
    })
}

/// Until when a token is good that is made now, where it is known what time that is.
pub fn token_end(now: Option<DateTime<Utc>>, timing: &Timing) -> Option<DateTime<Utc>> {
    now?.checked_add_signed(TimeDelta::from_std(timing.token_lasts).ok()?)
}

/// Why DPS could not be asked. It takes no connection from a device whose ID scope or client ID it does not know.
pub fn explain(error: &LinkError, id_scope: &str) -> String {
    match error.kind {
        LinkErrorKind::Identity => format!("{error}; is the ID scope {id_scope} right (dps.id_scope)?"),
        _ => error.to_string(),
    }
}

/// Why an assignment to this hub is none to a device that has asked for a certificate with it.
pub fn nothing_issued(hub: &str) -> String {
    format!(
        "DPS has assigned {hub} and issued no certificate, although one was asked for (identity.operational): the enrollment \
         names no certificate policy (certificatePolicyName), or its namespace is not linked to this DPS"
    )
}

/// How DPS is asked.
pub struct Asking<'a> {
    /// Where and as whom.
    pub options: &'a LinkOptions,
    /// An answer that takes longer is asked for again; after three times as long it is given up.
    pub answer_within: Duration,
    /// Beats with every step.
    pub heart: &'a Heartbeat,
    /// Asks for a certificate: PKCS#10 in base64.
    pub csr: Option<String>,
}

impl Asking<'_> {
    /// Connects, registers, polls until there is an outcome, and says goodbye. Where DPS may
    /// mind packets that follow CONNECT, it is tried again at once; `hurries` hears why.
    pub async fn register(
        &self,
        registration_id: &RegistrationId,
        dialer: &mut Dialer,
        patience: &mut Patience,
        hurries: impl Fn(&LinkError),
    ) -> Result<Outcome, LinkError> {
        // A gateway may stand for both DPS and hub, and need not treat them alike.
        let server = format!("DPS at {}", self.options.endpoint);
        loop {
            let early = !patience.waits_for(&server);
            let (outcome, minded) = self.ask(registration_id, dialer, early).await;
            if minded {
                if let (true, Err(error)) = (patience.suspects(&server), &outcome) {
                    hurries(error);
                    continue;
                }
            } else if matches!(outcome, Ok(Outcome::Assigned(_) | Outcome::Refused(_))) {
                patience.is_well(&server, !early);
            } else if !early {
                patience.acquits(&server);
            }
            return outcome;
        }
    }

    /// As it says; and whether DPS minds packets that follow CONNECT at once, as they do if it is told so (`early`).
    async fn ask(
        &self,
        id: &RegistrationId,
        dialer: &mut Dialer,
        early: bool,
    ) -> (Result<Outcome, LinkError>, bool) {
        let link = if early {
            Link::open(dialer, self.options).await
        } else {
            Link::connect_by(dialer, self.options).await
        };
        match link {
            Ok(mut link) => {
                let outcome = self.ask_over(&mut link, id).await;
                let minded = link.is_minded();
                if outcome.is_ok() {
                    link.close().await;
                }
                (outcome, minded)
            }
            Err(error) => (Err(error), false),
        }
    }

    async fn ask_over(&self, link: &mut Link<()>, id: &RegistrationId) -> Result<Outcome, LinkError> {
        let early = !link.is_connected();
        link.subscribe([RESPONSE_FILTER.to_owned()])?;
        let mut registration = Registration::new(id.clone(), None).answer_within(self.answer_within);
        if let Some(csr) = &self.csr {
            registration = registration.csr(csr.clone());
        }
        let start = Instant::now();
        // What DPS takes it takes in order.
        let first = if early { Event::Subscribing } else { Event::Tick };
        let mut step = registration.handle(start.elapsed(), rand::random(), first);
        loop {
            self.heart.beat().await;
            let deadline = match step {
                Step::Done(outcome) => return Ok(outcome),
                Step::Publish(message, deadline) => {
                    link.publish(message, None)?;
                    deadline
                }
                Step::Wait(deadline) => deadline,
            };
            let event = tokio::select! {
                event = link.next() => Some(event),
                () = sleep(deadline.saturating_sub(start.elapsed())), if link.is_connected() => None,
            };
            let event = match event.transpose() {
                Ok(event) => event,
                Err(error) => {
                    // A connection that breaks does not shorten the wait that DPS has asked for.
                    let wait = registration.wait_left(start.elapsed()).unwrap_or_default();
                    self.heart.during(sleep(wait)).await;
                    return Err(error);
                }
            };
            let now = start.elapsed();
            let event = match &event {
                Some(LinkEvent::Subscribed) => Event::Subscribed,
                Some(LinkEvent::Message { topic, payload, .. }) => Event::Message { topic, payload },
                Some(LinkEvent::Connected) => Event::Connected,
                Some(LinkEvent::Acknowledged(()) | LinkEvent::Refused(..)) | None => Event::Tick,
            };
            step = registration.handle(now, rand::random(), event);
        }
    }
}
