//! Server-sent events (WHATWG HTML, "server-sent events"): an addition of ours, where Azure has AMQP.

use std::time::Duration;

use http_body_util::Either;
use hyper::{
    Response,
    body::Bytes,
    header::{self, HeaderValue},
};
use serde_json::json;
use tokio::sync::mpsc;

use super::{answer::Answer, event_stream::EventStream};
use crate::subscription::{Subscription, SubscriptionError};

/// Events under way to a client beside those that wait in the feed, where their bytes are counted. Each may be a message
/// of 256 KB.
const UNDER_WAY: usize = 2;

/// A comment is sent after this silence, so that a client that is gone is noticed.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Sends what the subscription brings. `print` gives an event's ID and data, which is JSON, or nothing for one that is not
/// wanted.
pub(super) fn events<T: Send + Sync + 'static>(
    mut subscription: Subscription<T>,
    print: impl Fn(&T) -> Option<(Option<u64>, String)> + Send + Sync + 'static,
) -> Answer {
    let (sender, receiver) = mpsc::channel(UNDER_WAY);
    tokio::spawn(async move {
        let send = |item: &T| {
            let text = print(item).map(|(id, data)| {
                let id = id.map(|id| format!("id: {id}\n")).unwrap_or_default();
                // Between its members JSON may have line ends, which stand for the next line of the data.
                let data = data.replace("\r\n", "\n").replace(['\r', '\n'], "\ndata: ");
                format!("{id}data: {data}\n\n")
            });
            let sender = sender.clone();
            async move {
                match text {
                    Some(text) => sender.send(Bytes::from(text)).await.is_ok(),
                    None => true,
                }
            }
        };
        if sender.send(Bytes::from_static(b": connected\n\n")).await.is_err() {
            return;
        }
        loop {
            let next = tokio::select! {
                () = sender.closed() => return,
                next = tokio::time::timeout(HEARTBEAT, subscription.next()) => next,
            };
            let delivered = match next {
                Ok(Ok(item)) => send(&item).await,
                Ok(Err(SubscriptionError::Lagged(count))) => {
                    let data = json!({ "dropped": count });
                    sender.send(Bytes::from(format!("event: lagged\ndata: {data}\n\n"))).await.is_ok()
                }
                Ok(Err(SubscriptionError::Closed)) => return,
                Err(_elapsed) => sender.send(Bytes::from_static(b": still here\n\n")).await.is_ok(),
            };
            if !delivered {
                return;
            }
        }
    });
    let mut answer = Response::new(Either::Right(EventStream(receiver)));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer
}
