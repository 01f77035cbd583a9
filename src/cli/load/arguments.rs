//! The options of `load`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::value_parser;

use super::merge::MergeArgs;
use super::shard;
use crate::lab::load::{MOST_DEVICES, Profile, Shard, Sources};

/// With the number behind it, it is a common name, which has no more than 64 characters.
const LONGEST_PREFIX: usize = 57;
/// Neither an interval nor a run is longer.
const LONGEST_S: f64 = 30.0 * 86_400.0;

/// Options of `load`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct LoadArgs {
    #[command(subcommand)]
    pub(super) command: Option<LoadCommand>,
    /// Devices of the whole fleet, all shards together; with --first so many from there on. By default 100, or as many as --identities has.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(MOST_DEVICES)))]
    pub(super) devices: Option<u32>,
    /// The number of the first device, from 0, where a part is cut by hand.
    #[arg(long, value_name = "K", conflicts_with_all = ["shard", "shards"], value_parser = value_parser!(u32).range(..i64::from(MOST_DEVICES)))]
    pub(super) first: Option<u32>,
    /// Which part of the fleet this program plays, like 3/16. In an array of Slurm, an Indexed Job of Kubernetes and a group of Nomad it
    /// is known without.
    #[arg(long, value_name = "I/OF", value_parser = shard::parse, conflicts_with = "shards")]
    pub(super) shard: Option<Shard>,
    /// How many parts there are, where the scheduler tells which one this is, and not of how many.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..=i64::from(MOST_DEVICES)))]
    pub(super) shards: Option<u32>,
    /// An emulator: its --directory, which has an emulator.json, or HOST:PORT. With several of them devices take turns. By default this
    /// directory.
    #[arg(long, value_name = "DIRECTORY|HOST:PORT", conflicts_with = "config")]
    pub(super) emulator: Vec<String>,
    /// Of an emulator given as HOST:PORT: its server-ca.pem.
    #[arg(long, value_name = "FILE.pem", requires = "emulator")]
    pub(super) server_ca: Option<PathBuf>,
    /// Of an emulator given as HOST:PORT: its ID scope.
    #[arg(long, value_name = "SCOPE", requires = "emulator", default_value = "0ne00000001")]
    pub(super) id_scope: String,
    /// Of an emulator given as HOST:PORT: connection string of a hub, which is asked what it has received; @FILE reads it from a file.
    /// Repeat it for more hubs.
    #[arg(long, short = 'l', value_name = "CONNECTION STRING", requires = "server_ca")]
    pub(super) login: Vec<String>,
    /// A real provisioning service: [dps] and [connection] of this configuration file.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Certificate of the CA that signs the devices, with those above it; it must be enrolled. Without it an emulator whose directory is
    /// given is told of a new one, until the end.
    #[arg(long, value_name = "FILE", requires = "ca_key")]
    pub(super) ca: Option<PathBuf>,
    /// Its key: a PEM file, or a pkcs11: URI.
    #[arg(long, value_name = "FILE|URI", requires = "ca")]
    pub(super) ca_key: Option<String>,
    /// Devices that have certificates already: a directory with ID-chain.pem and ID.key of each, as `pki leaves` makes it.
    #[arg(long, value_name = "DIRECTORY", conflicts_with = "ca")]
    pub(super) identities: Option<PathBuf>,
    /// Seconds within which all devices of this part begin, one after the other.
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = seconds)]
    pub(super) ramp: Duration,
    /// Seconds between two readings of a device.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = interval)]
    pub(super) interval: Duration,
    /// Seconds of readings that a device sends; one at least.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = seconds)]
    pub(super) duration: Duration,
    /// What the devices do.
    #[arg(long, value_name = "NAME", value_enum, default_value_t)]
    pub(super) profile: Profile,
    /// The same seed makes the same data, however the fleet is divided.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// What the names of devices begin with.
    #[arg(long, value_name = "TEXT", default_value = "load-", value_parser = prefix)]
    pub(super) prefix: String,
    /// Addresses of this machine that take turns as the source of connections, like 127.0.0.0/24: each brings ports of its own.
    #[arg(long, value_name = "ADDRESS,…|NETWORK", value_parser = Sources::parse)]
    pub(super) source: Option<Sources>,
    /// Handshakes under way at a time.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = value_parser!(u16).range(1..=4096))]
    pub(super) at_once: u16,
    /// Registrations a minute of the whole fleet; each shard takes its part. With --config 1000, Azure's own bound, otherwise none.
    #[arg(long, value_name = "N", value_parser = value_parser!(u32).range(1..))]
    pub(super) registrations_per_minute: Option<u32>,
    /// Direct methods that are called a second of the devices that are online, at emulators whose directory is given.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u32).range(..=10_000))]
    pub(super) methods: u32,
    /// Tell Prometheus the counts at this address, by `http://ADDRESS/metrics`.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(super) metrics: Option<SocketAddr>,
    /// The file with what was measured, for `load merge`. By default load.json, or load-I-of-OF.json.
    #[arg(long, value_name = "FILE")]
    pub(super) summary: Option<PathBuf>,
    /// Print one JSON object a line, also on a terminal.
    #[arg(long)]
    pub(super) json: bool,
}

/// What else there is.
#[derive(Debug, clap::Subcommand)]
pub(super) enum LoadCommand {
    /// Add up the summaries of all parts: what is missing, what is there twice, what was lost, how long things took.
    Merge(MergeArgs),
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: Option<f64> = text.parse().ok().filter(|seconds| (0.0..=LONGEST_S).contains(seconds));
    seconds.map(Duration::from_secs_f64).ok_or_else(|| "seconds, up to 30 days of them".into())
}

fn interval(text: &str) -> Result<Duration, String> {
    seconds(text)
        .ok()
        .filter(|interval| interval.as_millis() >= 10)
        .ok_or_else(|| "seconds, from 0.01 up to 30 days of them".into())
}

/// A beginning that makes a registration ID with a number behind it.
fn prefix(text: &str) -> Result<String, String> {
    let is_of_id =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_' | ':');
    let begins_well = text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
    if text.len() > LONGEST_PREFIX || !begins_well || !text.chars().all(is_of_id) {
        return Err(format!(
            "small letters, digits, - . _ and : make the name of a device, {LONGEST_PREFIX} at the most, the first a letter or a \
             digit"
        ));
    }
    Ok(text.into())
}
