//! The far end of a route: a webhook that makes notifications of what it is sent, as an application of the owner would.
//!
//! | path | what comes there |
//! |---|---|
//! | `/alarms` | messages that a route leads here, one each, in the shape of a storage account |
//! | `/devices` | events of Event Grid, and its question whether they are wanted |

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::notification::Notification;

/// A request has to be there within this time.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest body in bytes. No message of a hub is nearly as long.
const LONGEST: usize = 1024 * 1024;

/// Where messages of routes are posted.
pub(crate) const ALARMS: &str = "/alarms";
/// Where Event Grid's events are posted.
pub(crate) const DEVICES: &str = "/devices";

/// Shows a notification to a person.
type Show = Box<dyn Fn(&Notification) + Send + Sync>;

/// A receiver that listens. It ends when it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
    listening: JoinHandle<()>,
}

struct Shared {
    inbox: Mutex<Inbox>,
    news: watch::Sender<()>,
    show: Show,
}

/// What has come so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inbox {
    /// In their order, each once.
    pub(crate) notifications: Vec<Notification>,
    /// Event Grid's events by type, each with its subject.
    pub(crate) events: Vec<(String, String)>,
    /// Subscriptions that have asked whether they are wanted.
    pub(crate) validations: usize,
    /// Message IDs: what is delivered at least once may come twice.
    seen: HashSet<String>,
}

impl Receiver {
    /// Listens on a free port of this machine. `show` gets each notification once.
    pub(crate) async fn start(show: impl Fn(&Notification) + Send + Sync + 'static) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let inbox = Mutex::default();
        let shared = Arc::new(Shared { inbox, news: watch::Sender::new(()), show: Box::new(show) });
        let serving = shared.clone();
        let listening = tokio::spawn(async move {
            // A connection that fails is the caller's matter, who will come again.
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                tokio::spawn(async move { timeout(PATIENCE, shared.serve(stream)).await });
            }
        });
        Ok(Self { address, shared, listening })
    }

    /// The address of one of its paths.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What has come so far.
    pub(crate) fn inbox(&self) -> Inbox {
        self.shared.inbox().clone()
    }

    /// Waits until what has come is as the closure wants it: its answer, or `None` after `patience`.
    pub(crate) async fn wait<T>(
        &self,
        patience: Duration,
        wanted: impl Fn(&Inbox) -> Option<T>,
    ) -> Option<T> {
        let mut news = self.shared.news.subscribe();
        let search = async {
            loop {
                if let Some(found) = wanted(&self.shared.inbox()) {
                    return Some(found);
                }
                news.changed().await.ok()?;
            }
        };
        timeout(patience, search).await.ok().flatten()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Shared {
    async fn serve(&self, stream: TcpStream) -> hyper::Result<()> {
        let service = service_fn(|request: Request<Incoming>| async move {
            let (head, body) = request.into_parts();
            let body = Limited::new(body, LONGEST).collect().await;
            let (status, answer) = match body {
                Ok(body) => self.take(head.uri.path(), &body.to_bytes()),
                Err(_) => (StatusCode::BAD_REQUEST, String::new()),
            };
            self.news.send_replace(());
            let mut response = Response::new(answer);
            *response.status_mut() = status;
            Ok::<_, std::convert::Infallible>(response)
        });
        http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), service).await
    }

    /// What a request is answered with.
    fn take(&self, path: &str, body: &[u8]) -> (StatusCode, String) {
        let Ok(body) = serde_json::from_slice::<Value>(body) else {
            return (StatusCode::BAD_REQUEST, String::new());
        };
        let answer = match path {
            ALARMS => {
                self.notify(&body);
                String::new()
            }
            DEVICES => self.tell(&body),
            _ => return (StatusCode::NOT_FOUND, String::new()),
        };
        (StatusCode::OK, answer)
    }

    fn notify(&self, record: &Value) {
        let Some(notification) = Notification::of_record(record) else { return };
        let id = record["SystemProperties"]["messageId"].as_str();
        let mut inbox = self.inbox();
        if id.is_none_or(|id| inbox.seen.insert(id.to_owned())) {
            (self.show)(&notification);
            inbox.notifications.push(notification);
        }
    }

    fn tell(&self, events: &Value) -> String {
        let mut inbox = self.inbox();
        let mut answer = String::new();
        for event in events.as_array().into_iter().flatten() {
            let word = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            if event["eventType"] == "Microsoft.EventGrid.SubscriptionValidationEvent" {
                inbox.validations += 1;
                answer = json!({"validationResponse": event["data"]["validationCode"]}).to_string();
            } else {
                inbox.events.push((word("eventType"), word("subject")));
            }
        }
        answer
    }

    fn inbox(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn post(receiver: &Receiver, path: &str, body: &Value) -> String {
        let mut stream = TcpStream::connect(receiver.address).await.unwrap();
        let body = body.to_string();
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn notifications_come_once_and_subscriptions_are_proved() {
        let shown = Arc::new(Mutex::new(Vec::new()));
        let show = shown.clone();
        let receiver = Receiver::start(move |it: &Notification| show.lock().unwrap().push(it.text.clone()))
            .await
            .unwrap();
        let record = json!({
            "Properties": {"messageType": "event", "place": "Felixstowe", "state": "enter", "containerNumber": "MSKU9070323"},
            "SystemProperties": {"connectionDeviceId": "d", "messageId": "1-2"},
            "Body": {"time": "2026-11-21T09:41:00.000Z", "seq": 2},
        });
        for _ in 0..2 {
            assert!(post(&receiver, ALARMS, &record).await.starts_with("HTTP/1.1 200"));
        }
        let telemetry = json!({"Properties": {}, "SystemProperties": {}, "Body": {}});
        post(&receiver, ALARMS, &telemetry).await;
        assert_eq!(shown.lock().unwrap().len(), 1);

        let validation = json!([{"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "C"}}]);
        assert!(post(&receiver, DEVICES, &validation).await.ends_with(r#"{"validationResponse":"C"}"#));
        post(&receiver, DEVICES, &json!([{"eventType": "Connected", "subject": "devices/d"}])).await;
        assert!(post(&receiver, "/", &json!(1)).await.starts_with("HTTP/1.1 404"));
        let endless = json!("x".repeat(LONGEST));
        assert!(post(&receiver, ALARMS, &endless).await.starts_with("HTTP/1.1 400"));
        let inbox = receiver.wait(PATIENCE, |inbox| (!inbox.events.is_empty()).then(|| inbox.clone())).await;
        let Inbox { notifications, events, validations, .. } = inbox.unwrap();
        assert_eq!((notifications.len(), validations), (1, 1));
        assert_eq!(events, [("Connected".to_owned(), "devices/d".to_owned())]);
        assert!(receiver.wait(Duration::ZERO, |inbox| (inbox.validations > 1).then_some(())).await.is_none());
    }
}
