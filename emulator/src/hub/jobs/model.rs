//! A job, and what services see of it.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    device_job::{DeviceJob, DeviceJobStatus},
    kind::{JobKind, JobStatus},
};
use crate::clock::wire_time;

/// What is done to each device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::hub) enum Work {
    UpdateTwin {
        /// As it was asked for.
        shown: Value,
        tags: Option<Map<String, Value>>,
        desired: Option<Map<String, Value>>,
    },
    DeviceMethod {
        /// As it was asked for.
        shown: Value,
        name: String,
        /// As it was written.
        payload: String,
        response_seconds: u64,
        connect_seconds: u64,
    },
}

/// A job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::hub) struct Job {
    pub id: String,
    pub condition: String,
    pub work: Work,
    pub created: DateTime<Utc>,
    pub start: DateTime<Utc>,
    pub max_seconds: u64,
    pub status: JobStatus,
    /// When it began to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub began: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Those that the condition held for when the job began.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, DeviceJob>,
}

impl Job {
    pub(in crate::hub) fn kind(&self) -> JobKind {
        match self.work {
            Work::UpdateTwin { .. } => JobKind::ScheduleUpdateTwin,
            Work::DeviceMethod { .. } => JobKind::ScheduleDeviceMethod,
        }
    }

    /// When it has to be through.
    pub(in crate::hub) fn deadline(&self) -> DateTime<Utc> {
        let began = self.began.unwrap_or(self.start);
        began.checked_add_signed(TimeDelta::seconds(self.max_seconds as i64)).unwrap_or(began)
    }

    /// As services see it.
    pub(in crate::hub) fn shown(&self) -> Value {
        let mut shown = json!({
            "jobId": self.id,
            "queryCondition": self.condition,
            "createdTime": wire_time::print(self.created),
            "startTime": wire_time::print(self.start),
            "maxExecutionTimeInSeconds": self.max_seconds,
            "type": self.kind(),
            "status": self.status,
        });
        match &self.work {
            Work::UpdateTwin { shown: asked, .. } => shown["updateTwin"] = asked.clone(),
            Work::DeviceMethod { shown: asked, .. } => shown["cloudToDeviceMethod"] = asked.clone(),
        }
        if let Some(end) = self.end {
            shown["endTime"] = wire_time::print(end).into();
        }
        if let Some(failure) = &self.failure {
            shown["failureReason"] = failure.clone().into();
            shown["statusMessage"] = failure.clone().into();
        }
        if self.began.is_some() {
            let count = |wanted: DeviceJobStatus| {
                self.devices.values().filter(|device| device.status == wanted).count()
            };
            shown["deviceJobStatistics"] = json!({
                "deviceCount": self.devices.len(),
                "failedCount": count(DeviceJobStatus::Failed) + count(DeviceJobStatus::Canceled),
                "succeededCount": count(DeviceJobStatus::Completed),
                "runningCount": count(DeviceJobStatus::Running),
                "pendingCount": count(DeviceJobStatus::Pending),
            });
        }
        shown
    }

    /// Ends it; devices that have not had their turn don't get one.
    pub(in crate::hub) fn finish(&mut self, status: JobStatus, failure: Option<String>, now: DateTime<Utc>) {
        self.status = status;
        self.failure = failure;
        self.end = Some(now);
        let is_cancelled = status == JobStatus::Cancelled;
        for device in self.devices.values_mut() {
            match device.status {
                DeviceJobStatus::Pending if is_cancelled => device.cancel(now),
                // What it answers is still kept.
                DeviceJobStatus::Running if is_cancelled => {}
                DeviceJobStatus::Pending | DeviceJobStatus::Running => device.fail_for_time(now),
                _ => {}
            }
        }
    }

    /// No answer comes any more.
    pub(super) fn give_up(&mut self, now: DateTime<Utc>) {
        for device in self.devices.values_mut().filter(|device| device.status == DeviceJobStatus::Running) {
            device.fail_for_time(now);
        }
    }
}
