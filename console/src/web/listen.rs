//! The port: connections, TLS where it is wanted, and requests handed to the guard first and then to the routes.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::access::Access;
use super::guard::{Guard, seal};

/// The head of a request, and TLS before it, have to be there within this time.
const PATIENCE: Duration = Duration::from_secs(15);
/// Browsers use six connections a page.
const MOST_CONNECTIONS: usize = 256;
/// Where a page is found unless a port is asked for.
pub const USUAL_PORT: u16 = 8462;

/// Where the page is served, and to whom.
#[derive(Debug)]
pub struct ListenOptions {
    /// Loopback unless there is TLS.
    pub address: IpAddr,
    /// `None`: 8462, or any that is free when that one is taken.
    pub port: Option<u16>,
    /// Names by which browsers will call it, beside the address.
    pub names: Vec<String>,
    /// Certificate and key, where the way to the browser leaves this machine.
    pub tls: Option<TlsIdentity>,
    /// The link changes nothing.
    pub is_read_only: bool,
}

impl Default for ListenOptions {
    fn default() -> Self {
        let address = IpAddr::from([127, 0, 0, 1]);
        Self { address, port: None, names: Vec::new(), tls: None, is_read_only: false }
    }
}

/// By which a server proves who it is.
#[derive(Debug)]
pub struct TlsIdentity {
    /// The leaf first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Of the leaf.
    pub key: PrivateKeyDer<'static>,
}

/// Why a page can't be served.
#[derive(Debug, Error)]
pub enum ListenError {
    /// Whoever listens on the way could read the link, and with it own the fleet.
    #[error(
        "{0} can be reached from other machines, and the way there needs TLS: give --tls-certificate and --tls-key, or listen at 127.0.0.1"
    )]
    NeedsTls(IpAddr),
    /// With `0.0.0.0` nobody knows by which name browsers call.
    #[error("{0} is no name: say with --host by which name or address browsers will call this machine")]
    NeedsName(IpAddr),
    /// The port is taken, or may not be had.
    #[error("can't listen at {address}: {source}{}", instead(source))]
    Listen {
        /// Where.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Certificate and key do not go together, or are none.
    #[error("the certificate and key for TLS can't be used: {0}")]
    Tls(#[from] rustls::Error),
    /// The system has no randomness for the token.
    #[error("the system gives no random bytes for the link")]
    Random,
}

/// A page that is served. Ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    guard: Arc<Guard>,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

/// What to do where another program has the port that was asked for.
fn instead(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrInUse => "; leave the port out, and one that is free is taken",
        _ => "",
    }
}

impl Server {
    /// Listens, and serves `routes` to whoever has the link.
    pub(super) async fn start(options: ListenOptions, routes: Router) -> Result<Self, ListenError> {
        let ListenOptions { address, port, names, tls, is_read_only } = options;
        if !address.is_loopback() && tls.is_none() {
            return Err(ListenError::NeedsTls(address));
        }
        if address.is_unspecified() && names.is_empty() {
            return Err(ListenError::NeedsName(address));
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let tls = tls.map(acceptor).transpose()?;
        let listener = bind(address, port).await?;
        let address = listener
            .local_addr()
            .map_err(|source| ListenError::Listen { address: (address, 0).into(), source })?;
        let access = Access::new(address.port(), tls.is_some(), is_read_only).ok_or(ListenError::Random)?;
        let guard = Arc::new(Guard { access, scheme, hosts: hosts(address, &names, scheme) });
        let serving = tokio::spawn(accept(listener, tls, guard.clone(), routes));
        Ok(Self { guard, address, serving })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The link that opens the page. Whoever has it may do what the page may.
    pub fn link(&self) -> String {
        let Guard { access, scheme, hosts } = &*self.guard;
        let host = hosts.first().map_or_else(|| self.address.to_string(), Clone::clone);
        format!("{scheme}://{host}/?token={}", access.token())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn bind(address: IpAddr, port: Option<u16>) -> Result<TcpListener, ListenError> {
    let bind = async |port: u16| {
        let address = SocketAddr::from((address, port));
        TcpListener::bind(address).await.map_err(|source| ListenError::Listen { address, source })
    };
    match port {
        Some(port) => bind(port).await,
        None => match bind(USUAL_PORT).await {
            Ok(listener) => Ok(listener),
            Err(_) => bind(0).await,
        },
    }
}

/// What may stand in `Host`; the first is in the link.
fn hosts(address: SocketAddr, names: &[String], scheme: &str) -> Vec<String> {
    let usual = if scheme == "https" { 443 } else { 80 };
    let named = names.iter().map(|name| match name.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => name.to_ascii_lowercase(),
    });
    let mut hosts: Vec<String> = named.collect();
    let ip = address.ip();
    if !ip.is_unspecified() {
        hosts.push(if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() });
    }
    if ip.is_loopback() {
        hosts.extend(["127.0.0.1", "localhost", "[::1]"].map(str::to_owned));
    }
    let with_port =
        |host: String| if address.port() == usual { host } else { format!("{host}:{}", address.port()) };
    let mut seen = Vec::new();
    for host in hosts.into_iter().map(with_port) {
        if !seen.contains(&host) {
            seen.push(host);
        }
    }
    seen
}

fn acceptor(TlsIdentity { chain, key }: TlsIdentity) -> Result<TlsAcceptor, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_no_client_auth().with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Takes connections for ever. Those that are open end with it.
async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, guard: Arc<Guard>, routes: Router) {
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // No file descriptors, most likely: some will be free again.
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        // Deltas are small and wanted at once.
        let _ = stream.set_nodelay(true);
        while connections.try_join_next().is_some() {}
        let (tls, guard, routes) = (tls.clone(), guard.clone(), routes.clone());
        connections.spawn(async move {
            let _place = place;
            match tls {
                None => serve(stream, guard, routes).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                        serve(stream, guard, routes).await;
                    }
                }
            }
        });
    }
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send, guard: Arc<Guard>, routes: Router) {
    let service = service_fn(|request: Request<Incoming>| {
        let (guard, routes) = (guard.clone(), routes.clone());
        async move { Ok::<_, Infallible>(answer(&guard, routes, request.map(Body::new)).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    // A connection that fails is the browser's matter, which will come again.
    let _ = builder.serve_connection(TokioIo::new(stream), service).await;
}

/// One request: past the guard, along the routes, sealed.
pub(super) async fn answer(guard: &Guard, mut routes: Router, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let mut response = match guard.admit(&parts) {
        Ok(rights) => {
            let mut request = Request::from_parts(parts, body);
            request.extensions_mut().insert(rights);
            routes.call(request).await.unwrap_or_else(|never| match never {})
        }
        Err(answer) => answer,
    };
    seal(&mut response);
    response
}
