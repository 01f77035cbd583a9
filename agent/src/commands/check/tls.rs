//! Whether TLS is made with the first server.

use std::net::TcpStream;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, RootCertStore};

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use crate::config::Endpoint;
use crate::identity::certificate::Certificate;
use crate::link::explain_tls;
use crate::link::tls;

/// For each read and write.
const ANSWER: Duration = Duration::from_secs(8);

pub(super) const CHECK: Check = Check {
    id: "tls",
    sentence: "TLS to the DPS host, or the gateway, is made, and its certificate leads to a trusted root",
    needs: &["tcp", "proxy", "key"],
    within: Duration::from_secs(30),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let endpoint = &context.server()?.endpoint;
    handshake(context, endpoint, context.tunnel()?)
}

/// Makes TLS with this server, as the agent does, over a fresh connection.
pub(super) fn handshake(
    context: &Context,
    endpoint: &Endpoint,
    mut stream: &TcpStream,
) -> Result<Finding, Finding> {
    let config = context.config()?;
    let Some(now) = context.clock.certificate_time() else {
        return Ok(Finding::skip("the time is not known, so the server's certificate can't be judged"));
    };
    let roots = tls::roots(config.connection.roots.as_deref()).map_err(Finding::error)?;
    let credentials = context.credentials()?.as_ref().map_err(Finding::error)?;
    let host = &endpoint.host;
    let name = ServerName::try_from(host.clone()).map_err(Finding::error)?;
    let mut connection = ClientConnection::new(credentials.tls.clone(), name).map_err(Finding::error)?;
    let timeouts = stream.set_read_timeout(Some(ANSWER)).and(stream.set_write_timeout(Some(ANSWER)));
    timeouts.map_err(Finding::error)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| refused(endpoint, &error))?;
    }
    let chain = connection.peer_certificates().unwrap_or_default();
    let parsed: Vec<Certificate> = chain.iter().filter_map(|der| Certificate::parse(der).ok()).collect();
    let version = connection.protocol_version().and_then(|version| version.as_str()).unwrap_or("TLS");
    let Some((first, last)) = parsed.first().zip(parsed.last()) else {
        return Ok(Finding::pass(version.replace('_', ".")));
    };
    let days = (first.not_after - now).num_days();
    let root = root_of(last, &roots);
    Ok(Finding::pass(format!(
        "{} with {host}, whose certificate leads to {root} and has {days} days left",
        version.replacen('v', " ", 1).replace('_', ".")
    )))
}

fn refused(endpoint: &Endpoint, error: &std::io::Error) -> Finding {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => Finding::error(format!("{endpoint}: {}", explain_tls(error))),
        None => Finding::fail(
            format!("{endpoint}: TCP stands, but TLS broke off: {error}"),
            "is there a proxy or a captive portal between here and there?",
        ),
    }
}

/// The trusted root above the last certificate that the server sent.
fn root_of(last: &Certificate, roots: &RootCertStore) -> String {
    // A trust anchor's subject is without the outermost header.
    let is_root = |name: &[u8]| roots.roots.iter().any(|anchor| name.ends_with(anchor.subject.as_ref()));
    let name =
        if is_root(last.subject_der()) && last.names_issuer(last) { &last.subject } else { &last.issuer };
    name.clone()
}
