//! Whether the private key can be used.

use std::time::Duration;

#[cfg(feature = "tpm")]
use base64ct::{Base64, Encoding};

use super::finding::Finding;
use super::item::{Check, Look};
#[cfg(feature = "tpm")]
use crate::identity::Identity;
use crate::identity::IdentityError;
use crate::uplink::credentials::CredentialsError;

pub(super) const CHECK: Check = Check {
    id: "key",
    sentence: "the private key belongs to the certificate and is closed to others",
    needs: &["certificate"],
    // A token may have to wake up.
    within: Duration::from_secs(20),
    look: Look::By(|context| {
        let key = &context.config()?.identity.key;
        match context.credentials()? {
            Err(CredentialsError::Identity(error)) => Err(judge(error)),
            #[cfg(feature = "tpm")]
            Ok(credentials) if credentials.identity.tpm().is_some() => Ok(of_tpm(&credentials.identity)),
            _ if context.has_no_certificate() => {
                Ok(Finding::pass(format!("{key} holds the device's symmetric key")))
            }
            // What else may be missing for TLS is not the key's fault.
            _ => Ok(Finding::pass(format!("{key} is the key of the certificate"))),
        }
    }),
};

/// Where systemd puts credentials, in a directory for each service that has some.
const CREDENTIALS: &str = "/run/credentials/";

/// What is enrolled is told, as there is no file to look it up in.
#[cfg(feature = "tpm")]
fn of_tpm(identity: &Identity) -> Finding {
    let keys = identity.tpm().map(|tpm| tpm.public_keys());
    match keys {
        Some(Ok(keys)) => {
            let key = Base64::encode_string(&keys.endorsement);
            Finding::pass(format!("the TPM answers; its endorsement key, for the enrollment: {key}"))
        }
        Some(Err(error)) => Finding::error(error),
        None => Finding::skip("there is no TPM"),
    }
}

fn judge(error: &IdentityError) -> Finding {
    if error.unreadable_secret().is_some_and(|path| path.starts_with(CREDENTIALS)) {
        return Finding::skip(
            "the key is a credential that the service alone has, while it runs: look again after systemctl start \
             container-tracker",
        );
    }
    Finding::error(error)
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn a_credential_is_not_there_without_the_service() {
        let read = |path: &str| {
            let source = std::io::ErrorKind::NotFound.into();
            judge(&IdentityError::ReadKey { path: path.into(), source }).verdict
        };
        assert_eq!(read("/run/credentials/container-tracker.service/device.key"), Verdict::Skip);
        assert_eq!(read("/etc/container-tracker/device.key"), Verdict::Fail);
    }
}
