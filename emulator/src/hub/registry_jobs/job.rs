//! One job: what was asked for, and how far it is.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ContainerAt;
use crate::clock::wire_time;

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum RegistryJobKind {
    Export,
    Import,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum JobStatus {
    Running,
    Completed,
    Failed,
    Cancelled,
}

/// What was asked for, and may be done.
#[derive(Clone, Debug)]
pub(crate) struct JobOrder {
    pub kind: RegistryJobKind,
    /// Of an import.
    pub input: Option<ContainerAt>,
    pub input_blob: String,
    pub output: ContainerAt,
    pub output_blob: String,
    pub exclude_keys: bool,
    /// The blob of the configurations, where they are part of the job: with the input, or with the output.
    pub configurations_blob: Option<String>,
}

/// A job as it is shown. Its URIs have no signatures: those are secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RegistryJob {
    pub job_id: String,
    #[serde(rename = "type")]
    pub kind: RegistryJobKind,
    pub status: JobStatus,
    #[serde(rename = "startTimeUtc", with = "wire_time")]
    pub start: DateTime<Utc>,
    #[serde(
        rename = "endTimeUtc",
        default,
        with = "wire_time::option",
        skip_serializing_if = "Option::is_none"
    )]
    pub end: Option<DateTime<Utc>>,
    /// In percent.
    pub progress: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_blob_container_uri: Option<String>,
    pub output_blob_container_uri: String,
    pub exclude_keys_in_export: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub include_configurations: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configurations_blob_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
}

impl RegistryJob {
    pub(super) fn new(job_id: String, order: &JobOrder, start: DateTime<Utc>) -> Self {
        Self {
            job_id,
            kind: order.kind,
            status: JobStatus::Running,
            start,
            end: None,
            progress: 0,
            input_blob_container_uri: order.input.as_ref().map(|input| input.uri.clone()),
            output_blob_container_uri: order.output.uri.clone(),
            exclude_keys_in_export: order.exclude_keys,
            include_configurations: order.configurations_blob.is_some(),
            configurations_blob_name: order.configurations_blob.clone(),
            failure_reason: None,
        }
    }

    pub(super) fn finish(&mut self, status: JobStatus, reason: Option<String>, now: DateTime<Utc>) {
        self.status = status;
        self.end = Some(now);
        self.failure_reason = reason;
        if status == JobStatus::Completed {
            self.progress = 100;
        }
    }
}
