//! The query language over devices (IoT Hub developer guide, "query language for twins and jobs"): the subset that
//! tools and people use.
//!
//! `SELECT [TOP n] * | item [AS name], … FROM devices [alias] [WHERE condition] [GROUP BY path, …]` (or `FROM devices.modules`), where an item is a
//! path or an aggregate (`COUNT()`, `SUM`, `AVG`, `MIN`, `MAX` of a path). Conditions: comparisons, `IN`, `NIN`, `AND`,
//! `OR`, `NOT`, arithmetic, `IS_DEFINED(path)`, parentheses. Keywords and system properties in any case. What Azure has
//! beyond that is refused by name.

mod evaluate;
mod parser;

use evaluate::Rows;

use super::{Hub, HubError, expression::MAX_LENGTH, module_id::module_address};

/// Whether a text is a query of the language.
pub(crate) fn is_query(text: &str) -> bool {
    parser::parse(text).is_ok()
}

impl Hub {
    /// Answers a query over the twins of devices, or of modules.
    pub(crate) fn query(&self, text: &str) -> Result<Rows, HubError> {
        if text.chars().count() > MAX_LENGTH {
            return Err(HubError::ArgumentInvalid(format!(
                "the query has more than {MAX_LENGTH} characters"
            )));
        }
        let query = parser::parse(text).map_err(HubError::ArgumentInvalid)?;
        let twins = if query.of_modules { self.module_twins() } else { self.twins() };
        let rows = twins.iter().map(|twin| {
            let key = match &twin.module_id {
                Some(module_id) => module_address(&twin.device_id, module_id),
                None => twin.device_id.clone(),
            };
            // These types have no form that JSON lacks.
            (key, serde_json::to_value(twin).unwrap_or_default())
        });
        Ok(evaluate::run(&query, rows.collect()))
    }
}
