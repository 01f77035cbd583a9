//! The query language over devices (IoT Hub developer guide, "query language for twins and jobs"): the subset that
//! tools and people use.
//!
//! `SELECT [TOP n] * | item [AS name], … FROM devices [alias] [WHERE condition] [GROUP BY path, …]`, where an item is a
//! path or an aggregate (`COUNT()`, `SUM`, `AVG`, `MIN`, `MAX` of a path). Conditions: comparisons, `IN`, `NIN`, `AND`,
//! `OR`, `NOT`, arithmetic, `IS_DEFINED(path)`, parentheses. Keywords and system properties in any case. What Azure has
//! beyond that is refused by name.

mod evaluate;
mod parser;

use evaluate::Rows;

use super::{Hub, HubError, expression::MAX_LENGTH};

/// Whether a text is a query of the language.
pub(crate) fn is_query(text: &str) -> bool {
    parser::parse(text).is_ok()
}

impl Hub {
    /// Answers a query over the device twins.
    pub(crate) fn query(&self, text: &str) -> Result<Rows, HubError> {
        if text.chars().count() > MAX_LENGTH {
            return Err(HubError::ArgumentInvalid(format!(
                "the query has more than {MAX_LENGTH} characters"
            )));
        }
        let query = parser::parse(text).map_err(HubError::ArgumentInvalid)?;
        let twins = self.twins();
        let rows = twins
            .iter()
            // These types have no form that JSON lacks.
            .map(|twin| (twin.device_id.clone(), serde_json::to_value(twin).unwrap_or_default()));
        Ok(evaluate::run(&query, rows.collect()))
    }
}
