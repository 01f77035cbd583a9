//! `alarms`: when a reading is an alarm.

use serde_json::Value;

use crate::alarms::schema;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// The schema of `docs/alarms.md`. A value is taken as a whole or not at all; it replaces that of the configuration.
#[derive(Debug)]
pub struct Alarms;

impl Property for Alarms {
    const NAME: &'static str = "alarms";
    const GONE: &'static str =
        "null or removed is no set of alarms; to switch them off set its members to null, one by one";

    type Value = schema::Alarms;

    fn read(value: &Value) -> Result<schema::Alarms, String> {
        schema::Alarms::read(value)
    }

    fn default(defaults: &Defaults) -> schema::Alarms {
        defaults.alarms.clone()
    }

    fn write(value: &schema::Alarms) -> Value {
        value.value()
    }
}
