//! Where the fleet goes: emulators, by their directories or addresses, or a real provisioning service.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustls::RootCertStore;
use tracker_certificates::Document;

use super::arguments::LoadArgs;
use crate::cli::cloud::EmulatorFile;
use crate::config::{Config, Endpoint, Transport};
use crate::lab::load::{Place, Trust};
use crate::link::tls::roots;

/// Seconds without traffic after which a device pings, as those that are run.
const KEEP_ALIVE: u16 = 230;

/// Whom what has come can be asked.
#[derive(Debug, Clone)]
pub(super) enum Witness {
    /// The emulator whose directory this is.
    Directory(PathBuf),
    /// Who has connection strings for it.
    Login { login: Vec<String>, server_ca: PathBuf },
    /// Nobody.
    Nobody(&'static str),
}

/// The places, with whom to ask at each.
pub(super) fn places(args: &LoadArgs) -> anyhow::Result<(Vec<Place>, Vec<Witness>)> {
    if let Some(path) = &args.config {
        let why = "Azure does not tell by device; its portal has the sum, as \"Telemetry messages sent\"";
        return Ok((vec![configured(path)?], vec![Witness::Nobody(why)]));
    }
    let here = [".".to_owned()];
    let named = if args.emulator.is_empty() { &here[..] } else { &args.emulator };
    let mut all = (Vec::new(), Vec::new());
    for text in named {
        let (place, witness) = emulator(text, args)?;
        all.0.push(place);
        all.1.push(witness);
    }
    if !args.login.is_empty() && !all.1.iter().any(|witness| matches!(witness, Witness::Login { .. })) {
        bail!("--login is for an emulator that is given as HOST:PORT");
    }
    Ok(all)
}

fn configured(path: &Path) -> anyhow::Result<Place> {
    let Config { dps, connection, .. } = Config::load(path)?;
    Ok(Place {
        name: dps.host.clone(),
        id_scope: dps.id_scope,
        dps: connection.endpoint(&dps.host),
        gateway: connection.gateway.clone(),
        transport: connection.transport,
        proxy: connection.proxy.clone(),
        keep_alive: connection.keep_alive,
        trust: Trust::new(roots(connection.roots.as_deref())?)?,
        hubs: Vec::new(),
    })
}

fn emulator(text: &str, args: &LoadArgs) -> anyhow::Result<(Place, Witness)> {
    let directory = Path::new(text);
    if let Some(file) = EmulatorFile::load(directory)? {
        let damaged = || format!("{} is damaged", EmulatorFile::path(directory).display());
        let address = Endpoint::parse(&file.address, tracker_protocol::MQTT_TLS_PORT).ok();
        let address = reached(address.with_context(damaged)?);
        let hubs = file.hubs.iter().map(|hub| hub.name.clone()).collect();
        let trust = trust(file.server_ca.as_bytes()).with_context(damaged)?;
        let place = at(text, address, file.id_scope, trust, hubs);
        return Ok((place, Witness::Directory(directory.into())));
    }
    let port = text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    if directory.is_dir() || port.is_none() {
        bail!(
            "there is no {}: start `container-tracker emulator` there, or name another one with --emulator, by its directory or \
             as HOST:PORT",
            EmulatorFile::path(directory).display()
        );
    }
    let endpoint = Endpoint::parse(text, tracker_protocol::MQTT_TLS_PORT);
    let endpoint = endpoint.map_err(anyhow::Error::msg).with_context(|| format!("--emulator {text}"))?;
    let Some(server_ca) = &args.server_ca else {
        bail!(
            "--emulator {text}: say with --server-ca which CA its certificate is of, the server-ca.pem of its directory"
        );
    };
    let read = || format!("--server-ca {}", server_ca.display());
    let pem = std::fs::read(server_ca).with_context(read)?;
    let trust = trust(&pem).with_context(read)?;
    let place = at(text, endpoint, args.id_scope.clone(), trust, Vec::new());
    let witness = match args.login.as_slice() {
        [] => {
            Witness::Nobody("it is an emulator's, and no connection string of its hubs is given with --login")
        }
        login => Witness::Login { login: login.to_vec(), server_ca: server_ca.clone() },
    };
    Ok((place, witness))
}

fn at(name: &str, endpoint: Endpoint, id_scope: String, trust: Trust, hubs: Vec<String>) -> Place {
    Place {
        name: name.into(),
        id_scope,
        dps: endpoint.clone(),
        gateway: Some(endpoint),
        transport: Transport::Mqtt,
        proxy: None,
        keep_alive: KEEP_ALIVE,
        trust,
        hubs,
    }
}

/// `localhost` is in every certificate of an emulator, and leads to one that listens everywhere.
fn reached(address: Endpoint) -> Endpoint {
    let ip: Option<IpAddr> = address.host.parse().ok();
    if ip.is_some_and(|ip| ip.is_loopback() || ip.is_unspecified()) {
        return Endpoint::local(address.port);
    }
    address
}

fn trust(pem: &[u8]) -> anyhow::Result<Trust> {
    let document = Document::read(pem)?;
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(document.certificates()?);
    if store.is_empty() {
        bail!("it has no certificate{}", document.instead());
    }
    Ok(Trust::new(store)?)
}
