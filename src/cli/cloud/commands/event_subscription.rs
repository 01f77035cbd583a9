//! `cloud event-subscription`: webhooks that Event Grid tells of devices.

use serde_json::{Value, json};

use super::routing_endpoint::Policy;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "eventSubscriptions";

const COLUMNS: &[Column<'_>] = &[
    ("Name", "/name"),
    ("Endpoint", "/properties/destination/properties/endpointBaseUrl"),
    ("EventTypes", "/properties/filter/includedEventTypes"),
    ("Subject", "/properties/filter/subjectBeginsWith"),
    ("Waiting", "/deliveries/waiting"),
    ("Delivered", "/deliveries/delivered"),
    ("DeadLetters", "/deliveries/deadLetters"),
    ("LastError", "/deliveries/lastKnownError"),
];

/// Commands for Event Grid subscriptions. Emulator only.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum EventSubscriptionCommand {
    /// Tell a webhook of devices, once it has given back the validation code; one of this name is replaced.
    Create {
        #[command(flatten)]
        name: Name,
        /// The webhook, http or https.
        #[arg(long, value_name = "URL")]
        endpoint: String,
        /// Which events, like Microsoft.Devices.DeviceConnected; several with commas. By default all but telemetry.
        #[arg(long, value_name = "TYPES", value_delimiter = ',')]
        included_event_types: Vec<String>,
        /// Only subjects, devices/ID, that begin so.
        #[arg(long, value_name = "TEXT", default_value = "")]
        subject_begins_with: String,
        /// Only subjects that end so.
        #[arg(long, value_name = "TEXT", default_value = "")]
        subject_ends_with: String,
        /// Let case count in subjects.
        #[arg(long)]
        subject_case_sensitive: bool,
        /// The .jsonl file that takes what can't be delivered, below the emulator's directory; without one it is dropped.
        #[arg(long, value_name = "FILE")]
        dead_letter_file: Option<String>,
        #[command(flatten)]
        policy: Policy,
    },
    /// All subscriptions, and how deliveries go.
    List,
    /// One subscription, and how deliveries go.
    Show {
        #[command(flatten)]
        name: Name,
    },
    /// End a subscription; what waits for it is gone.
    Delete {
        #[command(flatten)]
        name: Name,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Name {
    /// The name of the subscription.
    #[arg(long, value_name = "NAME")]
    name: String,
}

impl EventSubscriptionCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.emulated_hub(
            "event subscriptions (they belong to Azure Resource Manager)",
            "az eventgrid event-subscription create|list|show|delete --source-resource-id …",
        )?;
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create {
                name,
                endpoint,
                included_event_types,
                subject_begins_with,
                subject_ends_with,
                subject_case_sensitive,
                dead_letter_file,
                policy,
            } => {
                let mut properties = json!({
                    "destination": {"endpointType": "WebHook", "properties": {"endpointUrl": endpoint}},
                    "filter": {
                        "subjectBeginsWith": subject_begins_with,
                        "subjectEndsWith": subject_ends_with,
                        "isSubjectCaseSensitive": subject_case_sensitive,
                    },
                    "retryPolicy": policy.json(),
                });
                if !included_event_types.is_empty() {
                    properties["filter"]["includedEventTypes"] = included_event_types.into();
                }
                if let Some(file) = dead_letter_file {
                    properties["deadLetterDestination"] =
                        json!({"endpointType": "File", "properties": {"file": file}});
                }
                let call = Call::put(&[PATH, &name.name], &json!({ "properties": properties }));
                show(hub.call(call)?)
            }
            Self::List => {
                let mut answer = hub.call(Call::get(&[PATH]))?;
                show(answer["value"].take())
            }
            Self::Show { name } => show(hub.call(Call::get(&[PATH, &name.name]))?),
            Self::Delete { name } => hub.call(Call::delete(&[PATH, &name.name])).map(drop),
        }
    }
}
