//! `delivery`: how readings share messages.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::DeliveryMode;
use crate::settings::answer::quoted;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// `{"batchBacklog": bool, "gzip": bool, "fullProperties": bool, "compact": bool}`; a field that is left out takes its own default, not the configuration's, so
/// that the same desired value means the same on every device.
#[derive(Debug)]
pub struct Delivery;

impl Property for Delivery {
    const NAME: &'static str = "delivery";
    const GONE: &'static str = "null or removed is no way to deliver";

    type Value = DeliveryMode;

    fn read(value: &Value) -> Result<DeliveryMode, String> {
        let bad = |why: String| {
            format!(
                "it must be {{\"batchBacklog\": …, \"gzip\": …, \"fullProperties\": …, \"compact\": …}}, each true or false: \
                 {why}"
            )
        };
        // Of an array the fields would be taken in their order.
        if !value.is_object() {
            return Err(bad(format!("{} is no object", quoted(value))));
        }
        DeliveryMode::deserialize(value).map_err(|error| bad(error.to_string()))
    }

    fn default(defaults: &Defaults) -> DeliveryMode {
        defaults.delivery
    }

    fn write(value: &DeliveryMode) -> Value {
        let DeliveryMode { batch_backlog, gzip, full_properties, compact } = value;
        json!({"batchBacklog": batch_backlog, "gzip": gzip, "fullProperties": full_properties, "compact": compact})
    }
}
