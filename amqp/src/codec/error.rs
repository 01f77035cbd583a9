//! Why bytes are not what they should be.

/// Why bytes are not what they should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Bytes are missing.
    #[error("the bytes end within a value")]
    Short,
    /// No type has this code.
    #[error("there is no type 0x{0:02x}")]
    Type(u8),
    /// Another type than this should stand there.
    #[error("{0} should stand where another type does")]
    Kind(&'static str),
    /// A field without which nothing can be done.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// Text is not text.
    #[error("text is not UTF-8")]
    Text,
    /// Lists in lists in lists.
    #[error("values are nested too deeply")]
    Depth,
    /// There are not so many bytes.
    #[error("a count or size does not fit the bytes that are there")]
    Count,
    /// Too many values in one frame or message.
    #[error("there are too many values")]
    Many,
    /// A map with an odd number of values.
    #[error("a map has a key without a value")]
    Odd,
    /// Something else is described.
    #[error("unknown descriptor 0x{0:x}")]
    Descriptor(u64),
    /// Something else is described, by name.
    #[error("a descriptor is not known")]
    DescriptorName,
}
