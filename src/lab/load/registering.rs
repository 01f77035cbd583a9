//! A device asks the provisioning service where it belongs.

use std::time::Duration;

use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep};
use tracker_protocol::RegistrationId;
use tracker_protocol::dps::{
    API_VERSION, Assignment, DpsUsername, Event, Outcome, RESPONSE_FILTER, Registration, Response, Step,
};

use super::fault::{Fault, FaultKind};
use super::place::Place;
use super::shared::Shared;
use crate::link::dialer::Dialer;
use crate::link::timing::Timing;
use crate::link::tls::Tls;
use crate::link::{Link, LinkEvent, LinkOptions, Version};
use crate::platform::user_agent::user_agent;

/// Where a service that has too much to do does not say how long.
const REST: Duration = Duration::from_secs(5);
/// A wait that is no work for anybody gives its place to others.
const SHORT: Duration = Duration::from_millis(50);

/// Why a device is not registered.
pub(super) struct Setback {
    pub(super) fault: Fault,
    /// Not before.
    pub(super) wait: Option<Duration>,
}

impl<F: Into<Fault>> From<F> for Setback {
    fn from(fault: F) -> Self {
        Self { fault: fault.into(), wait: None }
    }
}

/// How a device connects.
pub(super) fn options(place: &Place, client_id: &str, username: String, tls: Tls) -> LinkOptions {
    LinkOptions {
        password: None,
        endpoint: place.dps.clone(),
        transport: place.transport,
        proxy: place.proxy.clone(),
        client_id: client_id.into(),
        username,
        keep_alive: place.keep_alive,
        timing: Timing::default(),
        tls,
        version: Version::V311,
    }
}

/// Connects, up to CONNACK.
pub(super) async fn connect<T>(
    shared: &Shared,
    number: u32,
    options: &LinkOptions,
) -> Result<Link<T>, Fault> {
    if options.proxy.is_some() {
        return Ok(Link::connect(options).await?);
    }
    let tcp = shared.roads.dial(number, &options.endpoint).await?;
    Ok(Link::connect_by(&mut Dialer::holding(&options.endpoint, tcp), options).await?)
}

/// Registers. The place for handshakes is left while the service works.
pub(super) async fn register<'a>(
    shared: &'a Shared,
    number: u32,
    id: &RegistrationId,
    tls: Tls,
    held: &mut Option<SemaphorePermit<'a>>,
) -> Result<Assignment, Setback> {
    let place = &shared.places[shared.place_of(number)];
    let username = DpsUsername {
        id_scope: place.id_scope.clone(),
        registration_id: id.to_string(),
        api_version: API_VERSION.into(),
        client_version: Some(user_agent()),
    };
    let mut link: Link<()> = connect(shared, number, &options(place, id.as_str(), username.to_string(), tls))
        .await
        .map_err(of_dps)?;
    shared.tally.dps_connections.inc();
    link.subscribe([RESPONSE_FILTER.to_owned()])?;
    let mut registration = Registration::new(id.clone(), None);
    let begun = Instant::now();
    let mut step = registration.handle(Duration::ZERO, rand::random(), Event::Tick);
    loop {
        let deadline = match step {
            Step::Done(outcome) => {
                link.close().await;
                return ended(outcome);
            }
            Step::Publish(message, deadline) => {
                link.publish(message, None)?;
                deadline
            }
            Step::Wait(deadline) => {
                if registration.wait_left(begun.elapsed()).is_some_and(|wait| wait > SHORT) {
                    *held = None;
                }
                deadline
            }
        };
        let event = tokio::select! {
            event = link.next() => Some(event?),
            () = sleep(deadline.saturating_sub(begun.elapsed())) => None,
        };
        let event = match &event {
            Some(LinkEvent::Subscribed) => Event::Subscribed,
            Some(LinkEvent::Message { topic, payload, .. }) => {
                heed(shared, topic);
                Event::Message { topic, payload }
            }
            Some(LinkEvent::Connected | LinkEvent::Acknowledged(()) | LinkEvent::Refused(..)) | None => {
                Event::Tick
            }
        };
        step = registration.handle(begun.elapsed(), rand::random(), event);
    }
}

/// What one device is told of too much work is good for all.
fn heed(shared: &Shared, topic: &str) {
    if let Ok(Response { status: 429, retry_after, .. }) = topic.parse() {
        shared.tally.throttled.inc();
        shared.pacer.hold(retry_after.unwrap_or(REST));
    }
}

fn ended(outcome: Outcome) -> Result<Assignment, Setback> {
    match outcome {
        Outcome::Assigned(assignment) => Ok(assignment),
        Outcome::Refused(refusal) => Err(Fault::new(FaultKind::DpsRefused, refusal.to_string()).into()),
        Outcome::TryLater { retry_after, why } => {
            Err(Setback { fault: Fault::new(FaultKind::DpsLater, why), wait: retry_after })
        }
    }
}

/// The service takes no connection from a device whose ID scope it does not know.
fn of_dps(fault: Fault) -> Fault {
    match fault.kind {
        FaultKind::Identity => {
            let why = format!("the provisioning service: {}; is the ID scope right?", fault.why);
            Fault::new(FaultKind::DpsRefused, why)
        }
        _ => fault,
    }
}
