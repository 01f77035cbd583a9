//! Digital twins as services call for them.

use serde_json::Value;

use super::{
    Hub, HubError, TwinPatch,
    digital_twin::{desired_of, view},
};
use crate::etag::IfMatch;

/// How often a change is tried anew that somebody else's has overtaken.
const TRIES: usize = 10;

impl Hub {
    /// The digital twin of a device, and its entity tag.
    pub(crate) fn digital_twin(&self, device_id: &str) -> Result<(Value, String), HubError> {
        let twin = self.twin(device_id)?;
        Ok((view(&twin), twin.etag))
    }

    /// Changes desired properties by a JSON Patch of the digital twin; the entity tag that it then has.
    pub(crate) fn patch_digital_twin(
        &self,
        device_id: &str,
        patch: &Value,
        if_match: &IfMatch,
    ) -> Result<String, HubError> {
        for _ in 0..TRIES {
            let twin = self.twin(device_id)?;
            if !if_match.admits(Some(&twin.etag)) {
                break;
            }
            let desired = desired_of(&twin, patch).map_err(HubError::ArgumentInvalid)?;
            let change = TwinPatch { tags: None, desired: Some(desired) };
            match self.update_twin(device_id, change, &IfMatch::ETag(twin.etag)) {
                Ok(changed) => return Ok(changed.etag),
                Err(HubError::PreconditionFailed(_)) => {}
                Err(refused) => return Err(refused),
            }
        }
        Err(HubError::PreconditionFailed(device_id.to_owned()))
    }
}
