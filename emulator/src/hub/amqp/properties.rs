//! Properties of AMQP messages as text, which is all that a hub passes on to its devices.

use tracker_amqp::Value;

/// A simple value as text; `None` for lists, maps and the like, which no device could be given.
pub(super) fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) | Value::Symbol(text) => text.clone(),
        Value::Bool(value) => value.to_string(),
        Value::Ubyte(value) => value.to_string(),
        Value::Ushort(value) => value.to_string(),
        Value::Uint(value) | Value::Char(value) => value.to_string(),
        Value::Ulong(value) => value.to_string(),
        Value::Byte(value) => value.to_string(),
        Value::Short(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Long(value) | Value::Timestamp(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Uuid(bytes) => uuid(bytes),
        Value::Binary(bytes) => String::from_utf8(bytes.to_vec()).ok()?,
        _ => return None,
    })
}

/// As people write them, in lower case: Node's SDK makes AMQP UUIDs of strings that look so.
fn uuid(bytes: &[u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_is_the_text_it_was_made_of() {
        let bytes = std::array::from_fn(|place| place as u8 * 0x11);
        assert_eq!(text(&Value::Uuid(bytes)).as_deref(), Some("00112233-4455-6677-8899-aabbccddeeff"));
        assert_eq!(text(&Value::Bool(true)).as_deref(), Some("true"));
        assert_eq!(text(&Value::Null), None);
    }
}
