//! What can be a device ID.

/// Checks a device ID: 1 to 128 of letters, digits and `-.+%_#*?!(),:=@$';`. `Err` says what is wrong with it.
pub(crate) fn check_device_id(device_id: &str) -> Result<(), String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-.+%_#*?!(),:=@$';".contains(c);
    if device_id.is_empty() || device_id.len() > 128 || !device_id.chars().all(allowed) {
        return Err(format!(
            "\"{device_id}\" cannot be a device ID: 1 to 128 of letters, digits and -.+%_#*?!(),:=@$';"
        ));
    }
    Ok(())
}
