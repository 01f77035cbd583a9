//! Server-sent events: what changes, as it changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::input::Parameters;
use super::refusal::Refusal;
use super::site::Site;
use crate::model::{Lagged, Session};

/// No more than two deltas a second.
const PAUSE: Duration = Duration::from_millis(500);
/// How often it is looked whether the session has changed.
const LOOK: Duration = Duration::from_secs(1);
/// After so long a silence a comment says that the stream lives.
const SILENCE: Duration = Duration::from_secs(10);

/// What changes from now on, or since the event of this number.
#[cfg_attr(test, utoipa::path(get, path = "/api/live", params(("after" = Option<u64>, Query), ("last-event-id" = Option<u64>, Header)), responses((status = 200, description = "Server-sent events `delta` (schema Delta), `lagged` (schema Lagged) and `session`; a comment at least every 10 seconds.", content_type = "text/event-stream", body = String))))]
pub(super) async fn live(
    State(site): State<Arc<Site>>,
    headers: HeaderMap,
    parameters: Parameters,
) -> Result<Response, Refusal> {
    let resumed = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let last = resumed.or(parameters.only(&["after"])?.text("after")).map(|id| {
        id.parse().map_err(|_| Refusal::invalid("after", format!("{id:?} is no number of an event.")))
    });
    let last: Option<u64> = last.transpose()?;
    let (sender, body) = Channel::<Bytes, Infallible>::new(2);
    let teller = Teller::new(site, sender, last);
    tokio::spawn(teller.tell());
    let mut response = Body::new(body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// One page that listens.
struct Teller {
    site: Arc<Site>,
    sender: Sender<Bytes, Infallible>,
    version: watch::Receiver<u64>,
    changes: watch::Receiver<u64>,
    /// The version that the page has.
    since: u64,
    lost: u64,
    session: String,
    spoke: Instant,
}

/// The page has gone.
struct Gone;

impl Teller {
    fn new(site: Arc<Site>, sender: Sender<Bytes, Infallible>, last: Option<u64>) -> Self {
        let (version, changes) = (site.ingest.version(), site.changes.subscribe());
        let since = last.unwrap_or(*version.borrow());
        let (lost, session) = (site.ingest.lag(), essence(&site.backend.session()));
        Self { site, sender, version, changes, since, lost, session, spoke: Instant::now() }
    }

    async fn tell(mut self) {
        // The page knows at once that it is connected, and how soon to try again when it is not.
        let hello = self.say("retry: 2000\n: live\n\n".to_owned()).await;
        if hello.is_err() {
            return;
        }
        loop {
            let told = self.round().await;
            if told.is_err() {
                return;
            }
        }
    }

    async fn round(&mut self) -> Result<(), Gone> {
        if *self.version.borrow() == self.since {
            tokio::select! {
                changed = self.version.changed() => changed.map_err(|_| Gone)?,
                _ = self.changes.changed() => {}
                () = sleep(LOOK) => {}
            }
        }
        self.session().await?;
        let lost = self.site.ingest.lag();
        if lost > self.lost {
            let lagged = Lagged { lost: lost - std::mem::replace(&mut self.lost, lost) };
            self.event("lagged", &lagged).await?;
        }
        self.version.borrow_and_update();
        match self.site.ingest.delta(self.since) {
            Some((version, delta)) => {
                let is_news = version != self.since;
                self.since = version;
                if is_news {
                    self.event("delta", &delta).await?;
                    sleep(PAUSE).await;
                }
            }
            None => {
                self.since = *self.version.borrow();
                self.event("lagged", &Lagged { lost: 0 }).await?;
            }
        }
        if self.spoke.elapsed() >= SILENCE {
            self.say(": live\n\n".to_owned()).await?;
        }
        Ok(())
    }

    /// Tells that the session is another one, where it is.
    async fn session(&mut self) -> Result<(), Gone> {
        let now = essence(&self.site.session(false));
        let is_told = self.changes.has_changed().unwrap_or_default();
        if now == self.session && !is_told {
            return Ok(());
        }
        self.changes.mark_unchanged();
        self.session = now;
        self.event("session", &serde_json::Map::new()).await
    }

    async fn event(&mut self, name: &str, data: &impl Serialize) -> Result<(), Gone> {
        // The types have no form that JSON lacks.
        let data = serde_json::to_string(data).map_err(|_| Gone)?;
        // JSON in one line has no line feed: it needs no other care.
        self.say(format!("event: {name}\nid: {}\ndata: {data}\n\n", self.since)).await
    }

    async fn say(&mut self, text: String) -> Result<(), Gone> {
        self.spoke = Instant::now();
        // A page that takes nothing for so long has gone, whatever its connection says.
        let sent = timeout(SILENCE * 3, self.sender.send_data(Bytes::from(text))).await;
        sent.map_err(|_| Gone)?.map_err(|_| Gone)
    }
}

/// The session without what changes by itself.
fn essence(session: &Session) -> String {
    let Session { time, away, history_trouble, hubs, telemetry, can, .. } = session;
    format!("{:?} {} {away:?} {history_trouble:?} {hubs:?} {telemetry:?} {can:?}", time.speed, time.is_paused)
}
