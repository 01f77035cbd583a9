//! The options of `cloud forward`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::cli::cloud::readings::since;

/// Forward readings of a hub to an MQTT broker, an InfluxDB or a Prometheus, until Ctrl-C.
///
/// <mqtt://HOST>[:1883], <mqtts://HOST>[:8883]: each reading as JSON, `QoS` 1. http(s)://HOST:8086/write?db=NAME: line protocol, for InfluxDB
/// 1.x and the compatible route of 2.x. <prometheus://127.0.0.1:9465>: the newest reading of each device, for Prometheus to scrape. What
/// was acknowledged is kept in a file, so that it goes on there when it is started again; what was on its way comes twice then.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct ForwardCommand {
    /// Where to: mqtt://…, mqtts://…, http://…/write?db=…, https://…/write?db=…, or prometheus://ADDRESS:PORT.
    #[arg(long, value_name = "URL")]
    pub(super) to: String,
    /// Only messages of this device; may be given several times.
    #[arg(long = "device-id", short = 'd', value_name = "ID")]
    pub(super) devices: Vec<String>,
    /// A file with the user on its first line and the password on its second; of one line, a token of InfluxDB 2.
    #[arg(long, value_name = "FILE")]
    pub(super) credentials: Option<PathBuf>,
    /// PEM file with the CA certificates that the broker's or server's must lead to; without, the system's.
    #[arg(long, value_name = "FILE.pem")]
    pub(super) to_ca: Option<PathBuf>,
    /// The topic of MQTT; {device} is the device's ID, {kind} telemetry or event.
    #[arg(long, value_name = "TOPIC", default_value = "container-tracker/{device}/{kind}")]
    pub(super) topic: String,
    /// Have the broker keep the last message of each topic for those who come later.
    #[arg(long)]
    pub(super) retain: bool,
    /// The measurement's name in line protocol.
    #[arg(long, value_name = "NAME", default_value = "reading")]
    pub(super) measurement: String,
    /// Where is written down what was acknowledged; without, forward-….json in the current directory, named after --to.
    #[arg(long, value_name = "FILE.json")]
    pub(super) cursor: Option<PathBuf>,
    /// Begin with what the hub took after this time (7d, 12h, 2026-01-31 …), at the first start; without, with what comes from now on.
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub(super) since: Option<DateTime<Utc>>,
    /// Forget what was written down, and begin anew.
    #[arg(long)]
    pub(super) restart: bool,
    /// The consumer group to read as.
    #[arg(long, visible_alias = "cg", value_name = "NAME", default_value = "$Default")]
    pub(super) consumer_group: String,
    /// End after so many seconds without a message; 0 waits for ever.
    #[arg(long, visible_alias = "timeout", value_name = "SECONDS", default_value_t = 0)]
    pub(super) idle_timeout: u64,
}
