//! Jobs from the service side: scheduled, shown, cancelled.

use serde_json::Value;

use super::{
    Hub, HubError,
    jobs::{JobKind, JobRequest, JobStatus},
};
use crate::lock::lock;

impl Hub {
    /// Takes a job in. It begins when its time has come.
    pub(crate) fn create_job(&self, request: JobRequest) -> Result<Value, HubError> {
        let shown = lock(&self.0.jobs).create(request, self.0.clock.now())?.shown();
        self.0.changes.count();
        Ok(shown)
    }

    /// One job.
    pub(crate) fn job(&self, id: &str) -> Result<Value, HubError> {
        Ok(lock(&self.0.jobs).get(id)?.shown())
    }

    /// Jobs of a kind and a status, in the order in which they were made, each with the key of that order.
    pub(crate) fn jobs(&self, kind: Option<JobKind>, status: Option<JobStatus>) -> Vec<(String, Value)> {
        lock(&self.0.jobs).list(kind, status)
    }

    /// Ends a job. Devices that have not had their turn don't get one; calls that are under way are not taken back.
    pub(crate) fn cancel_job(&self, id: &str) -> Result<Value, HubError> {
        let shown = lock(&self.0.jobs).cancel(id, self.0.clock.now())?.shown();
        self.0.changes.count();
        Ok(shown)
    }
}
