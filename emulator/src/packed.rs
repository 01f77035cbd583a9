//! JSON that is seldom looked at, in one piece: as a tree, each object of it takes 600 bytes, however little is in it.

use std::fmt;

use bytes::BufMut;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Number, Value};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
/// A number of zero and more.
const WHOLE: u8 = 3;
/// What is below zero, as what lies between it and -1.
const BELOW: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const LIST: u8 = 7;
const OBJECT: u8 = 8;

/// An object of JSON. An empty one takes no memory of its own.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct PackedObject(Box<[u8]>);

impl PackedObject {
    /// The object as a tree.
    pub(crate) fn get(&self) -> Map<String, Value> {
        if self.is_empty() {
            return Map::new();
        }
        // What was written here can be read.
        take_object(&mut &*self.0).unwrap_or_default()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&Map<String, Value>> for PackedObject {
    fn from(object: &Map<String, Value>) -> Self {
        if object.is_empty() {
            return Self::default();
        }
        let mut out = Vec::new();
        put_object(object, &mut out);
        Self(out.into_boxed_slice())
    }
}

impl From<Map<String, Value>> for PackedObject {
    fn from(object: Map<String, Value>) -> Self {
        Self::from(&object)
    }
}

impl fmt::Debug for PackedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl Serialize for PackedObject {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(out)
    }
}

impl<'de> Deserialize<'de> for PackedObject {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        Map::deserialize(input).map(Self::from)
    }
}

fn put_object(object: &Map<String, Value>, out: &mut Vec<u8>) {
    put_number(object.len() as u64, out);
    for (key, value) in object {
        put_text(key, out);
        put_value(value, out);
    }
}

fn put_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(NULL),
        Value::Bool(is_so) => out.push(if *is_so { TRUE } else { FALSE }),
        Value::Number(number) => put_json_number(number, out),
        Value::String(text) => {
            out.push(TEXT);
            put_text(text, out);
        }
        Value::Array(list) => {
            out.push(LIST);
            put_number(list.len() as u64, out);
            for value in list {
                put_value(value, out);
            }
        }
        Value::Object(object) => {
            out.push(OBJECT);
            put_object(object, out);
        }
    }
}

fn put_json_number(number: &Number, out: &mut Vec<u8>) {
    if let Some(whole) = number.as_u64() {
        out.push(WHOLE);
        put_number(whole, out);
    } else if let Some(below) = number.as_i64() {
        out.push(BELOW);
        put_number(!below as u64, out);
    } else {
        out.push(FLOAT);
        out.extend(number.as_f64().unwrap_or_default().to_le_bytes());
    }
}

/// A text, its length before it.
pub(crate) fn put_text(text: &str, out: &mut impl BufMut) {
    put_number(text.len() as u64, out);
    out.put_slice(text.as_bytes());
}

/// Seven bits a byte, the lowest first.
pub(crate) fn put_number(mut number: u64, out: &mut impl BufMut) {
    while number > 0x7f {
        out.put_u8(number as u8 | 0x80);
        number >>= 7;
    }
    out.put_u8(number as u8);
}

fn take_object(from: &mut &[u8]) -> Option<Map<String, Value>> {
    let count = take_number(from)?;
    (0..count).map(|_| Some((take_text(from)?.to_owned(), take_value(from)?))).collect()
}

fn take_value(from: &mut &[u8]) -> Option<Value> {
    Some(match *from.split_off_first()? {
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        WHOLE => take_number(from)?.into(),
        BELOW => (!(take_number(from)? as i64)).into(),
        FLOAT => {
            let (bytes, rest) = from.split_first_chunk()?;
            *from = rest;
            Number::from_f64(f64::from_le_bytes(*bytes)).map_or(Value::Null, Value::Number)
        }
        TEXT => Value::String(take_text(from)?.to_owned()),
        LIST => {
            let count = take_number(from)?;
            Value::Array((0..count).map(|_| take_value(from)).collect::<Option<_>>()?)
        }
        OBJECT => Value::Object(take_object(from)?),
        _ => Value::Null,
    })
}

/// What [`put_text`] has written.
pub(crate) fn take_text<'a>(from: &mut &'a [u8]) -> Option<&'a str> {
    let length = usize::try_from(take_number(from)?).ok()?;
    let text = from.split_off(..length)?;
    std::str::from_utf8(text).ok()
}

/// What [`put_number`] has written.
pub(crate) fn take_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = *from.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_packed_comes_out_as_it_was() {
        let value = json!({
            "": null, "a": [true, false, [], {}], "b": {"c": {"d": "\u{0}ü€😀", "e": ""}},
            "n": [0, 127, 128, u64::MAX, -1, -128, i64::MIN, 0.1, -1e300, 5e-324, 1.0, -0.0],
            "long": "x".repeat(20_000),
        });
        let Value::Object(object) = &value else { panic!("an object") };
        let packed = PackedObject::from(object);
        assert_eq!(packed.get(), *object);
        let text = serde_json::to_string(&packed).expect("it is written");
        assert_eq!(text, value.to_string(), "floats to the last digit");
        let read: PackedObject = serde_json::from_str(r#"{"a":{"b":0.5}}"#).expect("it is read");
        assert_eq!(Value::Object(read.get()), json!({"a": {"b": 0.5}}));
        let empty = PackedObject::from(Map::new());
        assert!(empty.is_empty() && empty.get().is_empty() && size_of_val(&*empty.0) == 0);
    }
}
