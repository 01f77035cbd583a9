//! Whether the configuration can be used.

use std::time::Duration;

use super::finding::Finding;
use super::item::{Check, Look};

pub(super) const CHECK: Check = Check {
    id: "configuration",
    sentence: "the configuration can be read, every key is known and every value in its range",
    needs: &[],
    within: Duration::from_secs(5),
    look: Look::By(|context| {
        let config = context.loaded().map_err(|error| Finding::error(error.to_string().trim_end()))?;
        Ok(Finding::pass(format!(
            "{}: ID scope {}, a reading every {} s",
            context.path.display(),
            config.dps.id_scope,
            config.telemetry.interval.seconds()
        )))
    }),
};
