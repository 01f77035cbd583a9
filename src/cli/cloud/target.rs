//! Which service is called: of a local emulator, found by its file, or one that `--login` names.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tracker_certificates::Document;
use ureq::tls::Certificate;

use super::amqp::HubPlace;
use super::emulator_file::{EmulatorFile, ServiceEntry};
use super::output::Output;
use super::service::client::{Call, Client, Service};
use super::service::connection_string::ConnectionString;
use crate::cli::text_file;

/// Options of every command.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Which cloud")]
pub(crate) struct Target {
    /// Connection string of a provisioning service or a hub, HostName=…;SharedAccessKeyName=…;SharedAccessKey=…, of Azure or of an emulator; @FILE reads it from a file. Given several times, several hubs and their provisioning service.
    #[arg(long, short = 'l', value_name = "CONNECTION STRING", global = true)]
    login: Vec<String>,
    /// The --directory of the local emulator, which has an emulator.json.
    #[arg(long, value_name = "DIRECTORY", default_value = ".", global = true)]
    emulator: PathBuf,
    /// Which hub of the emulator; without it all of them, or the one that has the device.
    #[arg(long, short = 'n', value_name = "NAME", global = true, conflicts_with = "login")]
    hub_name: Option<String>,
    /// The server-ca.pem of the emulator that --login names, where it is not the one of --emulator.
    #[arg(long, value_name = "FILE.pem", global = true, requires = "login")]
    server_ca: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

/// A hub by its name.
pub(crate) struct Hub {
    /// The first label of its host name, or host and port where there is no other.
    pub label: String,
    pub client: Client,
}

impl Hub {
    /// The same; when it asks to wait, all callers wait.
    pub(crate) fn patient(self) -> Self {
        Self { client: self.client.patient(), ..self }
    }
}

/// Options of the console, which looks at all hubs of an emulator, or at one that is named.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// Connection string of a hub, HostName=…;SharedAccessKeyName=…;SharedAccessKey=…, of Azure or of an emulator; @FILE reads it from a file.
    #[arg(long, short = 'l', value_name = "CONNECTION STRING")]
    login: Option<String>,
    /// The --directory of the local emulator, which has an emulator.json.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    emulator: PathBuf,
    /// The server-ca.pem of the emulator that --login names, where it is not the one of --emulator.
    #[arg(long, value_name = "FILE.pem", requires = "login")]
    server_ca: Option<PathBuf>,
}

/// All services of an emulator, or one hub.
pub(crate) struct Clients {
    /// Of an emulator.
    pub dps: Option<Client>,
    /// By host name.
    pub hubs: Vec<(String, Client)>,
    /// Of an emulator.
    pub id_scope: Option<String>,
}

impl Login {
    /// The directory of the emulator, unless a hub is named.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.login.is_none().then_some(&*self.emulator)
    }

    /// Who is asked.
    pub(crate) fn clients(&self) -> anyhow::Result<Clients> {
        let Some(login) = &self.login else { return Clients::of_emulator(&self.emulator) };
        let (emulator, server_ca) = (self.emulator.clone(), self.server_ca.clone());
        let target = Target { emulator, server_ca, ..Target::default() };
        let hub = target.named(connection(login)?, Service::Hub)?;
        Ok(Clients { dps: None, hubs: vec![(hub.host().to_owned(), hub)], id_scope: None })
    }
}

impl Clients {
    /// Those of the emulator whose file is in this directory.
    pub(crate) fn of_emulator(directory: &Path) -> anyhow::Result<Self> {
        let (path, file) = emulator_file(directory)?;
        let client = |entry: &ServiceEntry, service| client_of(&path, &file, entry, service);
        let hub = |entry: &ServiceEntry| Ok((entry.name.clone(), client(entry, Service::Hub)?));
        let hubs: anyhow::Result<Vec<_>> = file.hubs.iter().map(hub).collect();
        let dps = Some(client(&file.provisioning_service, Service::Dps)?);
        Ok(Self { dps, hubs: hubs?, id_scope: Some(file.id_scope.clone()) })
    }
}

impl Target {
    /// The provisioning service.
    pub(crate) fn dps(&self) -> anyhow::Result<Client> {
        self.client(Service::Dps)
    }

    /// The hub.
    pub(crate) fn hub(&self) -> anyhow::Result<Client> {
        self.client(Service::Hub)
    }

    /// The provisioning service, if it is an emulator's. `what` can't be had from Azure with a connection string, and
    /// `instead` says how it is done there.
    pub(crate) fn emulated_dps(&self, what: &str, instead: &str) -> anyhow::Result<Client> {
        only_emulated(self.dps()?, what, instead)
    }

    /// The hub, if it is an emulator's.
    pub(crate) fn emulated_hub(&self, what: &str, instead: &str) -> anyhow::Result<Client> {
        only_emulated(self.hub()?, what, instead)
    }

    /// All hubs that are linked, or the one that is named.
    pub(crate) fn hubs(&self) -> anyhow::Result<Vec<Hub>> {
        if self.login.is_empty() {
            let (path, file) = emulator_file(&self.emulator)?;
            let named = match &self.hub_name {
                Some(name) => std::slice::from_ref(file.hub(Some(name))?),
                None => &file.hubs,
            };
            let hub = |entry: &ServiceEntry| {
                let client = client_of(&path, &file, entry, Service::Hub)?;
                Ok(Hub { label: label(&entry.name), client })
            };
            return named.iter().map(hub).collect();
        }
        let hub = |connection: ConnectionString| {
            let client = self.named(connection, Service::Hub)?;
            let label = label(client.name());
            Ok(Hub { label, client })
        };
        self.connections(Service::Hub)?.into_iter().map(hub).collect()
    }

    /// The hub that has the device: the only one, the one that is named, or the one that knows it.
    pub(crate) fn hub_of(&self, device_id: &str) -> anyhow::Result<Client> {
        let mut hubs = self.hubs()?;
        if hubs.len() == 1 {
            return hubs.pop().map(|hub| hub.client).context("there is one");
        }
        let labels = hubs.iter().map(|hub| hub.label.as_str()).collect::<Vec<_>>().join(", ");
        let mut found = Vec::new();
        for hub in hubs {
            if hub.client.find(Call::get(&["devices", device_id]))?.is_some() {
                found.push(hub);
            }
        }
        match found.len() {
            0 => bail!(
                "none of the hubs {labels} has a device {device_id:?}: `cloud device list` shows those that they have"
            ),
            1 => found.pop().map(|hub| hub.client).context("there is one"),
            _ => {
                let labels = found.iter().map(|hub| hub.label.as_str()).collect::<Vec<_>>().join(" and ");
                bail!("{labels} have a device {device_id:?}: choose one with --hub-name")
            }
        }
    }

    fn client(&self, service: Service) -> anyhow::Result<Client> {
        if self.login.is_empty() {
            return self.local(service);
        }
        let mut connections = self.connections(service)?;
        match (connections.pop(), connections.len()) {
            (Some(only), 0) => self.named(only, service),
            (None, _) => bail!("no --login names {}; this needs one", service.name()),
            (Some(_), others) => {
                bail!("{} of the --login name {}; this needs one", others + 1, service.name())
            }
        }
    }

    /// What the options say of this service. One alone is meant, whatever it looks like.
    fn connections(&self, service: Service) -> anyhow::Result<Vec<ConnectionString>> {
        let all: Vec<_> = self.login.iter().map(|login| connection(login)).collect::<anyhow::Result<_>>()?;
        if all.len() == 1 {
            return Ok(all);
        }
        let is_dps = |one: &ConnectionString| {
            one.names_dps() || (!one.names_hub() && one.policy.starts_with("provisioning"))
        };
        Ok(all.into_iter().filter(|one| is_dps(one) == (service == Service::Dps)).collect())
    }

    fn named(&self, connection: ConnectionString, service: Service) -> anyhow::Result<Client> {
        match service {
            Service::Dps if connection.names_hub() => {
                bail!("--login names the hub {}; this needs the provisioning service", connection.host)
            }
            Service::Hub if connection.names_dps() => {
                bail!("--login names the provisioning service {}; this needs a hub", connection.host)
            }
            _ => {}
        }
        let is_azure = connection.is_of_azure() && self.server_ca.is_none();
        let roots = if let Some(path) = &self.server_ca {
            let pem = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
            certificates(&pem).with_context(|| format!("{} has no certificate", path.display()))?
        } else if let (false, Some(file)) = (is_azure, EmulatorFile::load(&self.emulator)?) {
            certificates(file.server_ca.as_bytes()).context("emulator.json has no certificate")?
        } else {
            system_roots()?
        };
        let advice = "check HostName in --login, and the network".to_owned();
        let place = if is_azure { HubPlace::default() } else { self.place_of(&connection) };
        Ok(Client::new(connection, is_azure, service, &roots, advice, place))
    }

    /// What the file of an emulator knows of the hub that --login names.
    fn place_of(&self, connection: &ConnectionString) -> HubPlace {
        let Ok(Some(file)) = EmulatorFile::load(&self.emulator) else { return HubPlace::default() };
        let parsed = |entry: &ServiceEntry| ConnectionString::parse(&entry.connection_string).ok();
        let is_there =
            |entry: &&ServiceEntry| parsed(entry).is_some_and(|known| known.host == connection.host);
        let has_key = |entry: &&ServiceEntry| parsed(entry).is_some_and(|known| known.key == connection.key);
        // Several hubs share a port: which of them is meant, the key may tell.
        let found = match file.hubs.iter().filter(is_there).collect::<Vec<_>>()[..] {
            [only] => Some(only),
            _ => file.hubs.iter().find(has_key),
        };
        HubPlace { name: found.map(|entry| entry.name.clone()), amqp_port: file.amqp_port }
    }

    fn local(&self, service: Service) -> anyhow::Result<Client> {
        let (path, file) = emulator_file(&self.emulator)?;
        let entry = match service {
            Service::Dps => &file.provisioning_service,
            Service::Hub => file.hub(self.hub_name.as_deref())?,
        };
        client_of(&path, &file, entry, service)
    }
}

/// Hubs of an emulator, by connection strings, and by the CA that has signed its certificate.
pub(in crate::cli) fn hubs_by_login(login: &[String], server_ca: &Path) -> anyhow::Result<Vec<Client>> {
    let target = Target { login: login.to_vec(), server_ca: Some(server_ca.into()), ..Target::default() };
    Ok(target.hubs()?.into_iter().map(|hub| hub.client).collect())
}

/// What --login says, itself or in a file.
fn connection(login: &str) -> anyhow::Result<ConnectionString> {
    let from_file = login
        .strip_prefix('@')
        .map(|path| text_file::read(Path::new(path)).with_context(|| format!("--login: can't read {path}")));
    let from_file = from_file.transpose()?;
    ConnectionString::parse(from_file.as_deref().unwrap_or(login)).context("--login")
}

/// What people call a host.
fn label(host: &str) -> String {
    match host.split_once('.') {
        Some((label, rest)) if rest.contains("azure-devices") => label.to_owned(),
        _ => host.to_owned(),
    }
}

/// What a running emulator has written in this directory, and where that is.
fn emulator_file(directory: &Path) -> anyhow::Result<(PathBuf, EmulatorFile)> {
    let path = EmulatorFile::path(directory);
    let Some(file) = EmulatorFile::load(directory)? else {
        bail!(
            "there is no {}: start `container-tracker emulator` there, or name its directory with --emulator, or a \
             service with --login",
            path.display()
        );
    };
    Ok((path, file))
}

/// A service of an emulator.
fn client_of(
    path: &Path,
    file: &EmulatorFile,
    entry: &ServiceEntry,
    service: Service,
) -> anyhow::Result<Client> {
    let connection = ConnectionString::parse(&entry.connection_string)
        .with_context(|| format!("{} is damaged", path.display()))?;
    let roots = certificates(file.server_ca.as_bytes())
        .with_context(|| format!("{} has no certificate", path.display()))?;
    let advice = format!(
        "does the emulator still run that wrote {}? Start it with `container-tracker emulator`",
        path.display()
    );
    let place = HubPlace { name: Some(entry.name.clone()), amqp_port: file.amqp_port };
    Ok(Client::new(connection, false, service, &roots, advice, place))
}

/// The hub of this name of an emulator that describes itself so.
pub(in crate::cli) fn hub_in(file: &EmulatorFile, name: &str) -> anyhow::Result<Client> {
    client_of(Path::new("emulator.json"), file, file.hub(Some(name))?, Service::Hub)
}

/// A service, if it is an emulator's.
pub(in crate::cli::cloud) fn only_emulated(
    client: Client,
    what: &str,
    instead: &str,
) -> anyhow::Result<Client> {
    if client.is_azure() {
        bail!("{what} of Azure can't be had with a connection string over HTTPS; use `{instead}`");
    }
    Ok(client)
}

fn certificates(pem: &[u8]) -> anyhow::Result<Vec<Certificate<'static>>> {
    let document = Document::read(pem)?;
    let found = document.certificates()?;
    if found.is_empty() {
        bail!("no BEGIN CERTIFICATE{}", document.instead());
    }
    Ok(found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}

fn system_roots() -> anyhow::Result<Vec<Certificate<'static>>> {
    let roots = rustls_native_certs::load_native_certs().certs;
    if roots.is_empty() {
        bail!("the system's certificate store is empty: install ca-certificates");
    }
    Ok(roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect())
}
