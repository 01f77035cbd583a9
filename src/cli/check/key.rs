use std::time::Duration;

use super::{Check, Finding};
use crate::identity::Identity;

pub(super) const CHECK: Check = Check {
    id: "key",
    sentence: "the private key belongs to the certificate and is closed to others",
    needs: &["certificate"],
    within: Duration::from_secs(5),
    look: |context| {
        let Ok(config) = context.config() else { return Finding::skip("there is no configuration") };
        match Identity::load(&config.identity) {
            Ok(_) => {
                Finding::pass(format!("{} is the key of the certificate", config.identity.key.display()))
            }
            Err(error) => Finding::error(error),
        }
    },
};
