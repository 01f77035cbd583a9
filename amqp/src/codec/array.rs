//! Arrays to bytes: one code for all elements.

use bytes::{BufMut, BytesMut};

use super::compound::Compound;
use super::format::{
    ARRAY_8, ARRAY_32, BINARY_8, BINARY_32, BOOL, BYTE, CHAR, DECIMAL_32, DECIMAL_64, DECIMAL_128, DESCRIBED,
    DOUBLE, FLOAT, INT, LIST_8, LIST_32, LONG, MAP_32, NULL, SHORT, STRING_8, STRING_32, SYMBOL_8, SYMBOL_32,
    TIMESTAMP, UBYTE, UINT, ULONG, USHORT, UUID,
};
use crate::value::Value;

/// What writes a value of any type: handed in, as that may be an array again.
type Write = fn(&mut BytesMut, &Value);

/// An array; values of several types, of which the standard makes none, become a list.
pub(super) fn write(out: &mut BytesMut, values: &[Value], write: Write) {
    let begun = Compound::begin(out);
    if elements(out, values, 0, write) {
        return begun.finish(out, ARRAY_8, ARRAY_32, values.len());
    }
    // Nothing of it was written.
    for each in values {
        write(out, each);
    }
    begun.finish(out, LIST_8, LIST_32, values.len());
}

/// Symbols as an array.
pub(super) fn symbols(out: &mut BytesMut, texts: &[String]) {
    let begun = Compound::begin(out);
    let long = texts.iter().any(|text| text.len() > 255);
    out.put_u8(if long { SYMBOL_32 } else { SYMBOL_8 });
    for text in texts {
        sized(out, long, text.as_bytes());
    }
    begun.finish(out, ARRAY_8, ARRAY_32, texts.len());
}

/// The code of all elements and their bytes; false, and nothing written, if they are not of one type.
fn elements(out: &mut BytesMut, values: &[Value], depth: usize, write: Write) -> bool {
    let Some(code) = code(values) else { return false };
    if code == DESCRIBED {
        return described(out, values, depth, write);
    }
    out.put_u8(code);
    for each in values {
        element(out, code, each, write);
    }
    true
}

fn described(out: &mut BytesMut, values: &[Value], depth: usize, write: Write) -> bool {
    let Some(Value::Described(first)) = values.first() else { return false };
    let mut inner = Vec::with_capacity(values.len());
    for each in values {
        let Value::Described(each) = each else { return false };
        if each.descriptor != first.descriptor {
            return false;
        }
        inner.push(each.value.clone());
    }
    let at = out.len();
    out.put_u8(DESCRIBED);
    write(out, &first.descriptor);
    let written = depth < 4 && elements(out, &inner, depth + 1, write);
    if !written {
        out.truncate(at);
    }
    written
}

/// The code that fits all of them.
fn code(values: &[Value]) -> Option<u8> {
    let Some(first) = values.first() else { return Some(NULL) };
    let kind = std::mem::discriminant(first);
    if values.iter().any(|each| std::mem::discriminant(each) != kind) {
        return None;
    }
    let long = values.iter().any(|each| match each {
        Value::Binary(bytes) => bytes.len() > 255,
        Value::String(text) | Value::Symbol(text) => text.len() > 255,
        _ => false,
    });
    Some(match first {
        Value::Null => NULL,
        Value::Bool(_) => BOOL,
        Value::Ubyte(_) => UBYTE,
        Value::Ushort(_) => USHORT,
        Value::Uint(_) => UINT,
        Value::Ulong(_) => ULONG,
        Value::Byte(_) => BYTE,
        Value::Short(_) => SHORT,
        Value::Int(_) => INT,
        Value::Long(_) => LONG,
        Value::Float(_) => FLOAT,
        Value::Double(_) => DOUBLE,
        Value::Decimal32(_) => DECIMAL_32,
        Value::Decimal64(_) => DECIMAL_64,
        Value::Decimal128(_) => DECIMAL_128,
        Value::Char(_) => CHAR,
        Value::Timestamp(_) => TIMESTAMP,
        Value::Uuid(_) => UUID,
        Value::Binary(_) => {
            if long {
                BINARY_32
            } else {
                BINARY_8
            }
        }
        Value::String(_) => {
            if long {
                STRING_32
            } else {
                STRING_8
            }
        }
        Value::Symbol(_) => {
            if long {
                SYMBOL_32
            } else {
                SYMBOL_8
            }
        }
        Value::List(_) => LIST_32,
        Value::Map(_) => MAP_32,
        Value::Array(_) => ARRAY_32,
        Value::Described(_) => DESCRIBED,
    })
}

/// An element without its code.
fn element(out: &mut BytesMut, code: u8, value: &Value, write: Write) {
    match value {
        Value::Null | Value::Described(_) => {}
        Value::Bool(yes) => out.put_u8(u8::from(*yes)),
        Value::Ubyte(number) => out.put_u8(*number),
        Value::Ushort(number) => out.put_u16(*number),
        Value::Uint(number) | Value::Char(number) => out.put_u32(*number),
        Value::Ulong(number) => out.put_u64(*number),
        Value::Byte(number) => out.put_i8(*number),
        Value::Short(number) => out.put_i16(*number),
        Value::Int(number) => out.put_i32(*number),
        Value::Long(number) | Value::Timestamp(number) => out.put_i64(*number),
        Value::Float(number) => out.put_f32(*number),
        Value::Double(number) => out.put_f64(*number),
        Value::Decimal32(bytes) => out.put_slice(bytes),
        Value::Decimal64(bytes) => out.put_slice(bytes),
        Value::Decimal128(bytes) | Value::Uuid(bytes) => out.put_slice(bytes),
        Value::Binary(bytes) => sized(out, code == BINARY_32, bytes),
        Value::String(text) => sized(out, code == STRING_32, text.as_bytes()),
        Value::Symbol(text) => sized(out, code == SYMBOL_32, text.as_bytes()),
        Value::List(values) => long(out, values.len(), |out| values.iter().for_each(|each| write(out, each))),
        Value::Map(pairs) => long(out, pairs.len() * 2, |out| {
            for (key, content) in pairs {
                write(out, key);
                write(out, content);
            }
        }),
        Value::Array(values) => long(out, values.len(), |out| {
            if !elements(out, values, 0, write) {
                // An array of several types within an array can't be said otherwise than empty.
                out.put_u8(NULL);
            }
        }),
    }
}

fn sized(out: &mut BytesMut, long: bool, bytes: &[u8]) {
    if long {
        out.put_u32(bytes.len() as u32);
    } else {
        out.put_u8(bytes.len() as u8);
    }
    out.put_slice(bytes);
}

/// Size, count and body in the long form, without a code.
fn long(out: &mut BytesMut, count: usize, body: impl FnOnce(&mut BytesMut)) {
    let at = out.len();
    out.put_u32(0);
    out.put_u32(count as u32);
    body(out);
    let size = (out.len() - at - 4) as u32;
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}
