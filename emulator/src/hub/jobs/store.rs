//! The jobs of a hub: those that wait, those that run, and what is remembered of those before.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{
    super::HubError,
    device_job::{DeviceJob, DeviceJobStatus},
    kind::{JobKind, JobStatus},
    model::Job,
    request::JobRequest,
};

/// Jobs that are not over.
const MAX_ACTIVE: usize = 100;
/// Every job waits so long, as at Azure, where it is some seconds: a device that has just connected gets ready meanwhile.
const FIRST_WAIT: TimeDelta = TimeDelta::seconds(1);
/// Jobs that run at a time; others wait.
const MAX_RUNNING: usize = 10;
/// Jobs that are over and remembered, all their devices together, and for how long.
const MAX_REMEMBERED: usize = 1000;
const MAX_REMEMBERED_DEVICES: usize = 1_000_000;
const REMEMBERED_DAYS: i64 = 30;

/// Jobs as they are kept over a restart.
pub(in crate::hub) type KeptJobs = Vec<Job>;

/// The jobs of a hub by ID.
#[derive(Debug, Default)]
pub(in crate::hub) struct Store {
    jobs: BTreeMap<String, Job>,
    /// Those that somebody in this process works on.
    in_hand: BTreeSet<String>,
    active: usize,
}

impl Store {
    pub(in crate::hub) fn restore(kept: KeptJobs) -> Self {
        let jobs: BTreeMap<_, _> = kept.into_iter().map(|job| (job.id.clone(), job)).collect();
        let active = jobs.values().filter(|job| !job.status.is_over()).count();
        Self { jobs, in_hand: BTreeSet::new(), active }
    }

    pub(in crate::hub) fn keep(&self) -> KeptJobs {
        self.jobs.values().cloned().collect()
    }

    /// Whether a job waits, or runs.
    pub(in crate::hub) fn has_active(&self) -> bool {
        self.active > 0
    }

    pub(in crate::hub) fn get(&self, id: &str) -> Result<&Job, HubError> {
        self.jobs.get(id).ok_or_else(|| HubError::JobNotFound(id.to_owned()))
    }

    /// A job that runs; none, when somebody has ended it.
    pub(in crate::hub) fn running(&mut self, id: &str) -> Option<&mut Job> {
        self.jobs.get_mut(id).filter(|job| job.status == JobStatus::Running)
    }

    /// A device that a job has begun with, also when the job is over meanwhile: what it answers is kept.
    pub(in crate::hub) fn device(&mut self, id: &str, device_id: &str) -> Option<&mut DeviceJob> {
        let device = self.jobs.get_mut(id)?.devices.get_mut(device_id);
        device.filter(|device| device.status == DeviceJobStatus::Running)
    }

    /// Takes a job in.
    pub(in crate::hub) fn create(
        &mut self,
        request: JobRequest,
        now: DateTime<Utc>,
    ) -> Result<&Job, HubError> {
        let JobRequest { id, condition, start, max_seconds, work } = request;
        if self.jobs.contains_key(&id) {
            return Err(HubError::JobExists(id));
        }
        if self.active >= MAX_ACTIVE {
            return Err(HubError::TooManyJobs { limit: MAX_ACTIVE });
        }
        self.forget(now);
        self.active += 1;
        let job = Job {
            id: id.clone(),
            condition,
            work,
            created: now,
            start: start.unwrap_or(now),
            max_seconds,
            status: JobStatus::Queued,
            began: None,
            end: None,
            failure: None,
            devices: BTreeMap::new(),
        };
        Ok(self.jobs.entry(id).or_insert(job))
    }

    /// Ends a job that is not over; one that was cancelled may be cancelled again.
    pub(in crate::hub) fn cancel(&mut self, id: &str, now: DateTime<Utc>) -> Result<&Job, HubError> {
        let status = self.get(id)?.status;
        match status {
            JobStatus::Cancelled => {}
            JobStatus::Completed | JobStatus::Failed => {
                return Err(HubError::ArgumentInvalid(format!(
                    "the job \"{id}\" is over: it can't be cancelled"
                )));
            }
            JobStatus::Queued | JobStatus::Scheduled | JobStatus::Running => {
                self.finish(id, JobStatus::Cancelled, None, now);
            }
        }
        self.get(id)
    }

    /// Ends a job, if it is not over.
    pub(in crate::hub) fn finish(
        &mut self,
        id: &str,
        status: JobStatus,
        failure: Option<String>,
        now: DateTime<Utc>,
    ) {
        if let Some(job) = self.jobs.get_mut(id).filter(|job| !job.status.is_over()) {
            job.finish(status, failure, now);
            self.active -= 1;
        }
    }

    /// Nobody in this process works on it any more: of devices that have not answered by now nothing will be heard.
    pub(in crate::hub) fn let_go(&mut self, id: &str, now: DateTime<Utc>) {
        self.in_hand.remove(id);
        if let Some(job) = self.jobs.get_mut(id).filter(|job| job.status.is_over()) {
            job.give_up(now);
        }
    }

    /// Moves jobs on: whose time has come, runs, as far as there is room. Gives those that somebody is to work on now, and tells
    /// whether anything is another.
    pub(in crate::hub) fn advance(&mut self, now: DateTime<Utc>) -> (Vec<String>, bool) {
        let mut running = self.jobs.values().filter(|job| job.status == JobStatus::Running).count();
        let (mut due, mut is_changed) = (Vec::new(), false);
        let mut active: Vec<_> = self.jobs.values_mut().filter(|job| !job.status.is_over()).collect();
        active.sort_by_key(|job| (job.start, job.created));
        for job in active {
            let before = job.status;
            if job.status != JobStatus::Running {
                job.status = if job.start > now {
                    JobStatus::Scheduled
                } else if running >= MAX_RUNNING || now < job.created + FIRST_WAIT {
                    JobStatus::Queued
                } else {
                    running += 1;
                    job.began = Some(now);
                    JobStatus::Running
                };
            }
            is_changed |= job.status != before;
            if job.status == JobStatus::Running && self.in_hand.insert(job.id.clone()) {
                due.push(job.id.clone());
            }
        }
        (due, is_changed)
    }

    /// Jobs of a kind and a status, in the order in which they were made, each with its key.
    pub(in crate::hub) fn list(
        &self,
        kind: Option<JobKind>,
        status: Option<JobStatus>,
    ) -> Vec<(String, Value)> {
        let mut found: Vec<_> = self
            .jobs
            .values()
            .filter(|job| kind.is_none_or(|kind| job.kind() == kind))
            .filter(|job| status.is_none_or(|status| job.status == status))
            .map(|job| {
                let made = job.created.timestamp_nanos_opt().unwrap_or_default();
                (format!("{made:020} {}", job.id), job.shown())
            })
            .collect();
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    /// What jobs have done to each device.
    pub(in crate::hub) fn documents(&self) -> Vec<(String, Value)> {
        let of_job = |job: &Job| {
            let (id, kind) = (job.id.clone(), job.kind());
            let shown = |(device_id, device): (&String, &DeviceJob)| {
                (format!("{id}/{device_id}"), device.shown(&id, kind, device_id))
            };
            job.devices.iter().map(shown).collect::<Vec<_>>()
        };
        self.jobs.values().flat_map(of_job).collect()
    }

    /// Forgets jobs that have been over for long, and the oldest where there are too many.
    fn forget(&mut self, now: DateTime<Utc>) {
        let mut over: Vec<_> = self
            .jobs
            .values()
            .filter_map(|job| Some((job.end?, job.id.clone(), job.devices.len())))
            .collect();
        over.sort();
        let mut devices: usize = over.iter().map(|(_, _, devices)| devices).sum();
        let mut jobs = over.len();
        for (end, id, of_it) in over {
            let is_old = now - end > TimeDelta::days(REMEMBERED_DAYS);
            if is_old || jobs > MAX_REMEMBERED || devices > MAX_REMEMBERED_DEVICES {
                self.jobs.remove(&id);
                jobs -= 1;
                devices -= of_it;
            }
        }
    }
}
