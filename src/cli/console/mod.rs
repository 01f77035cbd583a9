//! `container-tracker console`: the page with map and charts, for an emulator that runs, or for a real hub.

mod feeds;
mod remote;
mod services;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;
use tracker_certificates::Document;
use tracker_console::history::HistoryOptions;
use tracker_console::web::{ListenOptions, TlsIdentity};

use super::cloud::target::Login;
use crate::commands::signals::asked_to_stop;
use crate::lab::console::{Page, open_in_browser};
use crate::lab::screen::Screen;
use remote::Remote;
use services::Services;

/// The history's file in the directory of `--history`.
const HISTORY: &str = "console.sqlite";

/// Options of `console`.
#[derive(Debug, clap::Args)]
pub(super) struct ConsoleArgs {
    #[command(flatten)]
    login: Login,
    /// The address that the page listens at. Other machines reach one that is not loopback, which needs --tls-certificate and --tls-key.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    listen: IpAddr,
    /// The port of the page; by default 8462, or any other while that one is taken.
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,
    /// A name or address by which browsers will call this machine, beside the one of --listen; may be given several times.
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,
    /// PEM file with the page's certificate, and those between it and its root.
    #[arg(long, value_name = "FILE.pem", requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// PEM file with its private key.
    #[arg(long, value_name = "FILE.pem", requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Open the page in a browser.
    #[arg(long)]
    open: bool,
    /// The page changes nothing.
    #[arg(long)]
    read_only: bool,
    /// Keep the history in this directory; without, it goes with the program.
    #[arg(long, value_name = "DIRECTORY")]
    history: Option<PathBuf>,
    /// PEM file with the CA certificates that devices' certificates must lead to, for the check of the evidence.
    #[arg(long, value_name = "FILE.pem")]
    roots: Option<PathBuf>,
    /// Print one JSON object a line, for scripts.
    #[arg(long)]
    json: bool,
}

/// Serves the page until Ctrl-C.
pub(super) fn run(args: ConsoleArgs) -> anyhow::Result<()> {
    let clients = args.login.clients()?;
    let title = match (&clients.dps, clients.hubs.first()) {
        (Some(_), _) => "Local emulator".to_owned(),
        (None, Some((name, _))) => name.clone(),
        (None, None) => bail!("the emulator has no hub"),
    };
    let (id_scope, directory) = (clients.id_scope.clone(), args.login.directory().map(Path::to_owned));
    let services = Services::new(directory, clients);
    let remote = Remote::new(services, title, id_scope, args.roots.clone());
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no async runtime")?;
    let result = runtime.block_on(serve(args, remote));
    // A call that waits for an answer must not hold up the end.
    runtime.shutdown_background();
    result
}

async fn serve(args: ConsoleArgs, remote: Remote) -> anyhow::Result<()> {
    let screen = Screen::new(args.json);
    let tls = args.tls_certificate.as_deref().zip(args.tls_key.as_deref());
    let options = ListenOptions {
        address: args.listen,
        port: args.port,
        names: args.hosts,
        tls: tls.map(|(certificate, key)| identity(certificate, key)).transpose()?,
        is_read_only: args.read_only,
    };
    let temporary = tempfile::Builder::new().prefix("container-tracker-").tempdir()?;
    let history = match &args.history {
        Some(directory) => {
            std::fs::create_dir_all(directory)
                .with_context(|| format!("can't make the directory {}", directory.display()))?;
            HistoryOptions::kept(directory.join(HISTORY))
        }
        None => HistoryOptions::temporary(temporary.path().join(HISTORY)),
    };
    let page = Page::serve(Arc::new(remote), history, options).await?;
    let link = page.link();
    screen.note("console", &format!("The fleet in sight: {link}\nCtrl-C ends."), json!({"link": link}));
    for notice in page.notices() {
        screen.note("history", &notice, json!({}));
    }
    if args.open
        && let Err(why) = open_in_browser(&link)
    {
        screen.note("browser", &why, json!({}));
    }
    asked_to_stop().await;
    page.stop().await;
    Ok(())
}

fn identity(certificate: &Path, key: &Path) -> anyhow::Result<TlsIdentity> {
    let read = |path: &Path| {
        let pem = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
        Document::read(&pem).with_context(|| format!("{} is no PEM", path.display()))
    };
    let chain = read(certificate)?;
    let chain = chain.certificates()?;
    if chain.is_empty() {
        bail!("{} has no certificate", certificate.display());
    }
    let named = format!("{} has no private key", key.display());
    let key = read(key)?.keys()?.pop().with_context(|| named.clone())?;
    let key = PrivateKeyDer::try_from(key).map_err(anyhow::Error::msg).context(named)?;
    Ok(TlsIdentity { chain, key })
}
