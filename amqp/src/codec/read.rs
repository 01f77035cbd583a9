//! Bytes to values. Every count is held against the bytes that are there before memory is taken for it.

use bytes::Bytes;

use super::error::CodecError;
use super::format::{
    ARRAY_8, ARRAY_32, BINARY_8, BINARY_32, BOOL, BYTE, CHAR, DECIMAL_32, DECIMAL_64, DECIMAL_128, DESCRIBED,
    DOUBLE, FALSE, FLOAT, INT, INT_8, LIST_0, LIST_8, LIST_32, LONG, LONG_8, MAP_8, MAP_32, MAX_DEPTH,
    MAX_VALUES, NULL, SHORT, STRING_8, STRING_32, SYMBOL_8, SYMBOL_32, TIMESTAMP, TRUE, UBYTE, UINT, UINT_0,
    UINT_8, ULONG, ULONG_0, ULONG_8, USHORT, UUID,
};
use crate::value::{Map, Value};

type Result<T> = std::result::Result<T, CodecError>;

/// Where in the bytes we are.
pub(crate) struct Reader<'a> {
    whole: &'a Bytes,
    at: usize,
    end: usize,
    depth: u8,
    values: u32,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(whole: &'a Bytes) -> Self {
        Self { whole, at: 0, end: whole.len(), depth: 0, values: 0 }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.at >= self.end
    }

    /// Where the next value begins.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// A value of any type.
    pub(crate) fn value(&mut self) -> Result<Value> {
        let code = self.u8()?;
        if code != DESCRIBED {
            return self.content(code);
        }
        self.deeper(|reader| {
            let descriptor = reader.value()?;
            Ok(Value::described(descriptor, reader.value()?))
        })
    }

    /// The number of a descriptor, be it written so or by its name.
    pub(crate) fn descriptor(&mut self) -> Result<u64> {
        if self.u8()? != DESCRIBED {
            return Err(CodecError::Kind("a described value"));
        }
        match self.value()? {
            Value::Ulong(number) => Ok(number),
            Value::Symbol(name) => super::names::number(&name).ok_or(CodecError::DescriptorName),
            _ => Err(CodecError::Kind("a descriptor")),
        }
    }

    /// The fields of a list.
    pub(crate) fn list(&mut self) -> Result<Fields<'_, 'a>> {
        let code = self.u8()?;
        let (end, left) = match code {
            LIST_0 => (self.at, 0),
            LIST_8 | LIST_32 => self.compound(code == LIST_32)?,
            _ => return Err(CodecError::Kind("a list")),
        };
        let outer = std::mem::replace(&mut self.end, end);
        Ok(Fields { reader: self, left, outer })
    }

    /// A value whose code was read.
    fn content(&mut self, code: u8) -> Result<Value> {
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(CodecError::Many);
        }
        Ok(match code {
            NULL => Value::Null,
            TRUE => Value::Bool(true),
            FALSE => Value::Bool(false),
            BOOL => Value::Bool(self.u8()? != 0),
            UINT_0 => Value::Uint(0),
            ULONG_0 => Value::Ulong(0),
            LIST_0 => Value::List(Vec::new()),
            UBYTE => Value::Ubyte(self.u8()?),
            BYTE => Value::Byte(self.u8()? as i8),
            UINT_8 => Value::Uint(self.u8()?.into()),
            ULONG_8 => Value::Ulong(self.u8()?.into()),
            INT_8 => Value::Int((self.u8()? as i8).into()),
            LONG_8 => Value::Long((self.u8()? as i8).into()),
            USHORT => Value::Ushort(u16::from_be_bytes(self.fixed()?)),
            SHORT => Value::Short(i16::from_be_bytes(self.fixed()?)),
            UINT => Value::Uint(u32::from_be_bytes(self.fixed()?)),
            INT => Value::Int(i32::from_be_bytes(self.fixed()?)),
            FLOAT => Value::Float(f32::from_be_bytes(self.fixed()?)),
            CHAR => Value::Char(u32::from_be_bytes(self.fixed()?)),
            DECIMAL_32 => Value::Decimal32(self.fixed()?),
            ULONG => Value::Ulong(u64::from_be_bytes(self.fixed()?)),
            LONG => Value::Long(i64::from_be_bytes(self.fixed()?)),
            DOUBLE => Value::Double(f64::from_be_bytes(self.fixed()?)),
            TIMESTAMP => Value::Timestamp(i64::from_be_bytes(self.fixed()?)),
            DECIMAL_64 => Value::Decimal64(self.fixed()?),
            DECIMAL_128 => Value::Decimal128(self.fixed()?),
            UUID => Value::Uuid(self.fixed()?),
            BINARY_8 | BINARY_32 => Value::Binary(self.shared(code == BINARY_32)?),
            STRING_8 | STRING_32 => Value::String(self.text(code == STRING_32)?.to_owned()),
            SYMBOL_8 | SYMBOL_32 => Value::Symbol(self.text(code == SYMBOL_32)?.to_owned()),
            LIST_8 | LIST_32 => Value::List(self.values(code == LIST_32)?),
            MAP_8 | MAP_32 => Value::Map(self.pairs(code == MAP_32)?),
            ARRAY_8 | ARRAY_32 => Value::Array(self.array(code == ARRAY_32)?),
            other => return Err(CodecError::Type(other)),
        })
    }

    fn values(&mut self, long: bool) -> Result<Vec<Value>> {
        let (end, count) = self.compound(long)?;
        self.within(end, |reader| {
            let mut values = Vec::with_capacity(count.min(64));
            for _ in 0..count {
                values.push(reader.value()?);
            }
            Ok(values)
        })
    }

    fn pairs(&mut self, long: bool) -> Result<Map> {
        let (end, count) = self.compound(long)?;
        if count % 2 != 0 {
            return Err(CodecError::Odd);
        }
        self.within(end, |reader| {
            let mut pairs = Map::with_capacity((count / 2).min(64));
            for _ in 0..count / 2 {
                let key = reader.value()?;
                pairs.push((key, reader.value()?));
            }
            Ok(pairs)
        })
    }

    fn array(&mut self, long: bool) -> Result<Vec<Value>> {
        let (end, count) = self.sizes(long)?;
        self.within(end, |reader| {
            if count == 0 {
                return Ok(Vec::new());
            }
            let mut descriptors = Vec::new();
            let mut code = reader.u8()?;
            while code == DESCRIBED {
                if descriptors.len() >= usize::from(MAX_DEPTH - reader.depth) {
                    return Err(CodecError::Depth);
                }
                descriptors.push(reader.short_descriptor()?);
                code = reader.u8()?;
            }
            // Nothing but these takes no bytes; what counts them then is the number of values.
            let takes_room = !matches!(code, NULL | TRUE | FALSE | UINT_0 | ULONG_0 | LIST_0);
            if takes_room && count > reader.end - reader.at {
                return Err(CodecError::Count);
            }
            let mut values = Vec::with_capacity(count.min(64));
            for _ in 0..count {
                let mut value = reader.content(code)?;
                for descriptor in descriptors.iter().rev() {
                    reader.values += 1;
                    value = Value::described(descriptor.clone(), value);
                }
                values.push(value);
            }
            Ok(values)
        })
    }

    /// A descriptor of all elements of an array: each of them gets one of its own, so that it must be small.
    fn short_descriptor(&mut self) -> Result<Value> {
        match self.value()? {
            number @ Value::Ulong(_) => Ok(number),
            Value::Symbol(name) if name.len() <= 255 => Ok(Value::Symbol(name)),
            _ => Err(CodecError::Kind("a descriptor")),
        }
    }

    /// Reads what stands before `end`, one level deeper, and goes on there.
    fn within<T>(&mut self, end: usize, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let outer = std::mem::replace(&mut self.end, end);
        let read = self.deeper(read)?;
        self.at = end;
        self.end = outer;
        Ok(read)
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth >= MAX_DEPTH {
            return Err(CodecError::Depth);
        }
        self.depth += 1;
        let read = read(self)?;
        self.depth -= 1;
        Ok(read)
    }

    /// Where a list or map ends, and how many values it has, each of which takes a byte at least.
    fn compound(&mut self, long: bool) -> Result<(usize, usize)> {
        let (end, count) = self.sizes(long)?;
        if count > end - self.at { Err(CodecError::Count) } else { Ok((end, count)) }
    }

    /// Where an array ends, and how many values it has.
    fn sizes(&mut self, long: bool) -> Result<(usize, usize)> {
        let size = self.length(long)?;
        let end = self.at.checked_add(size).filter(|end| *end <= self.end).ok_or(CodecError::Short)?;
        let count = self.length(long)?;
        if self.at > end { Err(CodecError::Count) } else { Ok((end, count)) }
    }

    fn length(&mut self, long: bool) -> Result<usize> {
        Ok(if long { u32::from_be_bytes(self.fixed()?) as usize } else { self.u8()?.into() })
    }

    fn text(&mut self, long: bool) -> Result<&'a str> {
        let length = self.length(long)?;
        std::str::from_utf8(self.take(length)?).map_err(|_| CodecError::Text)
    }

    fn shared(&mut self, long: bool) -> Result<Bytes> {
        let length = self.length(long)?;
        let at = self.at;
        self.take(length)?;
        Ok(self.whole.slice(at..at + length))
    }

    fn u8(&mut self) -> Result<u8> {
        if self.at >= self.end {
            return Err(CodecError::Short);
        }
        let byte = self.whole[self.at];
        self.at += 1;
        Ok(byte)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| CodecError::Short)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        if length > self.end.saturating_sub(self.at) {
            return Err(CodecError::Short);
        }
        let bytes = &self.whole[self.at..self.at + length];
        self.at += length;
        Ok(bytes)
    }
}

/// The fields of a list under way. What is not there is as if it were null.
pub(crate) struct Fields<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: usize,
    outer: usize,
}

impl<'a> Fields<'_, 'a> {
    /// Goes on behind the list, whatever of it was not read.
    pub(crate) fn finish(self) {
        self.reader.at = self.reader.end;
        self.reader.end = self.outer;
    }

    /// The code of the next field, unless that is null or not there.
    fn code(&mut self) -> Result<Option<u8>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let code = self.reader.u8()?;
        Ok((code != NULL).then_some(code))
    }

    pub(crate) fn value(&mut self) -> Result<Option<Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        let value = self.reader.value()?;
        Ok((!value.is_null()).then_some(value))
    }

    /// A field that describes something: what reads it gets the descriptor's number, and the reader before the value.
    pub(crate) fn described<T>(
        &mut self,
        read: impl FnOnce(u64, &mut Reader<'a>) -> Result<T>,
    ) -> Result<Option<T>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.reader.whole.get(self.reader.at) == Some(&NULL) && self.reader.at < self.reader.end {
            self.reader.at += 1;
            return Ok(None);
        }
        let descriptor = self.reader.descriptor()?;
        self.reader.deeper(|reader| read(descriptor, reader)).map(Some)
    }

    pub(crate) fn bool(&mut self) -> Result<Option<bool>> {
        Ok(match self.code()? {
            None => None,
            Some(TRUE) => Some(true),
            Some(FALSE) => Some(false),
            Some(BOOL) => Some(self.reader.u8()? != 0),
            Some(_) => return Err(CodecError::Kind("a boolean")),
        })
    }

    pub(crate) fn ubyte(&mut self) -> Result<Option<u8>> {
        match self.code()? {
            None => Ok(None),
            Some(UBYTE) => self.reader.u8().map(Some),
            Some(_) => Err(CodecError::Kind("a ubyte")),
        }
    }

    pub(crate) fn ushort(&mut self) -> Result<Option<u16>> {
        match self.code()? {
            None => Ok(None),
            Some(USHORT) => Ok(Some(u16::from_be_bytes(self.reader.fixed()?))),
            Some(_) => Err(CodecError::Kind("a ushort")),
        }
    }

    pub(crate) fn uint(&mut self) -> Result<Option<u32>> {
        Ok(match self.code()? {
            None => None,
            Some(UINT_0) => Some(0),
            Some(UINT_8) => Some(self.reader.u8()?.into()),
            Some(UINT) => Some(u32::from_be_bytes(self.reader.fixed()?)),
            Some(_) => return Err(CodecError::Kind("a uint")),
        })
    }

    pub(crate) fn ulong(&mut self) -> Result<Option<u64>> {
        Ok(match self.code()? {
            None => None,
            Some(ULONG_0) => Some(0),
            Some(ULONG_8) => Some(self.reader.u8()?.into()),
            Some(ULONG) => Some(u64::from_be_bytes(self.reader.fixed()?)),
            Some(_) => return Err(CodecError::Kind("a ulong")),
        })
    }

    pub(crate) fn timestamp(&mut self) -> Result<Option<i64>> {
        match self.code()? {
            None => Ok(None),
            Some(TIMESTAMP) => Ok(Some(i64::from_be_bytes(self.reader.fixed()?))),
            Some(_) => Err(CodecError::Kind("a timestamp")),
        }
    }

    /// A string or a symbol: clients mix them up.
    pub(crate) fn text(&mut self) -> Result<Option<String>> {
        match self.code()? {
            None => Ok(None),
            Some(code @ (STRING_8 | STRING_32 | SYMBOL_8 | SYMBOL_32)) => {
                let long = matches!(code, STRING_32 | SYMBOL_32);
                Ok(Some(self.reader.text(long)?.to_owned()))
            }
            Some(_) => Err(CodecError::Kind("a string or symbol")),
        }
    }

    pub(crate) fn binary(&mut self) -> Result<Option<Bytes>> {
        match self.code()? {
            None => Ok(None),
            Some(code @ (BINARY_8 | BINARY_32)) => self.reader.shared(code == BINARY_32).map(Some),
            Some(_) => Err(CodecError::Kind("binary")),
        }
    }

    /// One symbol, or an array or list of them.
    pub(crate) fn symbols(&mut self) -> Result<Vec<String>> {
        match self.value()? {
            None => Ok(Vec::new()),
            Some(Value::Symbol(text) | Value::String(text)) => Ok(vec![text]),
            Some(Value::Array(values) | Value::List(values)) => values
                .into_iter()
                .map(|value| match value {
                    Value::Symbol(text) | Value::String(text) => Ok(text),
                    _ => Err(CodecError::Kind("a symbol")),
                })
                .collect(),
            Some(_) => Err(CodecError::Kind("symbols")),
        }
    }

    /// A map; an empty one if there is none.
    pub(crate) fn map(&mut self) -> Result<Map> {
        match self.value()? {
            None => Ok(Map::new()),
            Some(Value::Map(pairs)) => Ok(pairs),
            Some(_) => Err(CodecError::Kind("a map")),
        }
    }
}
