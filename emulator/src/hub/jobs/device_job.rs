//! What a job has done to one device.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kind::JobKind;
use crate::clock::wire_time;

/// How far a job is with one device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::hub) enum DeviceJobStatus {
    Pending,
    Running,
    Completed,
    Failed,
    Canceled,
}

/// Why a job has failed for a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::hub) struct DeviceJobError {
    pub code: String,
    pub description: String,
}

/// What a device has answered to the method of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(in crate::hub) struct Outcome {
    pub status: i32,
    pub payload: Option<Value>,
}

/// A job and one device.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::hub) struct DeviceJob {
    pub status: DeviceJobStatus,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end: Option<DateTime<Utc>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<DeviceJobError>,
}

impl DeviceJob {
    pub(in crate::hub) fn new(now: DateTime<Utc>) -> Self {
        Self {
            status: DeviceJobStatus::Pending,
            created: now,
            updated: now,
            start: None,
            end: None,
            outcome: None,
            error: None,
        }
    }

    pub(in crate::hub) fn begin(&mut self, now: DateTime<Utc>) {
        self.status = DeviceJobStatus::Running;
        self.start = Some(now);
        self.updated = now;
    }

    /// It is through with this device; a change of a twin has no outcome.
    pub(in crate::hub) fn end(&mut self, ended: Result<Option<Outcome>, DeviceJobError>, now: DateTime<Utc>) {
        match ended {
            Ok(outcome) => {
                self.status = DeviceJobStatus::Completed;
                self.outcome = outcome;
            }
            Err(error) => {
                self.status = DeviceJobStatus::Failed;
                self.error = Some(error);
            }
        }
        self.end = Some(now);
        self.updated = now;
    }

    pub(super) fn cancel(&mut self, now: DateTime<Utc>) {
        self.status = DeviceJobStatus::Canceled;
        self.end = Some(now);
        self.updated = now;
    }

    pub(super) fn fail_for_time(&mut self, now: DateTime<Utc>) {
        let error = DeviceJobError {
            code: "JobTimedOut".into(),
            description: "the job was over before this device was through".into(),
        };
        self.end(Err(error), now);
    }

    /// As queries over `devices.jobs` find it.
    pub(super) fn shown(&self, job_id: &str, kind: JobKind, device_id: &str) -> Value {
        let time = |time: Option<DateTime<Utc>>| time.map(wire_time::print);
        let mut shown = json!({
            "deviceId": device_id,
            "jobId": job_id,
            "jobType": kind,
            "status": self.status,
            "startTimeUtc": time(self.start),
            "endTimeUtc": time(self.end),
            "createdDateTimeUtc": wire_time::print(self.created),
            "lastUpdatedDateTimeUtc": wire_time::print(self.updated),
            "outcome": { "deviceMethodResponse": self.outcome },
        });
        if let Some(error) = &self.error {
            shown["error"] = json!(error);
        }
        shown
    }
}
