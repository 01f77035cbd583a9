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
        match Identity::load(&config.identity.certificate, &config.identity.key, &config.state.directory) {
            Ok(_) => Finding::pass(format!("{} is the key of the certificate", config.identity.key)),
            Err(error) => judge(&error.to_string()),
        }
    },
};

/// Where systemd puts credentials, in a directory for each service that has some.
const CREDENTIALS: &str = " /run/credentials/";

fn judge(error: &str) -> Finding {
    if error.contains(CREDENTIALS) {
        return Finding::skip(
            "the key is a credential that the service alone has, while it runs: look again after systemctl start \
             container-tracker",
        );
    }
    Finding::error(error)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_credential_is_not_there_without_the_service() {
        let read = |path: &str| judge(&format!("can't read the private key {path}: No such file")).verdict;
        assert_eq!(read("/run/credentials/container-tracker.service/device.key"), Verdict::Skip);
        assert_eq!(read("/etc/container-tracker/device.key"), Verdict::Fail);
    }
}
