//! Values to bytes and back: part 1 of the standard.

mod array;
mod compound;
mod error;
mod format;
mod list;
mod names;
mod read;
mod write;

use bytes::{Bytes, BytesMut};

pub use error::CodecError;
pub(crate) use list::List;
pub(crate) use read::{Fields, Reader};
pub(crate) use write::{binary, map, map_of_symbols, timestamp, value};

use crate::value::Value;

/// A value as bytes.
pub fn encode_value(what: &Value) -> Bytes {
    let mut out = BytesMut::new();
    value(&mut out, what);
    out.freeze()
}

/// The one value that the bytes are. Binary values in it share their memory.
pub fn decode_value(bytes: &Bytes) -> Result<Value, CodecError> {
    let mut reader = Reader::new(bytes);
    let read = reader.value()?;
    if reader.is_empty() { Ok(read) } else { Err(CodecError::Count) }
}
