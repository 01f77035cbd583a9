//! `container-tracker emulator`: the local Azure alone.

use std::net::{IpAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use tokio::sync::watch;
use tracker_certificates::Document;
use tracker_emulator::{
    AMQPS_PORT, AttestationMechanism, Dps, Emulator, EmulatorOptions, EnrollmentGroup, Event, Hub,
    InitialTwin, PreparedEmulator, Retention, Seed, Subscription, SubscriptionError, TelemetryMessage,
    TlsVersions,
};
use tracker_protocol::dps::ConnectionProfile;

use super::cloud::EmulatorFile;
use super::place::check_place;
use super::retention::retention;
use super::simulate::{SimulateArgs, guest};
use super::text_file;
use crate::commands::{log, signals::asked_to_stop};
use crate::lab::load::Limits;
use crate::lab::local_cloud::SERVER_CA_FILE;
use crate::lab::screen::Screen;

/// The largest seed.
const MAX_SEED: u64 = 64 * 1024 * 1024;

/// Options of `emulator`.
#[derive(Debug, clap::Args)]
pub(super) struct EmulatorArgs {
    /// Address to listen on. Only this computer can reach the default.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    listen: IpAddr,
    /// TCP port of DPS and all hubs; 0 takes a free one. SDKs expect 8883.
    #[arg(long, value_name = "PORT", default_value_t = tracker_protocol::MQTT_TLS_PORT)]
    port: u16,
    /// TCP port of the service side, REST over HTTPS; 0 takes a free one. By default 8443, and with --port 0 a free one.
    #[arg(long, value_name = "PORT")]
    service_port: Option<u16>,
    /// TCP port of AMQP over TLS, for devices and services; 0 takes a free one. By default 5671, if nobody has it, and with --port 0 a
    /// free one. Clients of AMQP expect 5671.
    #[arg(long, value_name = "PORT", conflicts_with = "no_amqp")]
    amqp_port: Option<u16>,
    /// Serve no AMQP.
    #[arg(long)]
    no_amqp: bool,
    /// ID scope of the DPS.
    #[arg(long, value_name = "SCOPE", default_value = "0ne00000001")]
    id_scope: String,
    /// Name of a hub; repeat it for more. A name without a dot gets .azure-devices.net. Devices are told the name that is given in
    /// full: NAME.device.azure-devices.net, that of TLS 1.3, or the classic NAME.azure-devices.net. NAME=mqtt5 makes a hub at which they speak
    /// MQTT 5, a preview.
    #[arg(long = "hub", value_name = "NAME", default_value = "hub-1")]
    hubs: Vec<String>,
    /// Enroll the devices whose certificates this root or intermediate CA has signed; repeat it for more CAs.
    #[arg(long, value_name = "CA.pem")]
    enroll: Vec<PathBuf>,
    /// What the cloud is to hold when it begins: CA certificates, enrollments, devices with their twins, faults, in one file, JSON or
    /// TOML. What is there already becomes as the file says.
    #[arg(long, value_name = "FILE")]
    seed_file: Option<PathBuf>,
    /// What the chance of faults with a --probability is reckoned from: the same number strikes the same.
    #[arg(long, value_name = "N", default_value_t = 0)]
    faults_seed: u64,
    /// The initial twin of enrolled devices, as {"tags": {…}, "properties": {"desired": {…}}}.
    #[arg(long, value_name = "FILE.json")]
    initial_twin: Option<PathBuf>,
    /// Where server-ca.pem is written, which devices must trust, and emulator.json, by which `cloud` finds the emulator.
    #[arg(long, value_name = "DIRECTORY", default_value = ".")]
    directory: PathBuf,
    /// Keep certificates, enrollments, devices, twins and keys in this directory over a restart.
    #[arg(long, value_name = "DIRECTORY")]
    state_directory: Option<PathBuf>,
    /// Print what service clients connect with: the connection string of every policy of DPS and hubs.
    #[arg(long)]
    print_connection_strings: bool,
    /// Tell devices every hub's name of TLS 1.3, NAME.device.azure-devices.net, in place of the classic one.
    #[arg(long)]
    assign_device_names: bool,
    /// Speak this version of TLS only, 1.2 or 1.3; or by the name that the client asks for: "azure" speaks 1.2 alone at classic names,
    /// and 1.3 beside it at NAME.device.… and NAME.service.…; "split" 1.3 alone there. Without this option both are spoken everywhere.
    #[arg(long, value_name = "VERSION", value_parser = tls_version)]
    tls: Option<TlsVersions>,
    /// Have no RSA certificate beside the ECDSA one. Clients that take no ECDSA can't connect then, and the start is some tenths
    /// of a second faster.
    #[arg(long)]
    no_rsa: bool,
    /// A further name or address in the server's certificate; repeat it for more.
    #[arg(long, value_name = "NAME")]
    server_name: Vec<String>,
    /// By which name or address others reach this machine: it stands in emulator.json, and in the server's certificate. Listen where
    /// they come from, --listen 0.0.0.0 for everywhere.
    #[arg(long, value_name = "NAME", value_parser = host)]
    advertise: Option<String>,
    /// Partitions of every hub's built-in endpoint, 2 to 32.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(2..=32))]
    partitions: u16,
    /// What every hub's built-in endpoint keeps for its readers: a time, a size, or both, as 12h, 64MiB or 1d,256MiB. What is not
    /// given is a day and 256 MiB.
    #[arg(long, value_name = "TIME,SIZE", value_parser = retention, default_value = "1d,256MiB")]
    retention: Retention,
    /// Seconds that DPS asks devices to wait before they poll. With 0 the answer to a registration is its result, and nobody
    /// polls: for measurements.
    #[arg(long, value_name = "SECONDS", default_value_t = 3)]
    retry_after: u64,
    /// Issue certificates for EC P-384 keys alone, as documents of March 2026 have it.
    #[arg(long)]
    p384_only: bool,
    /// Seconds between a hub's answer that a certificate will be renewed and the certificate.
    #[arg(long, value_name = "SECONDS", default_value_t = 1)]
    issuing_time: u64,
    /// Answer bad requests for certificates with the numbers of January 2026, 409004 and 400037.
    #[arg(long)]
    older_renewal_errors: bool,
    /// Play a fleet of so many simulated containers beside it, enrolled each with a certificate of its own. Nothing of them is kept.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=5000))]
    devices: Option<u16>,
    /// Hours of the fleet's voyages that pass in a second.
    #[arg(
        long,
        value_name = "X",
        default_value_t = 1.0,
        allow_negative_numbers = true,
        requires = "devices"
    )]
    speed: f64,
    /// How much the log tells: error, warn, info, debug, or trace for every packet.
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    log: tracing::Level,
    /// Print one JSON object a line, for scripts.
    #[arg(long)]
    json: bool,
}

/// Runs the emulator until Ctrl-C.
pub(super) fn run(args: EmulatorArgs) -> anyhow::Result<()> {
    log::start(args.log);
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no async runtime")?;
    runtime.block_on(serve(args))
}

/// A hub's name, and its kind where that is not the usual one.
fn named(hub: &Hub) -> String {
    match hub.profile() {
        ConnectionProfile::Classic => hub.name().to_owned(),
        ConnectionProfile::MqttV5 => format!("{} (MQTT 5)", hub.name()),
    }
}

/// All that is done before it listens, and all that can be wrong with the options.
fn prepare(args: &EmulatorArgs) -> anyhow::Result<PreparedEmulator> {
    SimulateArgs::check_speed(args.speed)?;
    let initial_twin = args.initial_twin.as_deref().map(read_twin).transpose()?;
    if let Some(directory) = &args.state_directory {
        check_place(directory, "--state-directory")?;
    }
    EmulatorFile::check_free(&args.directory)?;
    let usual = EmulatorOptions::default();
    let service_port = if args.port == 0 { Some(0) } else { usual.service_port };
    let mut server_names = args.server_name.clone();
    if !args.listen.is_loopback() && !args.listen.is_unspecified() {
        // Under which service clients will know it.
        server_names.push(args.listen.to_string());
    }
    server_names.extend(args.advertise.clone());
    let prepared = Emulator::prepare(EmulatorOptions {
        listen_address: args.listen,
        port: args.port,
        service_port: args.service_port.or(service_port),
        amqp_port: amqp_port(args),
        id_scope: args.id_scope.clone(),
        hub_names: args.hubs.clone(),
        retry_after: Duration::from_secs(args.retry_after),
        assign_at_once: args.retry_after == 0,
        assign_device_names: args.assign_device_names,
        tls: args.tls.unwrap_or_default(),
        p384_only: args.p384_only,
        issuing_time: Duration::from_secs(args.issuing_time),
        older_renewal_errors: args.older_renewal_errors,
        rsa: !args.no_rsa,
        partitions: args.partitions,
        retention: args.retention,
        faults_seed: args.faults_seed,
        extra_server_names: server_names,
        ca_directory: Some(args.directory.clone()),
        files_directory: Some(args.directory.clone()),
        state_directory: args.state_directory.clone(),
        max_connections: Limits::of_this_program().guests().unwrap_or(usual.max_connections),
        ..usual
    })?;
    for (index, path) in args.enroll.iter().enumerate() {
        enroll(prepared.dps(), index, path, initial_twin.clone())?;
    }
    if let Some(path) = &args.seed_file {
        plant(prepared.dps(), path)?;
    }
    Ok(prepared)
}

/// The port of AMQP. Emulators beside the first have none, unless they are given one.
fn amqp_port(args: &EmulatorArgs) -> Option<u16> {
    if args.no_amqp {
        return None;
    }
    args.amqp_port.or_else(|| match args.port {
        0 => Some(0),
        _ => TcpListener::bind((args.listen, AMQPS_PORT)).is_ok().then_some(AMQPS_PORT),
    })
}

async fn serve(args: EmulatorArgs) -> anyhow::Result<()> {
    let screen = Screen::new(args.json);
    let is_new = check_place(&args.directory, "--directory")?;
    let prepared = prepare(&args)?;
    // All that can be wrong is found by now: from here on files are written.
    let emulator = prepared.listen().await?;
    // Whoever asks it to stop from now on finds the file gone.
    let stop = asked_to_stop();
    let file = EmulatorFile::of(&emulator, args.advertise.as_deref());
    let held = file.as_ref().map(|file| file.save(&args.directory)).transpose()?;
    tell(&args, &emulator, is_new, screen);
    // Last, because whoever sees it may count on all of the above.
    if held.is_some() {
        let text = format!(
            "`container-tracker cloud …` works on it, in this directory or with --emulator {}",
            args.directory.display()
        );
        screen.note("service", &text, json!({"file": EmulatorFile::path(&args.directory)}));
    }
    let mut events = emulator.events();
    for hub in emulator.dps().hubs() {
        tokio::spawn(show_telemetry(hub.telemetry(), screen));
    }
    let (end, ended) = watch::channel(false);
    let mut fleet = pin!(fleet(&args, screen, ended));
    let played = tokio::select! {
        () = show_events(&mut events, screen) => Ok(()),
        () = stop => {
            end.send_replace(true);
            match args.devices {
                // Their last readings are shown by the tasks of the hubs.
                Some(_) => fleet.await,
                None => Ok(()),
            }
        }
        played = &mut fleet => played,
    };
    if let (Some(file), Some(held)) = (&file, held) {
        file.remove(&args.directory, held);
    }
    emulator.shutdown().await;
    // Whoever shows has a last turn.
    tokio::time::sleep(2 * BETWEEN).await;
    played
}

/// Tells where it listens, and what it has done.
fn tell(args: &EmulatorArgs, emulator: &Emulator, is_new: bool, screen: Screen) {
    let hubs = emulator.dps().hubs();
    let names: Vec<&str> = hubs.iter().map(Hub::name).collect();
    let told: Vec<_> = hubs.iter().map(named).collect();
    let text = format!(
        "DPS with ID scope {} and {} listen on {}; devices must trust {}. Ctrl-C ends.",
        emulator.id_scope(),
        told.join(", "),
        emulator.address(),
        args.directory.join(SERVER_CA_FILE).display()
    );
    screen.note(
        "emulator",
        &text,
        json!({"address": emulator.address().to_string(), "idScope": emulator.id_scope(), "hubs": names}),
    );
    match emulator.amqp_address() {
        Some(address) => {
            screen.note(
                "amqp",
                &format!("AMQP listens on {address}"),
                json!({"address": address.to_string()}),
            );
        }
        None if args.no_amqp => {}
        None => screen.note(
            "amqp",
            &format!("no AMQP: port {AMQPS_PORT} is taken, or not allowed; --amqp-port gives it another one"),
            json!({"address": null}),
        ),
    }
    if is_new {
        let text = format!("made the directory {}", args.directory.display());
        screen.note("directory", &text, json!({"directory": args.directory}));
    }
    for path in &args.enroll {
        screen.note(
            "enrolled",
            &format!("devices signed by {} are enrolled", path.display()),
            json!({"ca": path}),
        );
    }
    if args.print_connection_strings {
        for string in emulator.connection_strings() {
            screen.note("connectionString", &format!("{}\n{}", string.local, string.named), json!(string));
        }
    }
}

/// Plays the fleet that is wanted, until it has ended.
async fn fleet(args: &EmulatorArgs, screen: Screen, ended: watch::Receiver<bool>) -> anyhow::Result<()> {
    let Some(devices) = args.devices else { return std::future::pending().await };
    let files = tempfile::Builder::new().prefix("container-tracker-").tempdir();
    let files = files.context("no temporary directory")?;
    let fleet = Arc::new(SimulateArgs::fleet(devices, args.speed));
    guest::play(fleet, &args.directory, (files.path(), false), screen, ended).await
}

/// A name of a machine, or its address.
fn host(text: &str) -> Result<String, String> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-');
    if text.is_empty() || text.len() > 253 || !text.chars().all(is_of_name) {
        return Err("a host name or an IPv4 address, without a port".into());
    }
    Ok(text.into())
}

fn tls_version(text: &str) -> Result<TlsVersions, String> {
    match text {
        "1.2" => Ok(TlsVersions::Tls12),
        "1.3" => Ok(TlsVersions::Tls13),
        "azure" => Ok(TlsVersions::Azure),
        "split" => Ok(TlsVersions::Split),
        _ => Err("1.2, 1.3, azure or split; without this option, both versions everywhere".into()),
    }
}

fn read_twin(path: &Path) -> anyhow::Result<InitialTwin> {
    let text = text_file::read(path).with_context(|| format!("can't read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no initial twin", path.display()))
}

/// Plants a seed. Paths in it are from where it is.
fn plant(dps: &Dps, path: &Path) -> anyhow::Result<()> {
    let about = std::fs::metadata(path).with_context(|| format!("can't read {}", path.display()))?;
    if about.len() > MAX_SEED {
        bail!("{} has {} bytes; a seed has at most {MAX_SEED}", path.display(), about.len());
    }
    let text = text_file::read(path).with_context(|| format!("can't read {}", path.display()))?;
    let directory = path.parent().unwrap_or(Path::new("."));
    let planted = Seed::parse(&text, directory).and_then(|seed| seed.plant(dps));
    planted.map(drop).with_context(|| format!("{} is no seed", path.display()))
}

/// The owner of the file has it at hand, which is proof enough of possession on a laptop.
fn enroll(dps: &Dps, index: usize, path: &PathBuf, twin: Option<InitialTwin>) -> anyhow::Result<()> {
    let bytes = std::fs::read(path).with_context(|| format!("can't read {}", path.display()))?;
    let document = Document::read(&bytes).with_context(|| format!("can't read {}", path.display()))?;
    let found = document.certificates().with_context(|| format!("can't read {}", path.display()))?;
    let [certificate] = found.as_slice() else {
        bail!(
            "{} has {} certificates where one CA's is meant{}",
            path.display(),
            found.len(),
            document.instead()
        );
    };
    let certificate = STANDARD.encode(certificate);
    let name = format!("ca-{}", index + 1);
    let group_id = format!("group-{}", index + 1);
    let certificates = dps.certificates();
    if let Ok(kept) = certificates.get(&name) {
        // What a state directory has kept stays as its owner has made it since.
        if certificate != kept.certificate {
            bail!(
                "the state directory has another certificate than {} as {name}: delete {name} with \
                 `container-tracker cloud certificate delete`, or use another state directory",
                path.display()
            );
        }
        if dps.groups().get(&group_id).is_ok() {
            return Ok(());
        }
    } else {
        certificates
            .upload_verified(&name, &certificate)
            .with_context(|| format!("{} is not a CA certificate", path.display()))?;
    }
    let mut group = EnrollmentGroup::new(group_id, AttestationMechanism::ca_reference(name));
    group.terms.initial_twin = twin;
    dps.groups().create(group)?;
    Ok(())
}

/// So many are shown at a time,
const SHOWN_AT_ONCE: usize = 256;
/// and then others have their turn: thousands of devices are not to wake who shows them a thousand times in a second.
const BETWEEN: Duration = Duration::from_millis(5);

async fn show_telemetry(mut telemetry: Subscription<TelemetryMessage>, screen: Screen) {
    while let Some(messages) = next_ones(&mut telemetry).await {
        screen.messages(&messages);
        tokio::time::sleep(BETWEEN).await;
    }
}

async fn show_events(events: &mut Subscription<Event>, screen: Screen) {
    while let Some(events) = next_ones(events).await {
        let kinds: Vec<_> = events.iter().map(|event| event.kind.clone()).collect();
        screen.cloud(&kinds);
        tokio::time::sleep(BETWEEN).await;
    }
}

/// What there is to show, as soon as there is something; none when there will be no more. What came too fast is passed over.
async fn next_ones<T>(subscription: &mut Subscription<T>) -> Option<Vec<Arc<T>>> {
    loop {
        match subscription.next().await {
            Ok(first) => {
                let mut all = vec![first];
                while all.len() < SHOWN_AT_ONCE
                    && let Ok(Some(next)) = subscription.try_next()
                {
                    all.push(next);
                }
                return Some(all);
            }
            Err(SubscriptionError::Lagged(_)) => {}
            Err(SubscriptionError::Closed) => return None,
        }
    }
}
