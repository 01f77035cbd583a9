//! What a call of a direct method may be.

use super::HubError;

/// The largest payload of a call and of an answer.
pub(super) const PAYLOAD_LIMIT: usize = 128 * 1024;

/// Checks the name of a method and its payload as it is written.
pub(super) fn check_call(name: &str, payload: &str) -> Result<(), HubError> {
    if name.is_empty() || name.len() > 1024 || name.contains(['/', '+', '#', '\0']) {
        let shown: String = name.chars().take(140).collect();
        return Err(HubError::ArgumentInvalid(format!("\"{shown}\" cannot be the name of a method")));
    }
    if payload.len() > PAYLOAD_LIMIT {
        return Err(HubError::MessageTooLarge { size: payload.len(), limit: PAYLOAD_LIMIT });
    }
    Ok(())
}
