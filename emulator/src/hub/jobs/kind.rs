//! The kinds of jobs, and how far they are.

use serde::{Deserialize, Serialize};

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum JobKind {
    ScheduleUpdateTwin,
    ScheduleDeviceMethod,
}

impl JobKind {
    /// By the name in Azure's API; older guides have others.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "scheduleUpdateTwin" | "scheduleTwinUpdate" => Some(Self::ScheduleUpdateTwin),
            "scheduleDeviceMethod" => Some(Self::ScheduleDeviceMethod),
            _ => None,
        }
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum JobStatus {
    /// Waits for others.
    Queued,
    /// Waits for its time.
    Scheduled,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl JobStatus {
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}
