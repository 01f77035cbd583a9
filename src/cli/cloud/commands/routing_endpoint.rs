//! `cloud routing-endpoint`: webhooks and files that routes may lead to.

use anyhow::bail;
use serde_json::{Value, json};

use super::routing_document::RoutingDocument;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const WEBHOOKS: &str = "/endpoints/webhooks";

const FILES: &str = "/endpoints/files";

const COLUMNS: &[Column<'_>] = &[
    ("Name", "/name"),
    ("Url", "/url"),
    ("File", "/file"),
    ("Health", "/health/healthStatus"),
    ("Waiting", "/health/waiting"),
    ("Delivered", "/health/delivered"),
    ("DeadLetters", "/health/deadLetters"),
    ("LastError", "/health/lastKnownError"),
];

/// Commands for the endpoints of routes. Emulator only.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum RoutingEndpointCommand {
    /// Add a webhook or a file; a route has to lead there.
    Create {
        #[command(flatten)]
        name: EndpointName,
        #[command(flatten)]
        place: Place,
        /// The .jsonl file that takes what the webhook does not, below the emulator's directory; without one it is dropped.
        #[arg(long, value_name = "FILE", requires = "url")]
        dead_letter_file: Option<String>,
        #[command(flatten)]
        policy: Policy,
    },
    /// All endpoints, and how deliveries to them go.
    List,
    /// One endpoint, and how deliveries to it go.
    Show {
        #[command(flatten)]
        name: EndpointName,
    },
    /// Delete an endpoint that no route leads to any more; what waits for it is gone.
    Delete {
        #[command(flatten)]
        name: EndpointName,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct EndpointName {
    /// The name by which routes know the endpoint.
    #[arg(long, visible_aliases = ["en", "endpoint"], value_name = "NAME")]
    endpoint_name: String,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli::cloud) struct Place {
    /// http or https; each message is the body of a POST.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A .jsonl file below the emulator's directory; each message is a line.
    #[arg(long, value_name = "FILE")]
    file: Option<String>,
}

/// When a delivery is given up.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Policy {
    /// After so many attempts, 1 to 30; 30 by default.
    #[arg(long, value_name = "N")]
    max_delivery_attempts: Option<u32>,
    /// After so many minutes, 1 to 1440; 1440 by default.
    #[arg(long, value_name = "MINUTES")]
    event_ttl: Option<u32>,
}

impl Policy {
    /// As the service takes it; nothing for what it chooses itself.
    pub(super) fn json(&self) -> Value {
        let mut policy = json!({});
        if let Some(attempts) = self.max_delivery_attempts {
            policy["maxDeliveryAttempts"] = attempts.into();
        }
        if let Some(minutes) = self.event_ttl {
            policy["eventTimeToLiveInMinutes"] = minutes.into();
        }
        policy
    }
}

impl RoutingEndpointCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let instead = "az iot hub message-endpoint create|list|show|delete";
        let mut routing = RoutingDocument::read(target, "endpoints of message routes", instead)?;
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { name, place, dead_letter_file, policy } => {
                let mut endpoint = json!({"name": name.endpoint_name});
                let list = if let Some(file) = place.file {
                    endpoint["file"] = file.into();
                    FILES
                } else {
                    endpoint["url"] = place.url.into();
                    endpoint["retryPolicy"] = policy.json();
                    if let Some(file) = dead_letter_file {
                        endpoint["deadLetterFile"] = file.into();
                    }
                    WEBHOOKS
                };
                routing.add(list, "name", endpoint.clone())?;
                routing.write()?;
                show(endpoint)
            }
            Self::List => show(endpoints(&routing)?.into()),
            Self::Show { name } => {
                let name = &name.endpoint_name;
                match endpoints(&routing)?.into_iter().find(|endpoint| endpoint["name"] == name.as_str()) {
                    Some(endpoint) => show(endpoint),
                    None => bail!("the hub has no endpoint {name}"),
                }
            }
            Self::Delete { name } => {
                let name = &name.endpoint_name;
                let was_webhook = routing.remove(WEBHOOKS, "name", name);
                if !routing.remove(FILES, "name", name) && !was_webhook {
                    bail!("the hub has no endpoint {name}");
                }
                routing.write()
            }
        }
    }
}

/// All endpoints with their health.
fn endpoints(routing: &RoutingDocument) -> anyhow::Result<Vec<Value>> {
    let health = routing.hub.call(Call::get(&["routingEndpointsHealth"]))?;
    let mut endpoints = [routing.list(WEBHOOKS), routing.list(FILES)].concat();
    for endpoint in &mut endpoints {
        let mut known = health["value"].as_array().into_iter().flatten();
        let health = known.find(|health| health["endpointId"] == endpoint["name"]);
        endpoint["health"] = health.cloned().unwrap_or_default();
    }
    Ok(endpoints)
}
