//! The query language over twins and jobs (IoT Hub developer guide, "query language for device and module twins, jobs, and
//! message routing").
//!
//! `SELECT [TOP n] * | item [AS name], … [FROM devices | devices.modules | devices.jobs [alias]] [WHERE condition]
//! [GROUP BY path, …]`, where an item is a path or an aggregate (`COUNT()`, `SUM`, `AVG`, `MIN`, `MAX` of a path).
//! Conditions: comparisons, `IN`, `NIN`, `AND`, `OR`, `NOT`, arithmetic, functions, parentheses. Keywords and system
//! properties in any case. Over jobs there is `SELECT *` alone, as at Azure.

mod evaluate;
mod parser;
mod scope;
mod sections;

use serde_json::Value;

pub(super) use evaluate::{Row, Rows};
pub(super) use parser::{Collection, Query};
pub(super) use scope::Scope;
pub(super) use sections::Sections;

/// Whether a text is a query of the language.
pub(crate) fn is_query(text: &str) -> bool {
    Query::parse(text).is_ok() || Scope::parse(text).is_ok()
}

/// The documents of a query, each with the key it is ordered by.
pub(super) type Documents = Vec<(String, Value)>;

impl Query {
    /// A query from its text, which is bounded.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        parser::parse(text)
    }

    /// The sections of twins that it reads. Whole twins, if it asks for those, are shown for what it has found.
    pub(super) fn sections(&self) -> Sections {
        Sections::of(self)
    }

    /// What it finds in these documents.
    pub(super) fn run(&self, documents: &[(String, Value)]) -> Rows {
        evaluate::run(self, documents)
    }

    /// How many rows it gives over these documents.
    pub(super) fn count(&self, documents: &[(String, Value)]) -> usize {
        self.run(documents).rows.len()
    }
}
