use std::time::Duration;

use super::{Check, Finding};
use crate::identity::Identity;

pub(super) const CHECK: Check = Check {
    id: "key",
    sentence: "the private key belongs to the certificate and is closed to others",
    needs: &["certificate"],
    // A token may have to wake up.
    within: Duration::from_secs(20),
    look: |context| {
        let Ok(config) = context.config() else { return Finding::skip("there is no configuration") };
        match Identity::load(&config.identity, &config.state.directory) {
            Ok(_) => Finding::pass(format!("{} is the key of the certificate", config.identity.key)),
            Err(error) => Finding::error(error),
        }
    },
};
