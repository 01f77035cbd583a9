//! Enrichments: what the hub adds to messages on their way to an endpoint.

use serde_json::Value;

use super::{super::expression::member_without_case, message::RoutedMessage, model::Enrichment};

impl Enrichment {
    /// Whether its value is in the twin.
    pub(super) fn uses_twin(&self) -> bool {
        self.value.get(..6).is_some_and(|begin| begin.eq_ignore_ascii_case("$twin."))
    }

    /// The value for a device of this twin. Where the twin has no primitive there, the property says where it was looked for,
    /// as at Azure.
    fn value(&self, hub_name: &str, twin: Option<&Value>) -> String {
        if self.value.eq_ignore_ascii_case("$iothubname") {
            return hub_name.to_owned();
        }
        let in_twin = || {
            let mut names = self.value.split('.').skip(1);
            let found = names.try_fold(twin?, |value, name| member_without_case(value, name))?;
            match found {
                Value::String(text) => Some(text.clone()),
                Value::Bool(_) | Value::Number(_) => Some(found.to_string()),
                _ => None,
            }
        };
        if self.uses_twin() { in_twin() } else { None }.unwrap_or_else(|| self.value.clone())
    }
}

/// The message with the properties that are for this endpoint. One of the device's own by that name gives way.
pub(super) fn stamped(
    message: &RoutedMessage,
    enrichments: &[Enrichment],
    endpoint: &str,
    hub_name: &str,
    twin: Option<&Value>,
) -> RoutedMessage {
    let mut stamped = message.clone();
    let is_meant = |enrichment: &&Enrichment| enrichment.endpoint_names.iter().any(|name| name == endpoint);
    for enrichment in enrichments.iter().filter(is_meant) {
        stamped.properties.retain(|(name, _)| !name.eq_ignore_ascii_case(&enrichment.key));
        stamped.properties.push((enrichment.key.clone(), enrichment.value(hub_name, twin)));
    }
    stamped
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_come_from_the_hub_from_the_twin_or_are_what_they_are() {
        let twin =
            json!({"tags": {"site": {"dock": 7}}, "properties": {"desired": {}, "reported": {"Ok": true}}});
        for (value, expected) in [
            ("north", "north"),
            ("$IotHubName", "hub-1"),
            ("$twin.tags.site.dock", "7"),
            ("$twin.properties.reported.ok", "true"),
            ("$twin.tags.site", "$twin.tags.site"),
            ("$twin.tags.other", "$twin.tags.other"),
        ] {
            let enrichment = Enrichment { key: "k".into(), value: value.into(), endpoint_names: vec![] };
            assert_eq!(enrichment.value("hub-1", Some(&twin)), expected, "{value}");
        }
        let enrichment = Enrichment { key: "k".into(), value: "$twin.tags.a".into(), endpoint_names: vec![] };
        assert_eq!(enrichment.value("hub-1", None), "$twin.tags.a", "a device that is gone has no twin");
    }
}
