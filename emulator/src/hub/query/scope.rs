//! Whom a configuration, or a job, is meant for.

use serde_json::Value;

use super::{
    super::expression::{Expression, holds},
    evaluate::Shown,
    parser::{self, Collection},
};

/// A condition over a collection of twins: `*`, a condition alone, or `FROM devices.modules WHERE …`.
#[derive(Debug)]
pub(in crate::hub) struct Scope {
    pub collection: Collection,
    condition: Option<Expression>,
}

impl Scope {
    /// A scope from its text, which is bounded and not empty.
    pub(in crate::hub) fn parse(text: &str) -> Result<Self, String> {
        let (collection, condition) = parser::parse_scope(text)?;
        Ok(Self { collection, condition })
    }

    /// Whether a twin, as the service shows it, belongs to it.
    pub(in crate::hub) fn has(&self, twin: &Value) -> bool {
        self.condition.as_ref().is_none_or(|condition| holds(condition, &Shown(twin)))
    }
}
