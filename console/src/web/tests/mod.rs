//! The server asked as browsers, and strangers, ask it.

mod backend;
mod calls;
mod door;
mod openapi;
mod security;

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

use super::access::Access;
use super::guard::Guard;
use super::listen::answer;
use super::routes;
use super::site::Site;
use crate::history::{History, HistoryOptions};
use crate::ingest::Ingest;

use backend::Pretended;

pub(super) const HOST: &str = "127.0.0.1:8462";

/// A server without a port.
struct Desk {
    guard: Guard,
    routes: Router,
    backend: Arc<Pretended>,
}

/// What was answered.
struct Answered {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answered {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    fn code(&self) -> String {
        self.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Desk {
    fn new(is_read_only: bool) -> Self {
        let backend = Arc::new(Pretended::default());
        let ingest = Ingest::start(backend.clone(), History::open(HistoryOptions::in_memory()));
        let routes = routes(Arc::new(Site::new(backend.clone(), ingest)));
        let access = Access::new(8462, false, is_read_only).unwrap();
        let hosts = vec![HOST.to_owned(), "localhost:8462".to_owned(), "[::1]:8462".to_owned()];
        Self { guard: Guard { access, scheme: "http", hosts }, routes, backend }
    }

    fn cookie(&self) -> String {
        self.guard.access.set_cookie().split(';').next().unwrap().to_owned()
    }

    async fn ask(&self, request: Request<Body>) -> Answered {
        let response = answer(&self.guard, self.routes.clone(), request).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Answered { status: parts.status, headers: parts.headers, body }
    }

    /// A request as the page itself makes it.
    fn own(&self, method: &Method, path: &str, body: &str) -> Request<Body> {
        let mut request = Request::builder()
            .method(method.clone())
            .uri(path)
            .header("host", HOST)
            .header("cookie", self.cookie())
            .header("sec-fetch-site", "same-origin");
        if *method != Method::GET {
            request =
                request.header("origin", format!("http://{HOST}")).header("content-type", "application/json");
        }
        request.body(Body::from(body.to_owned())).unwrap()
    }

    async fn get(&self, path: &str) -> Answered {
        self.ask(self.own(&Method::GET, path, "")).await
    }

    async fn change(&self, method: Method, path: &str, body: &str) -> Answered {
        self.ask(self.own(&method, path, body)).await
    }
}
