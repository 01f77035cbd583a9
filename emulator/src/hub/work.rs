//! Jobs at work: one device after the other, or some at a time.

use std::{collections::VecDeque, time::Duration};

use tokio::{task::JoinSet, time::Instant};

use super::{
    DirectMethod, Hub, HubError, MethodAnswer, TwinPatch,
    jobs::{DeviceJob, DeviceJobError, DeviceJobStatus, Job, JobStatus, Outcome, Work},
    query::{Collection, Scope},
};
use crate::{etag::IfMatch, lock::lock};

/// Devices of one job that are called at a time.
const AT_A_TIME: usize = 64;

/// Changes of twins before others get a turn.
const BATCH: usize = 64;

/// Devices that have not had their turn.
type Pending = VecDeque<String>;

impl Hub {
    /// Moves jobs on; gives those that are to be run now by [`Self::run_job`].
    pub(crate) fn due_jobs(&self) -> Vec<String> {
        let mut jobs = lock(&self.0.jobs);
        if !jobs.has_active() {
            return Vec::new();
        }
        let (due, is_changed) = jobs.advance(self.0.clock.now());
        drop(jobs);
        if is_changed {
            self.0.changes.count();
        }
        due
    }

    /// Runs a job to its end.
    pub(crate) async fn run_job(&self, id: &str) {
        let ended = self.try_job(id).await;
        let mut jobs = lock(&self.0.jobs);
        match ended {
            Ok(()) => jobs.finish(id, JobStatus::Completed, None, self.0.clock.now()),
            Err(why) => jobs.finish(id, JobStatus::Failed, Some(why), self.0.clock.now()),
        }
        jobs.let_go(id, self.0.clock.now());
        drop(jobs);
        self.0.changes.count();
    }

    async fn try_job(&self, id: &str) -> Result<(), String> {
        let Some((condition, work, deadline)) = self.in_job(id, |job| {
            let condition = job.devices.is_empty().then(|| job.condition.clone());
            (condition, job.work.clone(), job.deadline())
        }) else {
            return Ok(());
        };
        if let Some(condition) = condition {
            let hub = self.clone();
            let found = tokio::task::spawn_blocking(move || hub.devices_that(&condition)).await;
            let found = found.map_err(|_| "the condition was not evaluated".to_owned())??;
            if found.is_empty() {
                return Err("the query condition holds for no device".into());
            }
            let now = self.0.clock.now();
            self.in_job(id, |job| {
                job.devices = found.into_iter().map(|device_id| (device_id, DeviceJob::new(now))).collect();
            });
        } else {
            self.take_up(id);
        }
        let pending = self.in_job(id, |job| {
            let pending = job.devices.iter().filter(|(_, device)| device.status == DeviceJobStatus::Pending);
            pending.map(|(device_id, _)| device_id.clone()).collect()
        });
        let pending: Pending = pending.unwrap_or_default();
        let left = (deadline - self.0.clock.now()).to_std().unwrap_or(Duration::ZERO);
        let deadline = Instant::now() + left;
        let done = match work {
            Work::UpdateTwin { tags, desired, .. } => {
                let patch = TwinPatch { tags, desired };
                tokio::time::timeout_at(deadline, self.update_twins(id, pending, &patch)).await
            }
            Work::DeviceMethod { name, payload, response_seconds, connect_seconds, .. } => {
                let method = DirectMethod {
                    method_name: name,
                    payload: None,
                    response_timeout: Duration::from_secs(response_seconds),
                    connect_timeout: Duration::from_secs(connect_seconds),
                };
                tokio::time::timeout_at(deadline, self.call_devices(id, pending, &method, &payload)).await
            }
        };
        done.map_err(|_| "the job was not through within maxExecutionTimeInSeconds".into())
    }

    /// A look at, or a change of, a job that runs; none, when somebody has ended it.
    fn in_job<T>(&self, id: &str, look: impl FnOnce(&mut Job) -> T) -> Option<T> {
        lock(&self.0.jobs).running(id).map(look)
    }

    fn devices_that(&self, condition: &str) -> Result<Vec<String>, String> {
        let scope = Scope::parse(condition)?;
        let documents = self.documents(Collection::Devices);
        let found = documents.into_iter().filter(|(_, twin)| scope.has(twin));
        Ok(found.map(|(device_id, _)| device_id).collect())
    }

    /// Goes on with a job that a stop of the hub has cut: twins are changed again, a method is not called a second time.
    fn take_up(&self, id: &str) {
        let now = self.0.clock.now();
        self.in_job(id, |job| {
            let is_repeatable = matches!(job.work, Work::UpdateTwin { .. });
            for device in job.devices.values_mut().filter(|device| device.status == DeviceJobStatus::Running)
            {
                if is_repeatable {
                    *device = DeviceJob::new(now);
                } else {
                    let description = "the hub stopped while the device was called".to_owned();
                    device.end(Err(DeviceJobError { code: "ServerError".into(), description }), now);
                }
            }
        });
    }

    /// The next of these devices, which now have their turn; none, when the job has been ended.
    fn next_devices(&self, id: &str, pending: &mut Pending, most: usize) -> Vec<String> {
        let now = self.0.clock.now();
        let next: Vec<_> = pending.drain(..most.min(pending.len())).collect();
        let begin = |job: &mut Job| {
            for device_id in &next {
                if let Some(device) = job.devices.get_mut(device_id) {
                    device.begin(now);
                }
            }
        };
        let mut jobs = lock(&self.0.jobs);
        if jobs.running(id).map(begin).is_some() {
            return next;
        }
        pending.clear();
        Vec::new()
    }

    fn record(&self, id: &str, device_id: &str, ended: Result<Option<Outcome>, HubError>) {
        let now = self.0.clock.now();
        let ended = ended
            .map_err(|error| DeviceJobError { code: error.name().into(), description: error.to_string() });
        if let Some(device) = lock(&self.0.jobs).device(id, device_id) {
            device.end(ended, now);
        }
        self.0.changes.count();
    }

    async fn update_twins(&self, id: &str, mut pending: Pending, patch: &TwinPatch) {
        loop {
            let batch = self.next_devices(id, &mut pending, BATCH);
            if batch.is_empty() {
                return;
            }
            for device_id in batch {
                let updated = self.update_twin(&device_id, patch.clone(), &IfMatch::Any);
                self.record(id, &device_id, updated.map(|_twin| None));
            }
            tokio::task::yield_now().await;
        }
    }

    async fn call_devices(&self, id: &str, mut pending: Pending, method: &DirectMethod, payload: &str) {
        let mut calls = JoinSet::new();
        loop {
            let room = AT_A_TIME.saturating_sub(calls.len());
            for device_id in self.next_devices(id, &mut pending, room) {
                let (hub, method, payload) = (self.clone(), method.clone(), payload.to_owned());
                calls.spawn(async move {
                    let answered = hub.invoke_written(&device_id, &method, payload).await;
                    let outcome = answered.and_then(|answer| outcome(&device_id, answer));
                    (device_id, outcome)
                });
            }
            match calls.join_next().await {
                None => return,
                Some(Ok((device_id, outcome))) => self.record(id, &device_id, outcome.map(Some)),
                // A call that was taken back has nothing to say.
                Some(Err(_)) => {}
            }
        }
    }
}

fn outcome(device_id: &str, answer: MethodAnswer) -> Result<Outcome, HubError> {
    let MethodAnswer { status, body } = answer;
    let payload = (!body.is_empty()).then(|| serde_json::from_slice(&body)).transpose();
    let payload = payload.map_err(|_| HubError::InvalidMethodAnswer(device_id.to_owned()))?;
    Ok(Outcome { status, payload })
}
