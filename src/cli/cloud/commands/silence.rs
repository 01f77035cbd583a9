//! `cloud silence`: the alarm that a hub of the emulator raises for devices that are not heard any more.

use anyhow::bail;
use serde_json::Value;

use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "silence";

const COLUMNS: &[Column<'_>] = &[
    ("Enabled", "/properties/isEnabled"),
    ("Intervals", "/properties/intervals"),
    ("DefaultInterval", "/properties/defaultIntervalSeconds"),
    ("Severity", "/properties/severity"),
    ("Silent", "/silent"),
];

/// Commands for the alarm `silent`. Emulator only.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum SilenceCommand {
    /// When the alarm is raised, and which devices are silent.
    Show,
    /// Set when it is raised; what is not given stays.
    Set {
        /// Whether it is raised at all.
        #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set)]
        enabled: Option<bool>,
        /// So many of its own intervals a device may say nothing, 2 to 1000.
        #[arg(long, value_name = "N")]
        intervals: Option<u32>,
        /// The interval of devices whose twin says none, in seconds, 1 to 86400.
        #[arg(long, value_name = "SECONDS")]
        default_interval: Option<u64>,
        /// warning or critical.
        #[arg(long, value_name = "SEVERITY")]
        severity: Option<String>,
    },
}

impl SilenceCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.emulated_hub(
            "the alarm for silent devices",
            "az iot hub query -q \"SELECT deviceId, lastActivityTime FROM devices WHERE lastActivityTime < '…'\"",
        )?;
        let mut answer = hub.call(Call::get(&[PATH]))?;
        if let Self::Set { enabled, intervals, default_interval, severity } = self {
            let given: [(&str, Option<Value>); 4] = [
                ("isEnabled", enabled.map(Value::from)),
                ("intervals", intervals.map(Value::from)),
                ("defaultIntervalSeconds", default_interval.map(Value::from)),
                ("severity", severity.map(Value::from)),
            ];
            if given.iter().all(|(_, value)| value.is_none()) {
                bail!("nothing to set: give --enabled, --intervals, --default-interval or --severity");
            }
            for (name, value) in given {
                if let Some(value) = value {
                    answer["properties"][name] = value;
                }
            }
            answer = hub.call(Call::put(&[PATH], &answer))?;
        }
        target.output.show(&answer, COLUMNS)
    }
}
