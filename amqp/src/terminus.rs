//! The two ends of a link: where messages come from, and where they go.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

use bytes::BytesMut;

use crate::codec::{CodecError, Fields, List};
use crate::delivery::Outcome;
use crate::value::Map;

/// Where messages come from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Source {
    pub address: Option<String>,
    pub durable: u32,
    pub expiry_policy: Option<String>,
    pub timeout: u32,
    pub dynamic: bool,
    pub dynamic_node_properties: Map,
    pub distribution_mode: Option<String>,
    pub filter: Map,
    pub default_outcome: Option<Outcome>,
    pub outcomes: Vec<String>,
    pub capabilities: Vec<String>,
}

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Target {
    pub address: Option<String>,
    pub durable: u32,
    pub expiry_policy: Option<String>,
    pub timeout: u32,
    pub dynamic: bool,
    pub dynamic_node_properties: Map,
    pub capabilities: Vec<String>,
}

impl Source {
    pub fn at(address: impl Into<String>) -> Self {
        Self { address: Some(address.into()), ..Self::default() }
    }
}

impl Target {
    pub fn at(address: impl Into<String>) -> Self {
        Self { address: Some(address.into()), ..Self::default() }
    }
}

const SOURCE: u8 = 0x28;
const TARGET: u8 = 0x29;
/// A target that takes transactions.
const COORDINATOR: u64 = 0x30;

/// What was asked of a number that is mostly not said.
fn unless_zero(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}

impl Source {
    pub(crate) fn write(out: &mut BytesMut, source: &Self) {
        let mut list = List::begin(out, SOURCE);
        list.string(source.address.as_deref());
        list.uint(unless_zero(source.durable));
        list.symbol(source.expiry_policy.as_deref());
        list.uint(unless_zero(source.timeout));
        list.bool(source.dynamic.then_some(true));
        list.map(&source.dynamic_node_properties);
        list.symbol(source.distribution_mode.as_deref());
        list.map(&source.filter);
        list.field(source.default_outcome.as_ref(), Outcome::write);
        list.symbols(&source.outcomes);
        list.symbols(&source.capabilities);
        list.finish();
    }

    pub(crate) fn field(fields: &mut Fields<'_, '_>) -> Result<Option<Self>, CodecError> {
        fields.described(|descriptor, reader| {
            if descriptor != u64::from(SOURCE) {
                return Err(CodecError::Descriptor(descriptor));
            }
            let mut fields = reader.list()?;
            let source = Self {
                address: fields.text()?,
                durable: fields.uint()?.unwrap_or_default(),
                expiry_policy: fields.text()?,
                timeout: fields.uint()?.unwrap_or_default(),
                dynamic: fields.bool()?.unwrap_or_default(),
                dynamic_node_properties: fields.map()?,
                distribution_mode: fields.text()?,
                filter: fields.map()?,
                default_outcome: Outcome::field(&mut fields)?,
                outcomes: fields.symbols()?,
                capabilities: fields.symbols()?,
            };
            fields.finish();
            Ok(source)
        })
    }
}

impl Target {
    pub(crate) fn write(out: &mut BytesMut, target: &Self) {
        let mut list = List::begin(out, TARGET);
        list.string(target.address.as_deref());
        list.uint(unless_zero(target.durable));
        list.symbol(target.expiry_policy.as_deref());
        list.uint(unless_zero(target.timeout));
        list.bool(target.dynamic.then_some(true));
        list.map(&target.dynamic_node_properties);
        list.symbols(&target.capabilities);
        list.finish();
    }

    /// A target; none and true if the peer wants to speak with the coordinator of transactions.
    pub(crate) fn field(fields: &mut Fields<'_, '_>) -> Result<(Option<Self>, bool), CodecError> {
        let read = fields.described(|descriptor, reader| {
            if descriptor == COORDINATOR {
                reader.value()?;
                return Ok(None);
            }
            if descriptor != u64::from(TARGET) {
                return Err(CodecError::Descriptor(descriptor));
            }
            let mut fields = reader.list()?;
            let target = Self {
                address: fields.text()?,
                durable: fields.uint()?.unwrap_or_default(),
                expiry_policy: fields.text()?,
                timeout: fields.uint()?.unwrap_or_default(),
                dynamic: fields.bool()?.unwrap_or_default(),
                dynamic_node_properties: fields.map()?,
                capabilities: fields.symbols()?,
            };
            fields.finish();
            Ok(Some(target))
        })?;
        let coordinator = read == Some(None);
        Ok((read.flatten(), coordinator))
    }
}
