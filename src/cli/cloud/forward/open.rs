//! From a URL to what is forwarded to.

use anyhow::{Context, bail};
use ureq::http::Uri;

use super::credentials::Credentials;
use super::influx::Influx;
use super::mqtt::Mqtt;
use super::options::ForwardCommand;
use super::prometheus::Prometheus;
use super::sink::Sink;

/// Opens what `--to` names. Nothing is connected yet.
pub(super) fn open(
    command: &ForwardCommand,
    credentials: Option<Credentials>,
) -> anyhow::Result<Box<dyn Sink>> {
    const FORMS: &str = "it has to be mqtt://HOST, mqtts://HOST, http(s)://HOST:8086/write?db=NAME or prometheus://ADDRESS:PORT";
    let uri: Uri = command.to.parse().ok().with_context(|| format!("--to is no URL: {FORMS}"))?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        bail!("--to is no whole URL: {FORMS}");
    };
    if authority.as_str().contains('@') {
        bail!(
            "--to has a user in it, which others would see in the list of processes: give a file with --credentials"
        );
    }
    let is_secret = |pair: &str| ["u=", "p=", "q=", "token="].iter().any(|name| pair.starts_with(name));
    if uri.query().unwrap_or_default().split('&').any(is_secret) {
        bail!("--to has u=, p= or token= in it: give a file with --credentials");
    }
    match scheme {
        "mqtt" | "mqtts" => Ok(Box::new(Mqtt::new(command, &uri, credentials)?)),
        "http" | "https" => Ok(Box::new(Influx::new(command, &uri, credentials)?)),
        "prometheus" => Ok(Box::new(Prometheus::listen(&uri)?)),
        other => bail!("--to: {other}:// is nothing that can be forwarded to; {FORMS}"),
    }
}
