//! Values to bytes and back.

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    #[error("the bytes end within a value")]
    Short,
    #[error("there is no type 0x{0:02x}")]
    Type(u8),
    #[error("{0} has a value of another type")]
    Kind(&'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("text is not UTF-8")]
    Text,
    #[error("values are nested too deeply")]
    Depth,
    #[error("a count or size is larger than the bytes that are there")]
    Count,
    #[error("a map has a key without a value")]
    Odd,
    #[error("unknown descriptor {0}")]
    Descriptor(String),
}
