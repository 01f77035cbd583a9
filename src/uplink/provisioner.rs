//! Asks DPS where this device belongs: one connection, one registration.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracker_protocol::RegistrationId;
use tracker_protocol::dps::{self, DpsUsername, Event, Outcome, RESPONSE_FILTER, Registration, Step};

use crate::config::Config;
use crate::link::dialer::Dialer;
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::link::{Link, LinkError, LinkErrorKind, LinkEvent, LinkOptions};
use crate::platform::heartbeat::Heartbeat;
use crate::platform::user_agent::user_agent;

/// The MQTT user name at DPS.
pub fn username(id_scope: &str, registration_id: &RegistrationId) -> String {
    DpsUsername {
        id_scope: id_scope.into(),
        registration_id: registration_id.to_string(),
        api_version: dps::API_VERSION.into(),
        client_version: Some(user_agent()),
    }
    .to_string()
}

/// How to connect to DPS as this device.
pub fn link_options(config: &Config, id: &RegistrationId, tls: Tls, timing: Timing) -> LinkOptions {
    LinkOptions {
        endpoint: config.connection.endpoint(&config.dps.host),
        client_id: id.to_string(),
        username: username(&config.dps.id_scope, id),
        keep_alive: config.connection.keep_alive,
        timing,
        tls,
    }
}

/// Why DPS could not be asked. It takes no connection from a device whose ID scope or client ID it does not know.
pub fn explain(error: &LinkError, id_scope: &str) -> String {
    match error.kind {
        LinkErrorKind::Identity => format!("{error}; is the ID scope {id_scope} right (dps.id_scope)?"),
        _ => error.to_string(),
    }
}

/// Connects, registers, polls until there is an outcome, and says goodbye.
pub async fn register(
    dialer: &mut Dialer,
    options: &LinkOptions,
    registration_id: RegistrationId,
    answer_within: Duration,
    heart: &Heartbeat,
) -> Result<Outcome, LinkError> {
    let mut link = Link::<()>::connect_by(dialer, options).await?;
    link.subscribe([RESPONSE_FILTER.to_owned()])?;
    let mut registration = Registration::new(registration_id, None).answer_within(answer_within);
    let start = Instant::now();
    let mut step = registration.handle(start.elapsed(), rand::random(), Event::Tick);
    loop {
        heart.beat().await;
        let deadline = match step {
            Step::Done(outcome) => {
                link.close().await;
                return Ok(outcome);
            }
            Step::Publish(message, deadline) => {
                link.publish(message, None)?;
                deadline
            }
            Step::Wait(deadline) => deadline,
        };
        let event = tokio::select! {
            event = link.next() => Some(event),
            () = sleep(deadline.saturating_sub(start.elapsed())) => None,
        };
        let event = match event.transpose() {
            Ok(event) => event,
            Err(error) => {
                // A connection that breaks does not shorten the wait that DPS has asked for.
                let wait = registration.wait_left(start.elapsed()).unwrap_or_default();
                heart.during(sleep(wait)).await;
                return Err(error);
            }
        };
        let now = start.elapsed();
        step = match event {
            Some(LinkEvent::Subscribed) => registration.handle(now, rand::random(), Event::Subscribed),
            Some(LinkEvent::Message { topic, payload }) => {
                registration.handle(now, rand::random(), Event::Message { topic: &topic, payload: &payload })
            }
            Some(LinkEvent::Acknowledged(())) | None => registration.handle(now, rand::random(), Event::Tick),
        };
    }
}
