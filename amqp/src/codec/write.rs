//! Values to bytes, in the shortest form that every client reads.

use bytes::{BufMut, BytesMut};

use super::array;
use super::compound::Compound;
use super::format::{
    BINARY_8, BINARY_32, BYTE, CHAR, DECIMAL_32, DECIMAL_64, DECIMAL_128, DESCRIBED, DOUBLE, FALSE, FLOAT,
    INT, INT_8, LIST_0, LIST_8, LIST_32, LONG, LONG_8, MAP_8, MAP_32, NULL, SHORT, STRING_8, STRING_32,
    SYMBOL_8, SYMBOL_32, TIMESTAMP, TRUE, UBYTE, UINT, UINT_0, UINT_8, ULONG, ULONG_0, ULONG_8, USHORT, UUID,
};
use crate::value::{Map, Value};

/// Any value.
pub(crate) fn value(out: &mut BytesMut, what: &Value) {
    match what {
        Value::Null => null(out),
        Value::Bool(yes) => bool(out, *yes),
        Value::Ubyte(number) => out.put_slice(&[UBYTE, *number]),
        Value::Byte(number) => out.put_slice(&[BYTE, *number as u8]),
        Value::Ushort(number) => fixed(out, USHORT, &number.to_be_bytes()),
        Value::Short(number) => fixed(out, SHORT, &number.to_be_bytes()),
        Value::Uint(number) => uint(out, *number),
        Value::Ulong(number) => ulong(out, *number),
        Value::Int(number) => match i8::try_from(*number) {
            Ok(small) => out.put_slice(&[INT_8, small as u8]),
            Err(_) => fixed(out, INT, &number.to_be_bytes()),
        },
        Value::Long(number) => match i8::try_from(*number) {
            Ok(small) => out.put_slice(&[LONG_8, small as u8]),
            Err(_) => fixed(out, LONG, &number.to_be_bytes()),
        },
        Value::Float(number) => fixed(out, FLOAT, &number.to_be_bytes()),
        Value::Double(number) => fixed(out, DOUBLE, &number.to_be_bytes()),
        Value::Decimal32(bytes) => fixed(out, DECIMAL_32, bytes),
        Value::Decimal64(bytes) => fixed(out, DECIMAL_64, bytes),
        Value::Decimal128(bytes) => fixed(out, DECIMAL_128, bytes),
        Value::Char(code) => fixed(out, CHAR, &code.to_be_bytes()),
        Value::Timestamp(time) => timestamp(out, *time),
        Value::Uuid(bytes) => fixed(out, UUID, bytes),
        Value::Binary(bytes) => binary(out, bytes),
        Value::String(text) => string(out, text),
        Value::Symbol(text) => symbol(out, text),
        Value::List(values) => list(out, values),
        Value::Map(pairs) => map(out, pairs),
        Value::Array(values) => array::write(out, values, value),
        Value::Described(described) => {
            out.put_u8(DESCRIBED);
            value(out, &described.descriptor);
            value(out, &described.value);
        }
    }
}

pub(crate) fn null(out: &mut BytesMut) {
    out.put_u8(NULL);
}

pub(crate) fn bool(out: &mut BytesMut, yes: bool) {
    out.put_u8(if yes { TRUE } else { FALSE });
}

pub(crate) fn ushort(out: &mut BytesMut, number: u16) {
    fixed(out, USHORT, &number.to_be_bytes());
}

pub(crate) fn uint(out: &mut BytesMut, number: u32) {
    match u8::try_from(number) {
        Ok(0) => out.put_u8(UINT_0),
        Ok(small) => out.put_slice(&[UINT_8, small]),
        Err(_) => fixed(out, UINT, &number.to_be_bytes()),
    }
}

pub(crate) fn ulong(out: &mut BytesMut, number: u64) {
    match u8::try_from(number) {
        Ok(0) => out.put_u8(ULONG_0),
        Ok(small) => out.put_slice(&[ULONG_8, small]),
        Err(_) => fixed(out, ULONG, &number.to_be_bytes()),
    }
}

pub(crate) fn timestamp(out: &mut BytesMut, time: i64) {
    fixed(out, TIMESTAMP, &time.to_be_bytes());
}

pub(crate) fn string(out: &mut BytesMut, text: &str) {
    variable(out, STRING_8, STRING_32, text.as_bytes());
}

pub(crate) fn symbol(out: &mut BytesMut, text: &str) {
    variable(out, SYMBOL_8, SYMBOL_32, text.as_bytes());
}

pub(crate) fn binary(out: &mut BytesMut, bytes: &[u8]) {
    binary_head(out, bytes.len());
    out.put_slice(bytes);
}

/// What stands before binary of this length.
pub(crate) fn binary_head(out: &mut BytesMut, length: usize) {
    head(out, BINARY_8, BINARY_32, length);
}

pub(crate) fn map(out: &mut BytesMut, pairs: &Map) {
    let begun = Compound::begin(out);
    for (key, content) in pairs {
        value(out, key);
        value(out, content);
    }
    begun.finish(out, MAP_8, MAP_32, pairs.len() * 2);
}

/// As `map`; keys that are strings are written as symbols, as maps of annotations and properties of performatives want them.
pub(crate) fn map_of_symbols(out: &mut BytesMut, pairs: &Map) {
    let begun = Compound::begin(out);
    for (key, content) in pairs {
        match key {
            Value::String(text) => symbol(out, text),
            other => value(out, other),
        }
        value(out, content);
    }
    begun.finish(out, MAP_8, MAP_32, pairs.len() * 2);
}

fn list(out: &mut BytesMut, values: &[Value]) {
    if values.is_empty() {
        return out.put_u8(LIST_0);
    }
    let begun = Compound::begin(out);
    for each in values {
        value(out, each);
    }
    begun.finish(out, LIST_8, LIST_32, values.len());
}

fn fixed(out: &mut BytesMut, code: u8, bytes: &[u8]) {
    out.put_u8(code);
    out.put_slice(bytes);
}

fn variable(out: &mut BytesMut, short: u8, long: u8, bytes: &[u8]) {
    head(out, short, long, bytes.len());
    out.put_slice(bytes);
}

fn head(out: &mut BytesMut, short: u8, long: u8, length: usize) {
    match u8::try_from(length) {
        Ok(length) => out.put_slice(&[short, length]),
        Err(_) => {
            out.put_u8(long);
            out.put_u32(length as u32);
        }
    }
}
