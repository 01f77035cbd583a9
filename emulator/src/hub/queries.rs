//! Queries from the service side: over twins, and over what jobs have done to devices.

use serde::Serialize;
use serde_json::Value;

use super::{
    Hub, HubError, Twin,
    query::{Collection, Documents, Query, Row, Rows, Sections},
};
use crate::lock::lock;

/// A row as it is sent.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum ShownRow {
    Of(Value),
    Twin(Box<Twin>),
}

impl Hub {
    /// What a query finds. Twins that it asks for as they are, are not among it yet: [`Self::row`] has them.
    pub(crate) fn query(&self, text: &str) -> Result<Rows, HubError> {
        let query = Query::parse(text).map_err(HubError::ArgumentInvalid)?;
        let documents = self.documents_in_part(query.collection, query.sections());
        let mut found = query.run(&documents);
        if query.collection == Collection::Jobs {
            let mut documents = documents.into_iter();
            for (key, row) in &mut found.rows {
                // In the same order, and each once.
                if matches!(row, Row::Document)
                    && let Some((_, document)) = documents.find(|(known, _)| known == key)
                {
                    *row = Row::Of(document);
                }
            }
        }
        Ok(found)
    }

    /// A row of what was found; none, if the device has gone since.
    pub(crate) fn row(&self, key: &str, row: Row) -> Option<ShownRow> {
        match row {
            Row::Of(value) => Some(ShownRow::Of(value)),
            Row::Document => self.twin(key).ok().map(|twin| ShownRow::Twin(Box::new(twin))),
        }
    }

    /// What queries over a collection look at, in the order of the keys.
    pub(super) fn documents(&self, collection: Collection) -> Documents {
        self.documents_in_part(collection, Sections::WHOLE)
    }

    fn documents_in_part(&self, collection: Collection, sections: Sections) -> Documents {
        let twins: Vec<(String, Twin)> = match collection {
            Collection::Jobs => return lock(&self.0.jobs).documents(),
            Collection::Devices => {
                let registry = self.0.registry.lock();
                registry.iter().map(|(id, entry)| (id.clone(), entry.twin_in_part(id, sections))).collect()
            }
            Collection::Modules => {
                let registry = self.0.registry.lock();
                registry.modules().map(|(at, entry)| (at.clone(), entry.twin_in_part(at, sections))).collect()
            }
        };
        // The type has no form that JSON lacks.
        twins.into_iter().map(|(key, twin)| (key, serde_json::to_value(twin).unwrap_or_default())).collect()
    }
}
