//! What one program says of its part when it is over, and from time to time before: a file, written whole.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::fault::FaultKind;
use super::fleet::State;
use super::latency::{Latency, Times};
use super::plan::Profile;
use super::shard::{Shard, Span};
use super::shared::Shared;
use super::tally::Faults;
use crate::platform::{plain_file, state_file};

/// The form of the file.
pub const FORMAT: u32 = 1;
/// A larger file is no summary.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What has to be the same in all parts of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// Of the data.
    pub seed: u64,
    /// Of the whole fleet, where that is known.
    pub devices: Option<u32>,
    /// Of names.
    pub prefix: String,
    /// What the devices do.
    pub profile: Profile,
    /// Seconds between readings.
    pub interval_s: f64,
    /// Readings of a device.
    pub readings: u32,
}

/// Devices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Devices {
    /// To be played.
    pub planned: u64,
    /// Assigned a hub.
    pub provisioned: u64,
    /// Online at least once.
    pub online: u64,
    /// All of whose messages are acknowledged, and whose twin has come.
    pub finished: u64,
    /// Gave up.
    pub failed: u64,
    /// Of those: another client has their identity.
    pub taken_over: u64,
}

/// Messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Messages {
    /// To be sent.
    pub planned: u64,
    /// Sent, each counted once.
    pub sent: u64,
    /// Acknowledged by a hub.
    pub acknowledged: u64,
    /// Sent again.
    pub resent: u64,
}

/// Other counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Traffic {
    /// Of topics and bodies sent.
    pub bytes: u64,
    /// Connections to the provisioning service.
    pub dps_connections: u64,
    /// Connections to hubs.
    pub hub_connections: u64,
    /// Of those: lost.
    pub lost: u64,
    /// Answers 429.
    pub throttled: u64,
    /// Twins received.
    pub twins: u64,
    /// Calls of methods answered.
    pub methods: u64,
}

/// What hubs say that they have of the devices of a part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Received {
    /// Devices.
    pub devices: u64,
    /// Messages, repetitions included.
    pub received: u64,
    /// Of those: with an ID that had not come before.
    pub distinct: u64,
    /// Of those: with an ID that had.
    pub duplicates: u64,
}

/// The hubs' own count.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HubCount {
    /// Before the first device.
    pub before: Received,
    /// After the last.
    pub after: Received,
    /// An emulator was started anew meanwhile, and has begun to count again.
    pub restarted: bool,
    /// By how much the emulator's clock is ahead of this machine's.
    pub clock_ahead_s: f64,
}

/// What it cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Costs {
    /// Memory that is the program's own, before the first device.
    pub memory_before_kb: u64,
    /// The same when all were online.
    pub memory_online_kb: u64,
    /// The most memory, with the pages of the program's file.
    pub memory_most_kb: u64,
    /// Processor time.
    pub processor_s: f64,
}

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// See [`FORMAT`].
    pub format: u32,
    /// Of the program.
    pub version: String,
    /// Of which run.
    pub run: Run,
    /// Which part, where the fleet is divided.
    pub shard: Option<Shard>,
    /// Which devices.
    pub span: Span,
    /// Host and process.
    pub worker: String,
    /// How it ended.
    pub state: State,
    /// Why it has not begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it began, by this machine's clock.
    pub begun: DateTime<Utc>,
    /// When this was written.
    pub written: DateTime<Utc>,
    /// How long it took.
    pub seconds: f64,
    /// How long until all devices were online, or had given up.
    pub ready_s: Option<f64>,
    /// Counts.
    pub devices: Devices,
    /// Counts.
    pub messages: Messages,
    /// Counts.
    pub traffic: Traffic,
    /// By kind.
    pub faults: BTreeMap<FaultKind, Faults>,
    /// Where hubs tell.
    pub hubs: Option<HubCount>,
    /// Why they don't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncounted: Option<String>,
    /// They did before the first device, and not after the last.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_count_lost: bool,
    /// Histograms in microseconds.
    pub latencies: BTreeMap<Latency, Times>,
    /// Of this program.
    pub costs: Costs,
}

impl Devices {
    /// Of this program, now.
    pub fn of(shared: &Shared) -> Self {
        let tally = &shared.tally;
        Self {
            planned: shared.span.count.into(),
            provisioned: tally.provisioned.get(),
            online: tally.met.get(),
            finished: tally.finished.get(),
            failed: tally.failed.get(),
            taken_over: tally.taken_over.get(),
        }
    }
}

impl Messages {
    /// Of this program, now.
    pub fn of(shared: &Shared) -> Self {
        let tally = &shared.tally;
        Self {
            planned: shared.plan.messages_of(shared.span),
            sent: tally.sent.get(),
            acknowledged: tally.acknowledged.get(),
            resent: tally.resent.get(),
        }
    }
}

impl Traffic {
    /// Of this program, now.
    pub fn of(shared: &Shared) -> Self {
        let tally = &shared.tally;
        Self {
            bytes: tally.bytes.get(),
            dps_connections: tally.dps_connections.get(),
            hub_connections: tally.hub_connections.get(),
            lost: tally.lost.get(),
            throttled: tally.throttled.get(),
            twins: tally.twins.get(),
            methods: tally.methods.get(),
        }
    }
}

impl HubCount {
    /// What has come between both counts: all messages, and those with new IDs. After a restart, what has come since.
    pub fn gained(&self) -> Received {
        let before = if self.restarted { Received::default() } else { self.before };
        Received {
            devices: self.after.devices,
            received: self.after.received.saturating_sub(before.received),
            distinct: self.after.distinct.saturating_sub(before.distinct),
            duplicates: self.after.duplicates.saturating_sub(before.duplicates),
        }
    }
}

impl Summary {
    /// Whether an emulator was started anew meanwhile.
    pub fn has_hub_begun_anew(&self) -> bool {
        self.hubs.as_ref().is_some_and(|hubs| hubs.restarted)
    }

    /// Writes the file, whole or not at all.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        // The parent of a mere name is empty, which is no directory to the system.
        let place = if path.is_relative() { Path::new(".").join(path) } else { path.to_owned() };
        state_file::replace(&place, self)
            .with_context(|| format!("can't write the summary {}", path.display()))
    }

    /// Reads one.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let bytes =
            plain_file::read(path, LARGEST).with_context(|| format!("can't read {}", path.display()))?;
        let form: serde_json::Value =
            serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", path.display()))?;
        let format = form["format"].as_u64();
        if format != Some(FORMAT.into()) {
            bail!("{} is no summary of `load` that this version can read", path.display());
        }
        serde_json::from_value(form).with_context(|| format!("{} is no summary of `load`", path.display()))
    }
}
