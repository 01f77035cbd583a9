//! `cloud job`: work that the hub does to many devices by itself.

use std::thread::sleep;
use std::time::Duration;

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};

use super::monitor::moment;
use super::twin::TwinChange;
use crate::cli::cloud::json_argument::json as json_argument;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Target;
use crate::platform::clock::system_time;

/// How often the hub is asked whether a job is over.
const ASK_EVERY: Duration = Duration::from_secs(1);
const OVER: [&str; 3] = ["completed", "failed", "cancelled"];

const COLUMNS: &[Column<'_>] = &[
    ("JobId", "/jobId"),
    ("Type", "/type"),
    ("Status", "/status"),
    ("Devices", "/deviceJobStatistics/deviceCount"),
    ("Succeeded", "/deviceJobStatistics/succeededCount"),
    ("Failed", "/deviceJobStatistics/failedCount"),
    ("Start", "/startTime"),
    ("Condition", "/queryCondition"),
];

const DEVICE_COLUMNS: &[Column<'_>] = &[
    ("DeviceId", "/deviceId"),
    ("Status", "/status"),
    ("Answer", "/outcome/deviceMethodResponse/status"),
    ("Payload", "/outcome/deviceMethodResponse/payload"),
    ("Error", "/error/code"),
];

/// Commands for jobs.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum JobCommand {
    /// Have the hub call a method of many devices, or change their twins, now or later.
    Create(Box<NewJob>),
    /// One job, and how many devices are through; or what became of each.
    Show {
        #[command(flatten)]
        id: JobId,
        /// Show what became of each device.
        #[arg(long)]
        devices: bool,
    },
    /// All jobs.
    List {
        /// Those of this kind only.
        #[arg(long, visible_alias = "jt", value_enum, value_name = "TYPE")]
        job_type: Option<JobType>,
        /// Those that stand so only.
        #[arg(long, visible_alias = "js", value_enum, value_name = "STATUS")]
        job_status: Option<JobStatus>,
        /// This many at most.
        #[arg(long, value_name = "N")]
        top: Option<usize>,
    },
    /// Cancel a job: devices that have not had their turn don't get one.
    Cancel {
        #[command(flatten)]
        id: JobId,
    },
}

/// Names a job.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct JobId {
    /// Its name, 128 letters, digits and the like at the most.
    #[arg(long, value_name = "ID")]
    job_id: String,
}

/// A job to be made.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct NewJob {
    #[command(flatten)]
    id: JobId,
    /// For which devices: * for all, or a condition of IoT Hub's query language, like "tags.place = 'quay'".
    #[arg(long = "where", visible_alias = "query-condition", value_name = "CONDITION")]
    condition: String,
    /// The method to be called.
    #[arg(long, visible_alias = "mn", value_name = "NAME", conflicts_with_all = ["desired", "tags"])]
    method_name: Option<String>,
    /// What the method is given, JSON or a file.
    #[arg(long, visible_alias = "mp", value_name = "JSON", requires = "method_name")]
    method_payload: Option<String>,
    /// Seconds to wait for a device's answer, 5 to 300.
    #[arg(long, visible_alias = "mrt", value_name = "SECONDS", default_value_t = 30)]
    method_response_timeout: u64,
    /// Seconds to wait for a device that is not connected, 0 to 300.
    #[arg(long, visible_alias = "mct", value_name = "SECONDS", default_value_t = 0)]
    method_connect_timeout: u64,
    #[command(flatten)]
    change: TwinChange,
    /// When it begins, like 2026-12-01T04:00:00Z; at once unless said otherwise.
    #[arg(long, visible_alias = "start", value_name = "TIME", value_parser = moment)]
    start_time: Option<DateTime<Utc>>,
    /// How long it may take, in seconds.
    #[arg(long, visible_alias = "max-execution-time", value_name = "SECONDS", default_value_t = 3600)]
    ttl: u64,
    /// Wait until it is over; the exit code is 1 unless all devices have succeeded.
    #[arg(long)]
    wait: bool,
}

/// What a job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli::cloud) enum JobType {
    #[value(name = "scheduleDeviceMethod")]
    ScheduleDeviceMethod,
    #[value(name = "scheduleUpdateTwin")]
    ScheduleUpdateTwin,
}

/// How a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli::cloud) enum JobStatus {
    Queued,
    Scheduled,
    Running,
    Completed,
    Failed,
    Cancelled,
}

impl JobCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let hub = target.hub()?;
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create(job) => {
                let made = hub.call(Call::put(&path(&job.id.job_id), &job.wire()?))?;
                if !job.wait {
                    return show(made);
                }
                let job = over(&hub, &job.id.job_id)?;
                show(job.clone())?;
                judge(&job)
            }
            Self::Show { id, devices: false } => show(hub.call(Call::get(&path(&id.job_id)))?),
            Self::Show { id, devices: true } => {
                // One that is not there has no rows, and would look like one without devices.
                hub.call(Call::get(&path(&id.job_id)))?;
                let name = id.job_id.replace('\'', "\\'");
                let query = format!("SELECT * FROM devices.jobs WHERE devices.jobs.jobId = '{name}'");
                let rows =
                    hub.list(&Call::post(&["devices", "query"]).json(&json!({"query": query})), None)?;
                target.output.show(&rows.into(), DEVICE_COLUMNS)
            }
            Self::List { job_type, job_status, top } => {
                let mut call = Call::get(&["jobs", "v2", "query"]);
                for (name, value) in [("jobType", word(job_type)), ("jobStatus", word(job_status))] {
                    if let Some(value) = value {
                        call = call.parameter(name, &value);
                    }
                }
                show(hub.list(&call, top)?.into())
            }
            Self::Cancel { id } => {
                let [jobs, version, id] = path(&id.job_id);
                show(hub.call(Call::post(&[jobs, version, id, "cancel"]))?)
            }
        }
    }
}

impl NewJob {
    fn wire(&self) -> anyhow::Result<Value> {
        let start = self.start_time.unwrap_or_else(system_time);
        let mut job = json!({
            "jobId": self.id.job_id,
            "queryCondition": self.condition,
            "startTime": start.to_rfc3339_opts(SecondsFormat::Secs, true),
            "maxExecutionTimeInSeconds": self.ttl,
        });
        match &self.method_name {
            Some(name) => {
                let payload =
                    json_argument("--method-payload", self.method_payload.as_deref().unwrap_or("null"))?;
                job["type"] = "scheduleDeviceMethod".into();
                job["cloudToDeviceMethod"] = json!({
                    "methodName": name,
                    "payload": payload,
                    "responseTimeoutInSeconds": self.method_response_timeout,
                    "connectTimeoutInSeconds": self.method_connect_timeout,
                });
            }
            None if self.change.is_empty() => {
                bail!("a job has to do something: give --method-name, or --desired or --tags")
            }
            None => {
                job["type"] = "scheduleUpdateTwin".into();
                job["updateTwin"] = self.change.patch()?;
                job["updateTwin"]["etag"] = "*".into();
            }
        }
        Ok(job)
    }
}

fn path(id: &str) -> [&str; 3] {
    ["jobs", "v2", id]
}

fn word(value: Option<impl clap::ValueEnum>) -> Option<String> {
    Some(value?.to_possible_value()?.get_name().to_owned())
}

/// The job, when it is over.
fn over(hub: &Client, id: &str) -> anyhow::Result<Value> {
    loop {
        let job = hub.call(Call::get(&path(id)))?;
        if job["status"].as_str().is_some_and(|status| OVER.contains(&status)) {
            return Ok(job);
        }
        sleep(ASK_EVERY);
    }
}

/// An error unless all went well.
fn judge(job: &Value) -> anyhow::Result<()> {
    let (id, status) =
        (job["jobId"].as_str().unwrap_or_default(), job["status"].as_str().unwrap_or("unknown"));
    let failed = job["deviceJobStatistics"]["failedCount"].as_u64().unwrap_or_default();
    match (status, failed) {
        ("completed", 0) => Ok(()),
        ("completed", _) => bail!(
            "the job {id} has failed for {failed} devices: `cloud job show --job-id {id} --devices` says why"
        ),
        _ => bail!("the job {id} is {status}{}", reason(job)),
    }
}

fn reason(job: &Value) -> String {
    job["failureReason"].as_str().map_or_else(String::new, |reason| format!(": {reason}"))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: JobCommand,
    }

    fn wire(more: &[&str]) -> Value {
        let line = [&["x", "create", "--job-id", "j", "--where", "*"], more].concat();
        let JobCommand::Create(job) = Line::try_parse_from(line).map(|line| line.command).unwrap() else {
            panic!("a new job is meant")
        };
        job.wire().unwrap()
    }

    #[test]
    fn a_job_is_what_it_does() {
        let start = ["--start-time", "2026-12-01T04:00:00Z"];
        let call = wire(&[&["--method-name", "ping", "--mct", "5"], &start[..]].concat());
        let method = json!({
            "methodName": "ping", "payload": null, "responseTimeoutInSeconds": 30, "connectTimeoutInSeconds": 5,
        });
        let expected = json!({
            "jobId": "j", "queryCondition": "*", "startTime": "2026-12-01T04:00:00Z", "type": "scheduleDeviceMethod",
            "maxExecutionTimeInSeconds": 3600, "cloudToDeviceMethod": method,
        });
        assert_eq!(call, expected);
        let twins = wire(&["--desired", "telemetryInterval=60", "--tags", "seen=true"]);
        let expected = json!({"etag": "*", "tags": {"seen": true}, "properties": {"desired": {"telemetryInterval": 60}}});
        assert_eq!((&twins["type"], &twins["updateTwin"]), (&json!("scheduleUpdateTwin"), &expected));
    }

    #[test]
    fn a_job_is_judged_by_its_devices() {
        let judged = |status: &str, failed: u64| {
            let job = json!({"jobId": "j", "status": status, "deviceJobStatistics": {"failedCount": failed}});
            judge(&job).map_err(|error| error.to_string())
        };
        assert_eq!(judged("completed", 0), Ok(()));
        assert!(judged("completed", 2).unwrap_err().contains("failed for 2 devices"));
        assert_eq!(judged("cancelled", 0), Err("the job j is cancelled".into()));
    }
}
