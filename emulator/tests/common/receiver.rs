//! A webhook of a test's own: it answers as it is told and keeps what it was sent.

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
};

use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Bytes, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::PATIENCE;

/// One request.
#[derive(Clone, Debug)]
pub struct Posted {
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Posted {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

type Answer = dyn Fn(usize, &Posted) -> (u16, Value) + Send + Sync;

pub struct Receiver {
    pub url: String,
    posted: Arc<Mutex<Vec<Posted>>>,
    count: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Answers everything with 200.
    pub async fn start() -> Self {
        Self::answering(|_, _| (200, Value::Null)).await
    }

    /// Answers as told: the first request is number 0.
    pub async fn answering(answer: impl Fn(usize, &Posted) -> (u16, Value) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        Self::on(listener, Arc::new(answer))
    }

    /// A port that nobody listens on.
    pub async fn nobody() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        format!("http://{}/hook", listener.local_addr().expect("an address"))
    }

    fn on(listener: TcpListener, answer: Arc<Answer>) -> Self {
        let url = format!("http://{}/hook?code=secret", listener.local_addr().expect("an address"));
        let posted = Arc::new(Mutex::new(Vec::new()));
        let (told, count) = watch::channel(0);
        let (kept, told) = (Arc::clone(&posted), Arc::new(told));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept), Arc::clone(&told), Arc::clone(&answer)));
            }
        });
        Self { url, posted, count, task }
    }

    /// The first so many requests, when they have come.
    pub async fn first(&mut self, count: usize) -> Vec<Posted> {
        let enough = self.count.wait_for(|come| *come >= count);
        tokio::time::timeout(PATIENCE, enough).await.expect("they come in time").expect("it serves");
        self.posted()
    }

    /// What has come until now.
    pub fn posted(&self) -> Vec<Posted> {
        self.posted.lock().expect("no panic").clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    stream: TcpStream,
    kept: Arc<Mutex<Vec<Posted>>>,
    told: Arc<watch::Sender<usize>>,
    answer: Arc<Answer>,
) {
    let service = service_fn(move |request: Request<Incoming>| {
        let (kept, told, answer) = (Arc::clone(&kept), Arc::clone(&told), Arc::clone(&answer));
        async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.expect("a body").to_bytes();
            let text = |value: &hyper::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
            let posted = Posted {
                path: parts.uri.to_string(),
                headers: parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
                body: serde_json::from_slice(&body).expect("JSON"),
            };
            let (number, (status, body)) = {
                let mut kept = kept.lock().expect("no panic");
                kept.push(posted.clone());
                (kept.len(), answer(kept.len() - 1, &posted))
            };
            told.send_replace(number);
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let mut response = Response::new(Full::new(Bytes::from(body)));
            *response.status_mut() = status.try_into().expect("a status");
            Ok::<_, Infallible>(response)
        }
    });
    // A client that goes away is none of ours.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}
