//! Counts for Prometheus, over HTTP: `GET /metrics`.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::shared::Shared;

const FORM: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// Who looks at the same time.
const MOST_LOOKING: usize = 16;

/// Answers at this address until the program ends. Tells where that is.
pub async fn serve(address: SocketAddr, shared: &Shared) -> anyhow::Result<SocketAddr> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("--metrics: can't listen on {address}"))?;
    let at = listener.local_addr().context("--metrics")?;
    let registry = Arc::new(shared.tally.registry());
    let places = Arc::new(Semaphore::new(MOST_LOOKING));
    tokio::spawn(async move {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            };
            let registry = Arc::clone(&registry);
            tokio::spawn(async move {
                let answer = service_fn(|request: Request<Incoming>| {
                    let answer = answer(&request, &registry);
                    async { Ok::<_, Infallible>(answer) }
                });
                let serving =
                    http1::Builder::new().keep_alive(false).serve_connection(TokioIo::new(stream), answer);
                // Who asks nothing is sent away.
                let _ = tokio::time::timeout(std::time::Duration::from_secs(10), serving).await;
                drop(place);
            });
        }
    });
    Ok(at)
}

fn answer(request: &Request<Incoming>, registry: &Registry) -> Response<Full<Bytes>> {
    let mut text = String::new();
    let is_there = request.uri().path() == "/metrics";
    let (status, form) = if is_there && encode(&mut text, registry).is_ok() {
        (StatusCode::OK, FORM)
    } else {
        "the counts are at /metrics\n".clone_into(&mut text);
        (StatusCode::NOT_FOUND, "text/plain; charset=utf-8")
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(form));
    response
}
