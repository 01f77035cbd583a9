//! `cloud route`: where a hub leads messages.

use anyhow::{Context, bail};
use serde_json::{Map, Value, json};

use super::routing_document::RoutingDocument;
use crate::cli::cloud::json_argument::object;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const ROUTES: &str = "/routes";

const FALLBACK: &str = "/fallbackRoute";

const COLUMNS: &[Column<'_>] = &[
    ("Name", "/name"),
    ("Source", "/source"),
    ("Enabled", "/isEnabled"),
    ("Endpoint", "/endpointNames/0"),
    ("Condition", "/condition"),
];

/// Commands for message routes. Emulator only.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum RouteCommand {
    /// Lead messages of a source to an endpoint, if a condition holds.
    Create {
        #[command(flatten)]
        name: RouteName,
        /// events, or an endpoint of `cloud routing-endpoint`.
        #[arg(long, visible_aliases = ["en", "endpoint"], value_name = "NAME")]
        endpoint_name: String,
        /// What the route is for.
        #[arg(long, visible_alias = "type", value_enum, ignore_case = true, default_value_t)]
        source_type: SourceType,
        /// In Azure's language, like "alarm = 'tooWarm' AND $twin.tags.customer = 'North'"; without one, all messages of the source.
        #[arg(long, short = 'c', value_name = "CONDITION", default_value = "true")]
        condition: String,
        /// Whether it is in force.
        #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
        enabled: bool,
    },
    /// All routes.
    List,
    /// One route.
    Show {
        #[command(flatten)]
        name: RouteName,
    },
    /// Delete a route.
    Delete {
        #[command(flatten)]
        name: RouteName,
    },
    /// Say what becomes of a message that nobody has sent: with a route or a condition, whether it holds; else, which routes take it.
    Test(TestArgs),
    /// Show or set where messages of devices go that no route takes.
    Fallback {
        /// Whether there is a fallback; without one, what no route takes is dropped.
        #[arg(long, value_name = "BOOL", action = clap::ArgAction::Set)]
        enabled: Option<bool>,
        /// events, or an endpoint of `cloud routing-endpoint`.
        #[arg(long, visible_aliases = ["en", "endpoint"], value_name = "NAME")]
        endpoint_name: Option<String>,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct RouteName {
    /// The name of the route.
    #[arg(long, visible_aliases = ["rn", "route"], value_name = "NAME")]
    route_name: String,
}

/// What a message is tried with.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct TestArgs {
    /// Try this route.
    #[arg(long, visible_aliases = ["rn", "route"], value_name = "NAME")]
    route_name: Option<String>,
    /// Try this condition, which is of no route yet.
    #[arg(long, short = 'c', value_name = "CONDITION", conflicts_with = "route_name")]
    condition: Option<String>,
    /// What the message comes from.
    #[arg(long, visible_alias = "type", value_enum, ignore_case = true, default_value_t)]
    source_type: SourceType,
    /// The body, as text.
    #[arg(long, short = 'b', value_name = "TEXT", default_value = "{}")]
    body: String,
    /// Application properties, JSON or a file.
    #[arg(long, visible_alias = "ap", value_name = "JSON", default_value = "{}")]
    app_properties: String,
    /// System properties, JSON or a file; without them, the body is said to be JSON in UTF-8.
    #[arg(long, visible_alias = "sp", value_name = "JSON")]
    system_properties: Option<String>,
    /// Take the message for one of this device, whose twin the conditions see.
    #[arg(long, short = 'd', value_name = "ID")]
    device_id: Option<String>,
}

/// Sources, by their names at Azure in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli::cloud) enum SourceType {
    #[default]
    #[value(name = "DeviceMessages")]
    Messages,
    #[value(name = "TwinChangeEvents")]
    TwinChanges,
    #[value(name = "DeviceLifecycleEvents")]
    Lifecycles,
    #[value(name = "DeviceConnectionStateEvents")]
    ConnectionStates,
}

impl SourceType {
    fn name(self) -> &'static str {
        match self {
            Self::Messages => "DeviceMessages",
            Self::TwinChanges => "TwinChangeEvents",
            Self::Lifecycles => "DeviceLifecycleEvents",
            Self::ConnectionStates => "DeviceConnectionStateEvents",
        }
    }
}

impl RouteCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let instead = "az iot hub message-route create|list|show|delete|test|fallback";
        let mut routing = match &self {
            Self::Test(TestArgs { device_id: Some(id), .. }) => {
                RoutingDocument::read_of(target, id, "message routes", instead)?
            }
            _ => RoutingDocument::read(target, "message routes", instead)?,
        };
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { name, endpoint_name, source_type, condition, enabled } => {
                let route = json!({
                    "name": name.route_name,
                    "source": source_type.name(),
                    "condition": condition,
                    "endpointNames": [endpoint_name],
                    "isEnabled": enabled,
                });
                routing.add(ROUTES, "name", route.clone())?;
                routing.write()?;
                show(route)
            }
            Self::List => show(routing.part(ROUTES)),
            Self::Show { name } => show(find(&routing, &name.route_name)?),
            Self::Delete { name } => {
                if !routing.remove(ROUTES, "name", &name.route_name) {
                    bail!("the hub has no route {}", name.route_name);
                }
                routing.write()
            }
            Self::Test(arguments) => arguments.run(&routing, target),
            Self::Fallback { enabled, endpoint_name } => {
                let mut fallback = routing.part(FALLBACK);
                if enabled.is_some() || endpoint_name.is_some() {
                    if let Some(enabled) = enabled {
                        fallback["isEnabled"] = enabled.into();
                    }
                    if let Some(name) = endpoint_name {
                        fallback["endpointNames"] = json!([name]);
                    }
                    routing.set(FALLBACK, fallback.clone());
                    routing.write()?;
                }
                show(fallback)
            }
        }
    }
}

impl TestArgs {
    fn run(self, routing: &RoutingDocument, target: &Target) -> anyhow::Result<()> {
        let mut system = match &self.system_properties {
            Some(given) => object("--system-properties", given)?,
            None => said_to_be_json(),
        };
        let mut twin = Value::Null;
        if let Some(id) = &self.device_id {
            twin = routing.hub.call(Call::get(&["twins", id])).context("--device-id")?;
            system.insert("connectionDeviceId".into(), id.clone().into());
        }
        let properties = object("--app-properties", &self.app_properties)?;
        let mut trial = json!({
            "message": {"body": self.body, "appProperties": texts(properties), "systemProperties": texts(system)},
        });
        if twin.is_object() {
            trial["twin"] = twin;
        }
        let route = match (&self.route_name, &self.condition) {
            (Some(name), _) => Some(find(routing, name)?),
            (None, Some(condition)) => Some(json!({
                "name": "test",
                "source": self.source_type.name(),
                "condition": condition,
                "endpointNames": ["events"],
            })),
            (None, None) => None,
        };
        let call = |which| Call::post(&["routing", "routes", which]);
        if let Some(route) = route {
            trial["route"] = route;
            let answer = routing.hub.call(call("$testnew").json(&trial))?;
            let columns = [("Result", "/result"), ("Error", "/details/compilationErrors/0/message")];
            return target.output.show(&answer, &columns);
        }
        trial["routingSource"] = self.source_type.name().into();
        let answer = routing.hub.call(call("$testall").json(&trial))?;
        let routes = answer["routes"].as_array().into_iter().flatten();
        let routes: Vec<_> = routes.map(|route| route["properties"].clone()).collect();
        target.output.show(&routes.into(), COLUMNS)
    }
}

fn find(routing: &RoutingDocument, name: &str) -> anyhow::Result<Value> {
    routing.find(ROUTES, "name", name).with_context(|| format!("the hub has no route {name}"))
}

fn said_to_be_json() -> Map<String, Value> {
    let pairs = [("contentType", "application/json"), ("contentEncoding", "utf-8")];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// Properties are texts; a number on the command line is one too.
fn texts(properties: Map<String, Value>) -> Value {
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let texts: Map<_, _> =
        properties.into_iter().map(|(name, value)| (name, Value::String(text(value)))).collect();
    Value::Object(texts)
}
