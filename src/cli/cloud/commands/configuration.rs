//! `cloud configuration`: desired properties for all devices that a condition holds for.

use anyhow::bail;
use serde_json::{Map, Value, json};

use super::certificate::Condition;
use crate::cli::cloud::json_argument::{assignments, object};
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Target;

const PATH: &str = "configurations";
const CONTENTS: [&str; 3] = ["deviceContent", "moduleContent", "modulesContent"];

const COLUMNS: &[Column<'_>] = &[
    ("Id", "/id"),
    ("Priority", "/priority"),
    ("Targeted", "/systemMetrics/results/targetedCount"),
    ("Applied", "/systemMetrics/results/appliedCount"),
    ("Metrics", "/metrics/results"),
    ("TargetCondition", "/targetCondition"),
    ("LastUpdated", "/lastUpdatedTimeUtc"),
];

/// Commands for configurations.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum ConfigurationCommand {
    /// Make a configuration; the hub keeps desired properties as it says, as devices come, change and go.
    Create {
        #[command(flatten)]
        id: ConfigurationId,
        #[command(flatten)]
        content: Content,
        #[command(flatten)]
        terms: Terms,
    },
    /// One configuration, with what its metrics count now.
    Show {
        #[command(flatten)]
        id: ConfigurationId,
    },
    /// All configurations, with what their metrics count now.
    List {
        /// This many at most.
        #[arg(long, value_name = "N")]
        top: Option<usize>,
    },
    /// Change priority, condition, labels or metrics; what it wants of devices never changes.
    Update {
        #[command(flatten)]
        id: ConfigurationId,
        #[command(flatten)]
        terms: Terms,
        #[command(flatten)]
        condition: Condition,
    },
    /// Delete a configuration; twins lose what it has set.
    Delete {
        #[command(flatten)]
        id: ConfigurationId,
        #[command(flatten)]
        condition: Condition,
    },
}

/// Names a configuration.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct ConfigurationId {
    /// Its name: small letters, digits and -+%_*!', 128 at the most.
    #[arg(long = "config-id", short = 'c', value_name = "ID")]
    config_id: String,
}

/// What is wanted.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(in crate::cli::cloud) struct Content {
    /// Desired properties of devices: JSON, a file, or name=value.
    #[arg(long, value_name = "JSON")]
    desired: Option<String>,
    /// The content as az takes it, JSON or a file: an object with deviceContent, moduleContent or modulesContent.
    #[arg(long, short = 'k', value_name = "JSON")]
    content: Option<String>,
}

/// For whom, and what is counted.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Terms {
    /// For which devices: * for all, or a condition, like "tags.place = 'quay'"; without one for nobody.
    #[arg(long, visible_alias = "tc", value_name = "CONDITION")]
    target_condition: Option<String>,
    /// Where two want different things, the higher one wins; 0 unless said otherwise.
    #[arg(long, visible_alias = "pri", value_name = "N")]
    priority: Option<u32>,
    /// What people find it by: JSON, a file, or name=value.
    #[arg(long, visible_alias = "lab", value_name = "JSON")]
    labels: Option<String>,
    /// What is to be counted beside how many are targeted and have it applied: name=QUERY, JSON or a file; several give several.
    #[arg(long, short = 'm', value_name = "NAME=QUERY")]
    metrics: Vec<String>,
}

impl ConfigurationCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.hub()?;
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { id, content, terms } => {
                let mut body = json!({
                    "id": id.config_id, "schemaVersion": "1.0", "content": content.wire()?, "priority": 0,
                    "targetCondition": "", "labels": {}, "metrics": {"queries": {}},
                });
                terms.put_into(&mut body)?;
                show(hub.call(Call::put(&[PATH, &id.config_id], &body))?)
            }
            Self::Show { id } => show(read(&hub, &id.config_id)?),
            Self::List { top } => {
                let mut call = Call::get(&[PATH]);
                if let Some(top) = top {
                    call = call.parameter("top", &top.to_string());
                }
                show(hub.call(call)?)
            }
            Self::Update { id, terms, condition } => {
                if terms.is_empty() {
                    bail!("nothing to update: give --target-condition, --priority, --labels or --metrics");
                }
                let mut body = read(&hub, &id.config_id)?;
                terms.put_into(&mut body)?;
                let etag = condition.or(&body).to_owned();
                show(hub.call(hub.if_match(Call::put(&[PATH, &id.config_id], &body), &etag))?)
            }
            Self::Delete { id, condition } => {
                hub.call(condition.apply(&hub, Call::delete(&[PATH, &id.config_id]))).map(drop)
            }
        }
    }
}

fn read(hub: &Client, id: &str) -> anyhow::Result<Value> {
    hub.call(Call::get(&[PATH, id]))
}

impl Content {
    fn wire(&self) -> anyhow::Result<Value> {
        if let Some(desired) = &self.desired {
            let desired = assignments("--desired", desired)?;
            let named = |(name, value)| (format!("properties.desired.{name}"), value);
            return Ok(json!({"deviceContent": desired.into_iter().map(named).collect::<Map<_, _>>()}));
        }
        let mut content = object("--content", self.content.as_deref().unwrap_or_default())?;
        // az's files have it one deeper.
        if let Some(Value::Object(inner)) = content.remove("content") {
            content = inner;
        }
        if content.len() != 1 || !CONTENTS.iter().any(|name| content.contains_key(*name)) {
            bail!("--content has to be an object with one of {}", CONTENTS.join(", "));
        }
        Ok(content.into())
    }
}

impl Terms {
    fn is_empty(&self) -> bool {
        self.target_condition.is_none()
            && self.priority.is_none()
            && self.labels.is_none()
            && self.metrics.is_empty()
    }

    fn put_into(&self, configuration: &mut Value) -> anyhow::Result<()> {
        if let Some(condition) = &self.target_condition {
            configuration["targetCondition"] = condition.as_str().into();
        }
        if let Some(priority) = self.priority {
            configuration["priority"] = priority.into();
        }
        if let Some(labels) = &self.labels {
            configuration["labels"] = assignments("--labels", labels)?.into();
        }
        if !self.metrics.is_empty() {
            configuration["metrics"] = json!({"queries": queries(&self.metrics)?});
        }
        Ok(())
    }
}

/// Queries by name, of all that was given.
fn queries(given: &[String]) -> anyhow::Result<Map<String, Value>> {
    let mut all = Map::new();
    for text in given {
        let mut one = assignments("--metrics", text)?;
        for wrapper in ["metrics", "queries"] {
            let inner = one.get(wrapper).and_then(Value::as_object).cloned();
            one = inner.unwrap_or(one);
        }
        if let Some((name, _)) = one.iter().find(|(_, query)| !query.is_string()) {
            bail!(
                "--metrics: {name} is no query, like \"SELECT deviceId FROM devices WHERE tags.place = 'quay'\""
            );
        }
        all.extend(one);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_and_metrics_are_read_as_az_has_them_and_shorter() {
        let content = |desired: Option<&str>, content: Option<&str>| {
            let [desired, content] = [desired, content].map(|text| text.map(str::to_owned));
            Content { desired, content }.wire().map_err(|error| error.to_string())
        };
        let wanted = json!({"deviceContent": {"properties.desired.telemetryInterval": 60}});
        assert_eq!(content(Some("telemetryInterval=60"), None), Ok(wanted.clone()));
        assert_eq!(content(None, Some(&wanted.to_string())), Ok(wanted.clone()));
        assert_eq!(content(None, Some(&json!({"content": wanted}).to_string())), Ok(wanted));
        assert!(content(None, Some("{\"device\": {}}")).unwrap_err().contains("one of deviceContent"));

        let query = "SELECT deviceId FROM devices WHERE properties.reported.a = 1";
        let expected = json!({"slow": query}).as_object().cloned().unwrap();
        let az = json!({"metrics": {"queries": {"slow": query}}}).to_string();
        for text in [format!("slow={query}"), json!({"slow": query}).to_string(), az] {
            assert_eq!(queries(&[text]).unwrap(), expected);
        }
        assert!(queries(&["a=1".into()]).unwrap_err().to_string().contains("--metrics: a is no query"));
    }
}
