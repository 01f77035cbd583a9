//! The two ends of a link: where messages come from, and where they go.

#![allow(missing_docs, reason = "the names are the standard's, and described there")]

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
