//! `evidence`: whether readings are chained and signed.

use serde_json::Value;

use crate::settings::answer::quoted;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

/// True or false. Readings that were taken without it are in no chain, also afterwards.
#[derive(Debug)]
pub(crate) struct Evidence;

impl Property for Evidence {
    const NAME: &'static str = "evidence";
    const UNSET: &'static str = "not set in the twin; nothing is chained or signed";
    const GONE: &'static str = "null or removed is no choice; false ends it";

    type Value = bool;

    fn read(value: &Value) -> Result<bool, String> {
        value.as_bool().ok_or_else(|| format!("it must be true or false, and {} is neither", quoted(value)))
    }

    fn default(_: &Defaults) -> bool {
        false
    }

    fn write(value: &bool) -> Value {
        (*value).into()
    }
}
