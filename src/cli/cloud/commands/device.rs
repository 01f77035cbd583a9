//! `cloud device`: device identities of a hub.

use anyhow::Context;
use serde_json::{Value, json};

use super::authentication::Authentication;
use super::certificate::Condition;
use super::query;
use crate::cli::cloud::bulk::{
    Conduct, Done, Task, Verb, Wanted, Which, Work, again_if_it_changes, ask, look,
};
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Target;

const PATH: &str = "devices";

const COLUMNS: &[Column<'_>] = &[
    ("DeviceId", "/deviceId"),
    ("Status", "/status"),
    ("Reason", "/statusReason"),
    ("Connection", "/connectionState"),
    ("LastActivity", "/lastActivityTime"),
];

/// Commands for device identities.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum DeviceCommand {
    /// Make a device identity by hand; DPS makes those of devices that register.
    Create {
        #[command(flatten)]
        id: DeviceId,
        #[command(flatten)]
        new: NewDevice,
    },
    /// The devices of the hub, or of all hubs.
    List {
        /// Only those that meet a condition of IoT Hub's query language, like "tags.environment = 'production'".
        #[arg(long = "where", value_name = "CONDITION")]
        condition: Option<String>,
        /// This many at most.
        #[arg(long, value_name = "N")]
        top: Option<usize>,
    },
    /// One device identity.
    Show {
        #[command(flatten)]
        id: DeviceId,
    },
    /// Cut a device off: its connection is closed, and the hub refuses it until it is enabled again.
    Disable {
        #[command(flatten)]
        which: Which,
        /// Why, for those who look at it later; at most 128 characters.
        #[arg(long, visible_alias = "star", value_name = "TEXT")]
        status_reason: Option<String>,
        #[command(flatten)]
        condition: Condition,
        #[command(flatten)]
        conduct: Conduct,
    },
    /// Let a device connect again.
    Enable {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        condition: Condition,
        #[command(flatten)]
        conduct: Conduct,
    },
    /// Delete a device identity and its twin; the registration record at DPS stays.
    Delete {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        condition: Condition,
        #[command(flatten)]
        conduct: Conduct,
    },
}

/// Names a device.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct DeviceId {
    /// The device ID at the hub.
    #[arg(long, short = 'd', value_name = "ID")]
    pub device_id: String,
}

/// How a new device proves who it is, and whether it may connect.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct NewDevice {
    #[command(flatten)]
    authentication: Authentication,
    /// Whether it may connect.
    #[arg(long, visible_alias = "sta", value_enum, default_value_t, value_name = "STATUS")]
    status: DeviceStatus,
    /// Why it has that status; at most 128 characters.
    #[arg(long, visible_alias = "star", value_name = "TEXT")]
    status_reason: Option<String>,
    /// An `IoT` Edge device.
    #[arg(long, visible_alias = "ee")]
    edge_enabled: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum DeviceStatus {
    #[default]
    Enabled,
    Disabled,
}

impl NewDevice {
    fn body(self, device_id: &str) -> anyhow::Result<Value> {
        Ok(json!({
            "deviceId": device_id,
            "status": match self.status {
                DeviceStatus::Enabled => "enabled",
                DeviceStatus::Disabled => "disabled",
            },
            "statusReason": self.status_reason,
            "authentication": self.authentication.value()?,
            "capabilities": {"iotEdge": self.edge_enabled},
        }))
    }
}

impl DeviceCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { id, new } => {
                let body = new.body(&id.device_id)?;
                show(target.hub()?.call(Call::put(&[PATH, &id.device_id], &body))?)
            }
            Self::List { condition, top } => {
                let text = match condition {
                    Some(condition) => format!("SELECT * FROM devices WHERE {condition}"),
                    None => "SELECT * FROM devices".to_owned(),
                };
                let rows = query::rows(target, &text, top)?;
                let with_hub = rows.iter().any(|row| row.get("hub").is_some());
                let hub: &[Column<'_>] = if with_hub { &[("Hub", "/hub")] } else { &[] };
                target.output.show(&rows.into(), &[&COLUMNS[..1], hub, &COLUMNS[1..]].concat())
            }
            Self::Show { id } => show(target.hub_of(&id.device_id)?.call(Call::get(&[PATH, &id.device_id]))?),
            Self::Disable { which, status_reason, condition, conduct } => {
                Status { wanted: "disabled", reason: status_reason }.set(target, which, &condition, &conduct)
            }
            Self::Enable { which, condition, conduct } => {
                Status { wanted: "enabled", reason: None }.set(target, which, &condition, &conduct)
            }
            Self::Delete { which, condition, conduct } => delete(target, which, &condition, &conduct),
        }
    }
}

/// Whether a device may connect, and why.
struct Status {
    wanted: &'static str,
    reason: Option<String>,
}

impl Status {
    fn set(
        &self,
        target: &Target,
        which: Which,
        condition: &Condition,
        conduct: &Conduct,
    ) -> anyhow::Result<()> {
        if let Some(id) = which.only(conduct) {
            let device = self.put(&target.hub_of(id)?, id, condition)?;
            return target.output.show(&device, COLUMNS);
        }
        condition.of_one_only()?;
        let wanted = Wanted::by(&["status", "statusReason"], |twin| self.is_of(twin));
        let (command, is_so) = match self.wanted {
            "enabled" => ("device enable", "enabled already"),
            _ => ("device disable", "disabled already"),
        };
        let looked = look(target, which.selection()?, &wanted)?;
        ask(&looked, conduct, command)?;
        let verb = verb(command, self.wanted, is_so);
        let work = Work { verb, conduct, output: &target.output, hubs: &looked.hubs, dps: None };
        work.carry_out(Task::of(&looked, false), |id, hub| {
            let hub = hub.context("it is at no hub")?;
            let changed = again_if_it_changes(|| self.put(hub, id, condition))?;
            Ok(Done::Changed(json!({"status": changed["status"]})))
        })
    }

    /// Whether a device or its twin has it already.
    fn is_of(&self, device: &Value) -> bool {
        let reason = self.reason.as_deref().unwrap_or_default();
        device["status"] == self.wanted && device["statusReason"].as_str().unwrap_or_default() == reason
    }

    /// Reads the device, changes it, and writes it if nobody else has written meanwhile.
    fn put(&self, hub: &Client, id: &str, condition: &Condition) -> anyhow::Result<Value> {
        let path = [PATH, id];
        let mut device = hub.call(Call::get(&path))?;
        device["status"] = self.wanted.into();
        device["statusReason"] = self.reason.clone().into();
        let etag = condition.or(&device).to_owned();
        hub.call(hub.if_match(Call::put(&path, &device), &etag))
    }
}

fn delete(target: &Target, which: Which, condition: &Condition, conduct: &Conduct) -> anyhow::Result<()> {
    if let Some(id) = which.only(conduct) {
        let hub = target.hub_of(id)?;
        return hub.call(condition.apply(&hub, Call::delete(&[PATH, id]))).map(drop);
    }
    condition.of_one_only()?;
    let looked = look(target, which.selection()?, &Wanted::unseen())?;
    ask(&looked, conduct, "device delete")?;
    let verb = verb("device delete", "deleted", "not there any more");
    let work = Work { verb, conduct, output: &target.output, hubs: &looked.hubs, dps: None };
    work.carry_out(Task::of(&looked, true), |id, hub| {
        let Some(hub) = hub else { return Ok(Done::IsSo) };
        let deleted = hub.find(condition.apply(hub, Call::delete(&[PATH, id])))?;
        Ok(deleted.map_or(Done::IsSo, Done::Changed))
    })
}

fn verb(command: &str, done: &'static str, is_so: &'static str) -> Verb {
    Verb { command: command.into(), done, is_so, thing: "device", member: "deviceId", columns: &[] }
}
