//! The jobs of one hub: the newest hundred, of which one may be running.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{JobOrder, JobStatus, RegistryJob};
use crate::id::guid;

/// Jobs that are remembered.
const MAX_JOBS: usize = 100;

/// What of them outlives a restart: all.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(in crate::hub) struct KeptRegistryJobs(Vec<RegistryJob>);

impl KeptRegistryJobs {
    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The jobs, the oldest first.
#[derive(Debug, Default)]
pub(in crate::hub) struct RegistryJobs(Vec<RegistryJob>);

impl RegistryJobs {
    /// One that was running has ended with the emulator.
    pub(in crate::hub) fn restore(kept: KeptRegistryJobs, now: DateTime<Utc>) -> Self {
        let mut jobs = kept.0;
        for job in jobs.iter_mut().filter(|job| job.status == JobStatus::Running) {
            let why = "the emulator ended before the job had; what it had done is done. Create the job anew";
            job.finish(JobStatus::Failed, Some(why.into()), now);
        }
        Self(jobs)
    }

    pub(in crate::hub) fn keep(&self) -> KeptRegistryJobs {
        KeptRegistryJobs(self.0.clone())
    }

    /// Begins a job; nothing while another one is running.
    pub(in crate::hub) fn begin(&mut self, order: &JobOrder, now: DateTime<Utc>) -> Option<RegistryJob> {
        if self.0.iter().any(|job| job.status == JobStatus::Running) {
            return None;
        }
        if self.0.len() >= MAX_JOBS {
            self.0.remove(0);
        }
        let job = RegistryJob::new(guid(), order, now);
        self.0.push(job.clone());
        Some(job)
    }

    pub(in crate::hub) fn all(&self) -> &[RegistryJob] {
        &self.0
    }

    pub(in crate::hub) fn find(&self, job_id: &str) -> Option<&RegistryJob> {
        self.0.iter().find(|job| job.job_id.eq_ignore_ascii_case(job_id))
    }

    /// Tells whether the job goes on.
    pub(in crate::hub) fn progress(&mut self, job_id: &str, percent: u8) -> bool {
        let Some(job) = self.running(job_id) else { return false };
        job.progress = percent.min(99);
        true
    }

    /// Ends a job that is running; tells whether it was.
    pub(in crate::hub) fn finish(
        &mut self,
        job_id: &str,
        (status, reason): (JobStatus, Option<String>),
        now: DateTime<Utc>,
    ) -> bool {
        let Some(job) = self.running(job_id) else { return false };
        job.finish(status, reason, now);
        true
    }

    fn running(&mut self, job_id: &str) -> Option<&mut RegistryJob> {
        let is_meant = |job: &&mut RegistryJob| {
            job.job_id.eq_ignore_ascii_case(job_id) && job.status == JobStatus::Running
        };
        self.0.iter_mut().find(is_meant)
    }
}
