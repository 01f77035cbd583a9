//! Jobs over the whole registry as services call for them.

use chrono::{DateTime, Utc};

use super::{
    Hub, HubError,
    registry_jobs::{JobOrder, JobStatus, RegistryJob},
};
use crate::storage::{ContainerName, Scope, Storage};

impl Hub {
    /// Begins a job. Whoever does so sees to it that it is done, and ended.
    pub(crate) fn begin_registry_job(&self, order: &JobOrder) -> Result<RegistryJob, HubError> {
        let now = self.0.clock.now();
        self.0.registry_jobs.change().begin(order, now).ok_or(HubError::JobQuotaExceeded)
    }

    pub(crate) fn registry_jobs(&self) -> Vec<RegistryJob> {
        self.0.registry_jobs.lock().all().to_vec()
    }

    pub(crate) fn registry_job(&self, job_id: &str) -> Result<RegistryJob, HubError> {
        let found = self.0.registry_jobs.lock().find(job_id).cloned();
        found.ok_or_else(|| HubError::JobNotFound(job_id.chars().take(80).collect()))
    }

    /// Cancels a job that is running; one that has ended stays as it is.
    pub(crate) fn cancel_registry_job(&self, job_id: &str) -> Result<RegistryJob, HubError> {
        let now = self.0.clock.now();
        self.0.registry_jobs.change().finish(job_id, (JobStatus::Cancelled, None), now);
        self.registry_job(job_id)
    }

    /// How far a job is; tells whether it is to go on.
    pub(crate) fn registry_job_progress(&self, job_id: &str, percent: u8) -> bool {
        self.0.registry_jobs.change().progress(job_id, percent)
    }

    /// A job has ended: well, or for this reason.
    pub(crate) fn end_registry_job(&self, job_id: &str, result: Result<(), String>) {
        let end = match result {
            Ok(()) => (JobStatus::Completed, None),
            Err(reason) => (JobStatus::Failed, Some(reason)),
        };
        let now = self.0.clock.now();
        self.0.registry_jobs.change().finish(job_id, end, now);
    }

    /// Makes a container, if it is not there, and a signature that permits all of it until then.
    pub(crate) fn open_container(
        &self,
        name: &ContainerName,
        until: DateTime<Utc>,
    ) -> Result<String, HubError> {
        self.0.storage.make_container(name)?;
        let signature = self.0.storage.account().sign(Scope::Container(name), "rcwdl", until);
        // The key is kept from now on.
        self.0.changes.count();
        Ok(signature)
    }

    /// By the emulator's clock.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.0.clock.now()
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.0.storage
    }
}
