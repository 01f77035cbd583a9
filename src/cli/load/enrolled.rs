//! A CA of this program at emulators: its devices may register as long as it runs.

use anyhow::Context;
use serde_json::json;

use crate::cli::cloud::service::client::{Call, Client};
use crate::platform::stderr::tell;

/// Paths at a provisioning service.
const GROUPS: &str = "enrollmentGroups";
const CERTIFICATES: &str = "certificates";

/// A CA certificate and its group, which are there until this is dropped.
pub(super) struct Enrolled {
    id: String,
    at: Vec<Client>,
}

impl Enrolled {
    /// Nowhere yet.
    pub(super) fn new(id: String) -> Self {
        Self { id, at: Vec::new() }
    }

    /// At one more provisioning service. Who makes a CA has its key at hand, which is proof enough of possession.
    pub(super) fn enroll(&mut self, dps: Client, certificate: &str) -> anyhow::Result<()> {
        let ca = json!({"properties": {"certificate": certificate, "isVerified": true}});
        let x509 = json!({"caReferences": {"primary": self.id}});
        let group = json!({"enrollmentGroupId": self.id, "attestation": {"type": "x509", "x509": x509}});
        let added = dps
            .call(Call::put(&[CERTIFICATES, &self.id], &ca))
            .and_then(|_| dps.call(Call::put(&[GROUPS, &self.id], &group)));
        self.at.push(dps);
        added.map(drop).with_context(|| format!("the CA of this run can't be enrolled as {}", self.id))
    }
}

impl Drop for Enrolled {
    fn drop(&mut self) {
        for dps in &self.at {
            for path in [GROUPS, CERTIFICATES] {
                let call = dps.if_match(Call::delete(&[path, &self.id]), "*");
                if let Err(error) = dps.find(call) {
                    tell!("{} stays among the {path} of the emulator: {error}", self.id);
                }
            }
        }
    }
}
