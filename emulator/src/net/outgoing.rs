//! The one kind of call the emulator makes itself: a POST of JSON over HTTP or HTTPS.

use std::sync::Arc;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, Uri, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use thiserror::Error;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

/// The largest answer read.
const ANSWER_LIMIT: usize = 256 * 1024;

/// A call without an answer.
#[derive(Debug, Error)]
pub(crate) enum CallError {
    #[error("\"{0}\" is not an http or https address")]
    Address(String),
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    #[error("the answer cannot be read: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
}

/// An address taken apart.
struct Address {
    uri: Uri,
    is_secure: bool,
    /// Without the brackets of an IPv6 address.
    host: String,
    port: u16,
}

impl Address {
    fn parse(url: &str) -> Result<Self, CallError> {
        let bad_address = || CallError::Address(url.to_owned());
        let uri: Uri = url.parse().map_err(|_| bad_address())?;
        let is_secure = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad_address()),
        };
        let host = uri.host().ok_or_else(bad_address)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        Ok(Self { uri, is_secure, host, port })
    }
}

/// Whether it is an address that can be called.
pub(crate) fn check_address(url: &str) -> Result<(), CallError> {
    let address = Address::parse(url)?;
    // A port that is none is no port to `hyper`.
    let authority = address.uri.authority().map(hyper::http::uri::Authority::as_str).unwrap_or_default();
    if address.host.is_empty() || authority.contains('@') {
        return Err(CallError::Address(url.to_owned()));
    }
    Ok(())
}

/// Posts `body` and gives status and body of the answer. HTTPS trusts what the system trusts.
pub(crate) async fn post_json(
    url: &str,
    headers: &[(&'static str, String)],
    body: String,
) -> Result<(u16, Bytes), CallError> {
    let bad_address = || CallError::Address(url.to_owned());
    let Address { uri, is_secure, host, port } = Address::parse(url)?;
    let path = uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
    let mut request = Request::post(path)
        .header(header::HOST, uri.authority().map_or(host.as_str(), hyper::http::uri::Authority::as_str))
        .header(header::CONTENT_TYPE, "application/json; charset=utf-8")
        .header(header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(*name, value);
    }
    let request = request.body(Full::new(Bytes::from(body))).map_err(|_| bad_address())?;
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    if !is_secure {
        return exchange(stream, request).await;
    }
    let name = ServerName::try_from(host).map_err(|_| bad_address())?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client_config()?));
    exchange(connector.connect(name, stream).await?, request).await
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<(u16, Bytes), CallError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let exchange = async {
        let answer = sender.send_request(request).await?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
        Ok((status, body.map_err(CallError::Body)?.to_bytes()))
    };
    tokio::pin!(exchange, connection);
    let mut connected = true;
    loop {
        tokio::select! {
            answer = &mut exchange => return answer,
            // Its errors reach the exchange too.
            _ = &mut connection, if connected => connected = false,
        }
    }
}

fn client_config() -> Result<ClientConfig, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
