//! A value of AMQP: one variant for each type of the standard's part 1.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

use bytes::Bytes;

/// Pairs in the order in which they stand on the wire.
pub type Map = Vec<(Value, Value)>;

/// A value of any type.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Ubyte(u8),
    Ushort(u16),
    Uint(u32),
    Ulong(u64),
    Byte(i8),
    Short(i16),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
    /// Carried, never computed with.
    Decimal32([u8; 4]),
    /// Carried, never computed with.
    Decimal64([u8; 8]),
    /// Carried, never computed with.
    Decimal128([u8; 16]),
    /// A code point, which the standard does not promise to be one of Unicode's scalars.
    Char(u32),
    /// Milliseconds since 1970.
    Timestamp(i64),
    Uuid([u8; 16]),
    Binary(Bytes),
    String(String),
    Symbol(String),
    List(Vec<Value>),
    Map(Map),
    /// Values of one type.
    Array(Vec<Value>),
    Described(Box<Described>),
}

/// A value with a descriptor, which says what the value means.
#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    /// A symbol or a ulong.
    pub descriptor: Value,
    pub value: Value,
}

impl Value {
    /// A symbol.
    pub fn symbol(text: impl Into<String>) -> Self {
        Self::Symbol(text.into())
    }

    /// A value with its descriptor.
    pub fn described(descriptor: Value, value: Value) -> Self {
        Self::Described(Box::new(Described { descriptor, value }))
    }

    /// The text of a string or a symbol.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Symbol(text) => Some(text),
            _ => None,
        }
    }

    /// An integer of any width, or a timestamp.
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Ubyte(number) => Some(number.into()),
            Self::Ushort(number) => Some(number.into()),
            Self::Uint(number) => Some(number.into()),
            Self::Ulong(number) => number.try_into().ok(),
            Self::Byte(number) => Some(number.into()),
            Self::Short(number) => Some(number.into()),
            Self::Int(number) => Some(number.into()),
            Self::Long(number) | Self::Timestamp(number) => Some(number),
            _ => None,
        }
    }

    /// An integer of any width that is not negative.
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::Ulong(number) => Some(number),
            _ => self.as_i64()?.try_into().ok(),
        }
    }

    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(yes) = self { Some(*yes) } else { None }
    }

    pub fn as_bytes(&self) -> Option<&Bytes> {
        if let Self::Binary(bytes) = self { Some(bytes) } else { None }
    }

    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(pairs) = self { Some(pairs) } else { None }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

/// What a string or symbol of this text leads to.
pub fn get<'a>(map: &'a Map, key: &str) -> Option<&'a Value> {
    map.iter().find(|(name, _)| name.as_str() == Some(key)).map(|(_, value)| value)
}

macro_rules! from {
    ($($type:ty => $variant:ident),* $(,)?) => {$(
        impl From<$type> for Value {
            fn from(value: $type) -> Self {
                Self::$variant(value)
            }
        }
    )*};
}

from!(
    bool => Bool, u8 => Ubyte, u16 => Ushort, u32 => Uint, u64 => Ulong, i8 => Byte, i16 => Short, i32 => Int, i64 => Long,
    f32 => Float, f64 => Double, Bytes => Binary, String => String, Map => Map,
);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
