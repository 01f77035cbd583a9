//! `firmware`: the version that should run.

use serde_json::{Value, json};
use tracker_protocol::hub::AckCode;

use crate::settings::answer::quoted;
use crate::settings::defaults::Defaults;
use crate::settings::property::Property;

const RUNNING: &str = env!("CARGO_PKG_VERSION");

/// A version, compared as text. The agent does not replace itself: in force is what runs, and the answer says whether
/// that is what is wanted.
#[derive(Debug)]
pub struct Firmware;

impl Property for Firmware {
    const NAME: &'static str = "firmware";
    const UNSET: &'static str = "not set in the twin; what is installed runs";
    const GONE: &'static str = "null or removed is no version";

    type Value = String;

    fn read(value: &Value) -> Result<String, String> {
        value.as_str().map(str::to_owned).ok_or_else(|| format!("{} is not a version", quoted(value)))
    }

    fn default(_: &Defaults) -> String {
        RUNNING.into()
    }

    fn write(wanted: &String) -> Value {
        json!(wanted)
    }

    fn in_force(_: &String) -> Value {
        json!(RUNNING)
    }

    fn applied(wanted: &String) -> (AckCode, String) {
        if wanted == RUNNING {
            (AckCode::Applied, format!("{RUNNING} runs"))
        } else {
            let what = format!("{RUNNING} runs, {wanted} is wanted; install it with the package manager");
            (AckCode::Pending, what)
        }
    }
}
