//! A message: its sections, as the sender's application wrote them.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

use bytes::{BufMut, Bytes, BytesMut};

use crate::codec::{self, CodecError, List, Reader};
use crate::value::{Map, Value};

/// A message with all of its sections. Sections that are empty are not sent.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Message {
    pub header: Option<Header>,
    pub delivery_annotations: Map,
    pub message_annotations: Map,
    pub properties: Properties,
    pub application_properties: Map,
    pub body: Body,
    pub footer: Map,
}

/// How a message wants to be carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    pub durable: bool,
    pub priority: u8,
    /// Milliseconds.
    pub ttl: Option<u32>,
    pub first_acquirer: bool,
    pub delivery_count: u32,
}

impl Default for Header {
    fn default() -> Self {
        Self { durable: false, priority: 4, ttl: None, first_acquirer: false, delivery_count: 0 }
    }
}

/// The properties that the standard gives names to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Properties {
    /// A ulong, a UUID, binary or a string.
    pub message_id: Option<Value>,
    pub user_id: Option<Bytes>,
    pub to: Option<String>,
    pub subject: Option<String>,
    pub reply_to: Option<String>,
    /// Of the types of a message ID.
    pub correlation_id: Option<Value>,
    pub content_type: Option<String>,
    pub content_encoding: Option<String>,
    /// Milliseconds since 1970.
    pub absolute_expiry_time: Option<i64>,
    /// Milliseconds since 1970.
    pub creation_time: Option<i64>,
    pub group_id: Option<String>,
    pub group_sequence: Option<u32>,
    pub reply_to_group_id: Option<String>,
}

/// What a message carries.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Body {
    #[default]
    Empty,
    /// Bytes, in one section or several.
    Data(Vec<Bytes>),
    Value(Value),
    Sequence(Vec<Vec<Value>>),
}

impl Body {
    /// One section of bytes.
    pub fn data(bytes: impl Into<Bytes>) -> Self {
        Self::Data(vec![bytes.into()])
    }

    /// The bytes of all data sections as one; of a value that is binary or text, those.
    pub fn to_bytes(&self) -> Option<Bytes> {
        match self {
            Self::Data(sections) if sections.len() == 1 => sections.first().cloned(),
            Self::Data(sections) => Some(sections.concat().into()),
            Self::Value(Value::Binary(bytes)) => Some(bytes.clone()),
            Self::Value(Value::String(text)) => Some(Bytes::copy_from_slice(text.as_bytes())),
            Self::Empty | Self::Value(_) | Self::Sequence(_) => None,
        }
    }
}

const HEADER: u8 = 0x70;
const DELIVERY_ANNOTATIONS: u8 = 0x71;
const MESSAGE_ANNOTATIONS: u8 = 0x72;
const PROPERTIES: u8 = 0x73;
const APPLICATION_PROPERTIES: u8 = 0x74;
const DATA: u8 = 0x75;
const SEQUENCE: u8 = 0x76;
const VALUE: u8 = 0x77;
const FOOTER: u8 = 0x78;

impl Message {
    /// The message as bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        self.write(&mut out);
        out.freeze()
    }

    /// The message behind what stands in `out`.
    pub fn write(&self, out: &mut BytesMut) {
        if let Some(header) = self.header {
            header.write(out);
        }
        write_map(out, DELIVERY_ANNOTATIONS, &self.delivery_annotations, codec::map_of_symbols);
        write_map(out, MESSAGE_ANNOTATIONS, &self.message_annotations, codec::map_of_symbols);
        if self.properties != Properties::default() {
            self.properties.write(out);
        }
        write_map(out, APPLICATION_PROPERTIES, &self.application_properties, codec::map);
        match &self.body {
            Body::Empty => {}
            Body::Data(sections) => {
                for bytes in sections {
                    section(out, DATA);
                    codec::binary(out, bytes);
                }
            }
            Body::Value(value) => {
                section(out, VALUE);
                codec::value(out, value);
            }
            Body::Sequence(sections) => {
                for values in sections {
                    let mut list = List::begin(out, SEQUENCE);
                    for value in values {
                        list.value(Some(value));
                    }
                    list.finish();
                }
            }
        }
        write_map(out, FOOTER, &self.footer, codec::map_of_symbols);
    }

    /// A message from its bytes, of which binary values and data sections remain parts.
    pub fn decode(bytes: &Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let mut message = Self::default();
        while !reader.is_empty() {
            let code = reader.descriptor()?;
            message.section(u8::try_from(code).map_err(|_| CodecError::Descriptor(code))?, &mut reader)?;
        }
        Ok(message)
    }

    fn section(&mut self, code: u8, reader: &mut Reader<'_>) -> Result<(), CodecError> {
        match code {
            HEADER => self.header = Some(Header::read(reader)?),
            DELIVERY_ANNOTATIONS => self.delivery_annotations = read_map(reader)?,
            MESSAGE_ANNOTATIONS => self.message_annotations = read_map(reader)?,
            PROPERTIES => self.properties = Properties::read(reader)?,
            APPLICATION_PROPERTIES => self.application_properties = read_map(reader)?,
            FOOTER => self.footer = read_map(reader)?,
            VALUE => self.body = Body::Value(reader.value()?),
            DATA => {
                let Value::Binary(bytes) = reader.value()? else { return Err(CodecError::Kind("binary")) };
                match &mut self.body {
                    Body::Data(sections) if sections.len() >= MAX_SECTIONS => return Err(CodecError::Many),
                    Body::Data(sections) => sections.push(bytes),
                    body => *body = Body::Data(vec![bytes]),
                }
            }
            SEQUENCE => {
                let Value::List(values) = reader.value()? else { return Err(CodecError::Kind("a list")) };
                match &mut self.body {
                    Body::Sequence(sections) if sections.len() >= MAX_SECTIONS => {
                        return Err(CodecError::Many);
                    }
                    Body::Sequence(sections) => sections.push(values),
                    body => *body = Body::Sequence(vec![values]),
                }
            }
            other => return Err(CodecError::Descriptor(other.into())),
        }
        Ok(())
    }
}

/// Sections of a body, which may be empty and so take three bytes.
const MAX_SECTIONS: usize = 65_536;

fn section(out: &mut BytesMut, code: u8) {
    out.put_slice(&[0x00, 0x53, code]);
}

fn write_map(out: &mut BytesMut, code: u8, map: &Map, write: fn(&mut BytesMut, &Map)) {
    if !map.is_empty() {
        section(out, code);
        write(out, map);
    }
}

fn read_map(reader: &mut Reader<'_>) -> Result<Map, CodecError> {
    match reader.value()? {
        Value::Map(pairs) => Ok(pairs),
        Value::Null => Ok(Map::new()),
        _ => Err(CodecError::Kind("a map")),
    }
}

impl Header {
    fn write(self, out: &mut BytesMut) {
        let mut list = List::begin(out, HEADER);
        list.bool(self.durable);
        list.ubyte(self.priority);
        list.uint(self.ttl);
        list.bool(self.first_acquirer);
        list.uint(self.delivery_count);
        list.finish();
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut fields = reader.list()?;
        let header = Self {
            durable: fields.bool()?.unwrap_or_default(),
            priority: fields.ubyte()?.unwrap_or(4),
            ttl: fields.uint()?,
            first_acquirer: fields.bool()?.unwrap_or_default(),
            delivery_count: fields.uint()?.unwrap_or_default(),
        };
        fields.finish();
        Ok(header)
    }
}

impl Properties {
    fn write(&self, out: &mut BytesMut) {
        let mut list = List::begin(out, PROPERTIES);
        list.value(self.message_id.as_ref());
        list.binary(self.user_id.as_deref());
        list.string(self.to.as_deref());
        list.string(self.subject.as_deref());
        list.string(self.reply_to.as_deref());
        list.value(self.correlation_id.as_ref());
        list.symbol(self.content_type.as_deref());
        list.symbol(self.content_encoding.as_deref());
        list.field(self.absolute_expiry_time, codec::timestamp);
        list.field(self.creation_time, codec::timestamp);
        list.string(self.group_id.as_deref());
        list.uint(self.group_sequence);
        list.string(self.reply_to_group_id.as_deref());
        list.finish();
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CodecError> {
        let mut fields = reader.list()?;
        let properties = Self {
            message_id: fields.value()?,
            user_id: fields.binary()?,
            to: fields.text()?,
            subject: fields.text()?,
            reply_to: fields.text()?,
            correlation_id: fields.value()?,
            content_type: fields.text()?,
            content_encoding: fields.text()?,
            absolute_expiry_time: fields.timestamp()?,
            creation_time: fields.timestamp()?,
            group_id: fields.text()?,
            group_sequence: fields.uint()?,
            reply_to_group_id: fields.text()?,
        };
        fields.finish();
        Ok(properties)
    }
}
