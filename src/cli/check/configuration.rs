use std::time::Duration;

use super::{Check, Finding};

pub(super) const CHECK: Check = Check {
    id: "configuration",
    sentence: "the configuration can be read, every key is known and every value in its range",
    needs: &[],
    within: Duration::from_secs(5),
    look: |context| match context.config() {
        Ok(config) => Finding::pass(format!(
            "{}: ID scope {}, a reading every {} s",
            context.path.display(),
            config.dps.id_scope,
            config.telemetry.interval
        )),
        Err(error) => Finding::error(error.to_string().trim_end()),
    },
};
