//! The members of an enrollment that speak of certificates to issue, as each API version calls them.
//!
//! | API version | members |
//! | --- | --- |
//! | 2025-07-01-preview | `credentialPolicyName` |
//! | from 2026-11-01 | `namespaceName`, `certificateAuthorityName`, `certificatePolicyName` |
//!
//! They are one thing here, the policy: what one version has set the other shows.

use serde_json::Value;

const PREVIEW: &str = "2025-07-01-preview";
const STABLE_SINCE: &str = "2026-11-01";

const OF_PREVIEW: &str = "credentialPolicyName";
const OF_STABLE: [&str; 3] = ["namespaceName", "certificateAuthorityName", POLICY];
const POLICY: &str = "certificatePolicyName";

/// Reads them as the newest version has them; `Err` says which this version does not know.
pub(super) fn take(enrollment: &mut Value, api_version: &str) -> Result<(), String> {
    let Value::Object(members) = enrollment else { return Ok(()) };
    let mut unknown = OF_STABLE.iter().filter(|_| api_version < STABLE_SINCE);
    if let Some(member) = unknown.find(|member| members.contains_key(**member)) {
        return Err(format!(
            "{member} is known from the api-version {STABLE_SINCE} on, not in {api_version}"
        ));
    }
    match members.remove(OF_PREVIEW) {
        None => Ok(()),
        Some(_) if api_version != PREVIEW => Err(format!(
            "{OF_PREVIEW} is known in the api-version {PREVIEW} alone: from {STABLE_SINCE} on it is {POLICY}"
        )),
        Some(policy) => {
            members.insert(POLICY.into(), policy);
            Ok(())
        }
    }
}

/// Calls them as this version does, and leaves out what it does not know.
pub(super) fn show(enrollment: &mut Value, api_version: &str) {
    let Value::Object(members) = enrollment else { return };
    if api_version >= STABLE_SINCE {
        return;
    }
    let taken = OF_STABLE.map(|member| members.remove(member));
    if let [_, _, Some(policy)] = taken
        && api_version == PREVIEW
    {
        members.insert(OF_PREVIEW.into(), policy);
    }
}
