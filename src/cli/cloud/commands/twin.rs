//! `cloud twin`: device twins.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::certificate::Condition;
use super::device::DeviceId;
use crate::cli::cloud::bulk::{Conduct, Done, Task, Verb, Wanted, Which, Work, ask, look};
use crate::cli::cloud::json_argument::assignments;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "twins";

const COLUMNS: &[Column<'_>] = &[
    ("DeviceId", "/deviceId"),
    ("Status", "/status"),
    ("Connection", "/connectionState"),
    ("DesiredVersion", "/properties/desired/$version"),
    ("ReportedVersion", "/properties/reported/$version"),
    ("Tags", "/tags"),
];

/// Commands for device twins.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum TwinCommand {
    /// The twin of a device: tags, desired and reported properties.
    Show {
        #[command(flatten)]
        id: DeviceId,
    },
    /// Merge into desired properties and tags; null deletes.
    Update {
        #[command(flatten)]
        which: Which,
        #[command(flatten)]
        change: TwinChange,
        #[command(flatten)]
        condition: Condition,
        #[command(flatten)]
        conduct: Conduct,
    },
}

impl TwinCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let twin = match self {
            Self::Show { id } => target.hub_of(&id.device_id)?.call(Call::get(&[PATH, &id.device_id]))?,
            Self::Update { which, change, condition, conduct } => {
                let patch = change.patch()?;
                let Some(id) = which.only(&conduct) else {
                    return update_many(target, which, &patch, &condition, &conduct);
                };
                let hub = target.hub_of(id)?;
                hub.call(condition.apply(&hub, Call::patch(&[PATH, id], &patch)))?
            }
        };
        target.output.show(&twin, COLUMNS)
    }
}

/// The change of a twin that is asked for.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct TwinChange {
    /// Desired properties: JSON, a file, or name=value.
    #[arg(long, value_name = "JSON")]
    desired: Option<String>,
    /// Tags: JSON, a file, or name=value.
    #[arg(long, value_name = "JSON")]
    tags: Option<String>,
}

impl TwinChange {
    pub(super) fn is_empty(&self) -> bool {
        self.desired.is_none() && self.tags.is_none()
    }

    /// The part of a twin that is to be merged into it.
    pub(super) fn patch(&self) -> anyhow::Result<Value> {
        if self.is_empty() {
            bail!("nothing to update: give --desired or --tags");
        }
        let mut patch = json!({});
        if let Some(text) = &self.desired {
            patch["properties"] = json!({"desired": assignments("--desired", text)?});
        }
        if let Some(text) = &self.tags {
            patch["tags"] = Value::Object(assignments("--tags", text)?);
        }
        Ok(patch)
    }
}

fn update_many(
    target: &Target,
    which: Which,
    patch: &Value,
    condition: &Condition,
    conduct: &Conduct,
) -> anyhow::Result<()> {
    condition.of_one_only()?;
    let looked = look(target, which.selection()?, &Wanted::patch(patch))?;
    ask(&looked, conduct, "twin update")?;
    let verb = Verb {
        command: "twin update".into(),
        done: "updated",
        is_so: "as wanted already",
        thing: "device",
        member: "deviceId",
        columns: &[("DesiredVersion", "/result/desiredVersion")],
    };
    let work = Work { verb, conduct, output: &target.output, hubs: &looked.hubs, dps: None };
    work.carry_out(Task::of(&looked, false), |id, hub| {
        let hub = hub.context("it is at no hub")?;
        let twin = hub.call(condition.apply(hub, Call::patch(&[PATH, id], patch)))?;
        Ok(Done::Changed(json!({"desiredVersion": twin["properties"]["desired"]["$version"]})))
    })
}
