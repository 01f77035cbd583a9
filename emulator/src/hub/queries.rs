//! Queries from the service side: over twins, and over what jobs have done to devices.

use super::{
    Hub, HubError,
    module_id::module_address,
    query::{Collection, Documents, Query, Rows},
};
use crate::lock::lock;

impl Hub {
    /// Answers a query.
    pub(crate) fn query(&self, text: &str) -> Result<Rows, HubError> {
        let query = Query::parse(text).map_err(HubError::ArgumentInvalid)?;
        Ok(query.run(&self.documents(query.collection)))
    }

    /// What queries over a collection look at, in the order of the keys.
    pub(super) fn documents(&self, collection: Collection) -> Documents {
        match collection {
            Collection::Devices => self
                .twins()
                .iter()
                // The type has no form that JSON lacks.
                .map(|twin| (twin.device_id.clone(), serde_json::to_value(twin).unwrap_or_default()))
                .collect(),
            Collection::Modules => self
                .module_twins()
                .iter()
                .map(|twin| {
                    let module_id = twin.module_id.as_deref().unwrap_or_default();
                    let address = module_address(&twin.device_id, module_id);
                    (address, serde_json::to_value(twin).unwrap_or_default())
                })
                .collect(),
            Collection::Jobs => lock(&self.0.jobs).documents(),
        }
    }
}
