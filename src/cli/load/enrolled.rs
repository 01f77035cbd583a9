//! A CA of this program at emulators: its devices may register as long as it runs.

use anyhow::Context;
use serde_json::json;

use crate::cli::cloud::service::client::{Call, Client};
use crate::platform::stderr::tell;

/// The path of groups at a provisioning service.
const PATH: &str = "enrollmentGroups";

/// Groups that are there until this is dropped.
pub(super) struct Enrolled {
    id: String,
    at: Vec<Client>,
}

impl Enrolled {
    /// Nowhere yet.
    pub(super) fn new(id: String) -> Self {
        Self { id, at: Vec::new() }
    }

    /// At one more provisioning service.
    pub(super) fn enroll(&mut self, dps: Client, certificate: &str) -> anyhow::Result<()> {
        let x509 = json!({"signingCertificates": {"primary": {"certificate": certificate}}});
        let group = json!({"enrollmentGroupId": self.id, "attestation": {"type": "x509", "x509": x509}});
        dps.call(Call::put(&[PATH, &self.id], &group))
            .with_context(|| format!("the CA of this run can't be enrolled as {}", self.id))?;
        self.at.push(dps);
        Ok(())
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        for dps in &self.at {
            if let Err(error) = dps.call(Call::delete(&[PATH, &self.id])) {
                tell!("the enrollment group {} stays at the emulator: {error}", self.id);
            }
        }
    }
}
