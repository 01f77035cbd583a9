//! Frames: what stands in front of them, and where they end.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::codec::{CodecError, List, Reader};

/// The first eight bytes of a connection, and of what follows SASL.
pub(crate) const AMQP_HEADER: [u8; 8] = *b"AMQP\0\x01\0\0";
/// The first eight bytes where somebody signs in.
pub(crate) const SASL_HEADER: [u8; 8] = *b"AMQP\x03\x01\0\0";

const HEAD: usize = 8;
const AMQP: u8 = 0;
const SASL: u8 = 1;
/// What even a peer that takes the smallest frames must take.
pub(crate) const MIN_MAX_FRAME_SIZE: u32 = 512;

/// A frame without its meaning.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Frame {
    pub(crate) is_sasl: bool,
    pub(crate) channel: u16,
    pub(crate) body: Bytes,
}

/// Takes the next frame from what has come; none if it is not there in full.
pub(crate) fn take(input: &mut BytesMut, max_size: u32) -> Result<Option<Frame>, CodecError> {
    let Some(head) = input.first_chunk::<HEAD>() else { return Ok(None) };
    let [s0, s1, s2, s3, offset, kind, c0, c1] = *head;
    let size = u32::from_be_bytes([s0, s1, s2, s3]);
    let begin = usize::from(offset) * 4;
    if size > max_size || begin < HEAD || begin > size as usize || kind > SASL {
        return Err(CodecError::Count);
    }
    if input.len() < size as usize {
        return Ok(None);
    }
    let mut body = input.split_to(size as usize).freeze();
    body.advance(begin);
    Ok(Some(Frame { is_sasl: kind == SASL, channel: u16::from_be_bytes([c0, c1]), body }))
}

/// Leaves room for a frame's head; gives where it stands.
pub(crate) fn begin(out: &mut BytesMut, channel: u16) -> usize {
    let at = out.len();
    out.put_u32(0);
    out.put_slice(&[2, AMQP]);
    out.put_u16(channel);
    at
}

/// Says in the frame that begins at `at` how long it has become.
pub(crate) fn finish(out: &mut BytesMut, at: usize) {
    let size = (out.len() - at) as u32;
    out[at..at + 4].copy_from_slice(&size.to_be_bytes());
}

/// A frame that says nothing but that we are there.
pub(crate) fn empty(out: &mut BytesMut) {
    let at = begin(out, 0);
    finish(out, at);
}

const MECHANISMS: u8 = 0x40;
const INIT: u8 = 0x41;
const CHALLENGE: u8 = 0x42;
const RESPONSE: u8 = 0x43;
const OUTCOME: u8 = 0x44;

/// What is said before a connection is open.
#[derive(Clone, PartialEq)]
pub(crate) enum Sasl {
    Mechanisms(Vec<String>),
    Init { mechanism: String, response: Option<Bytes>, hostname: Option<String> },
    Challenge(Bytes),
    Response(Bytes),
    Outcome { code: u8, data: Option<Bytes> },
}

impl Sasl {
    /// The whole frame.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        let at = begin(out, 0);
        out[at + 5] = SASL;
        match self {
            Self::Mechanisms(mechanisms) => {
                let mut list = List::begin(out, MECHANISMS);
                list.symbols(mechanisms);
                list.finish();
            }
            Self::Init { mechanism, response, hostname } => {
                let mut list = List::begin(out, INIT);
                list.symbol(Some(mechanism));
                list.binary(response.as_deref());
                list.string(hostname.as_deref());
                list.finish();
            }
            Self::Challenge(bytes) => Self::bytes(out, CHALLENGE, bytes),
            Self::Response(bytes) => Self::bytes(out, RESPONSE, bytes),
            Self::Outcome { code, data } => {
                let mut list = List::begin(out, OUTCOME);
                list.ubyte(*code);
                list.binary(data.as_deref());
                list.finish();
            }
        }
        finish(out, at);
    }

    fn bytes(out: &mut BytesMut, code: u8, bytes: &[u8]) {
        let mut list = List::begin(out, code);
        list.binary(Some(bytes));
        list.finish();
    }

    pub(crate) fn read(body: &Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(body);
        let code = reader.descriptor()?;
        let mut fields = reader.list()?;
        let sasl = match u8::try_from(code).unwrap_or_default() {
            MECHANISMS => Self::Mechanisms(fields.symbols()?),
            INIT => Self::Init {
                mechanism: fields.text()?.ok_or(CodecError::Missing("sasl-init.mechanism"))?,
                response: fields.binary()?,
                hostname: fields.text()?,
            },
            CHALLENGE => Self::Challenge(fields.binary()?.unwrap_or_default()),
            RESPONSE => Self::Response(fields.binary()?.unwrap_or_default()),
            OUTCOME => Self::Outcome {
                code: fields.ubyte()?.ok_or(CodecError::Missing("sasl-outcome.code"))?,
                data: fields.binary()?,
            },
            _ => return Err(CodecError::Descriptor(code)),
        };
        fields.finish();
        Ok(sasl)
    }
}
