//! Jobs (IoT Hub developer guide, "schedule jobs on multiple devices"): a change of twins, or a call of a direct method, on all
//! devices that a condition holds for, at a time.
//!
//! ```text
//!  PUT /jobs/v2/{id} ─▶ queued ─▶ scheduled, until its time ─▶ running: the condition is asked once, and then one device after
//!                          │            │                        │        the other, some at a time
//!                          └────────────┴────────────────────────┴─▶ cancelled, completed, failed
//! ```
//!
//! What became of each device is kept with the job, and is what queries over `devices.jobs` find.

mod kind;
mod device_job;
mod model;
mod request;
mod store;

pub(in crate::hub) use device_job::{DeviceJob, DeviceJobError, DeviceJobStatus, Outcome};
pub(crate) use kind::{JobKind, JobStatus};
pub(in crate::hub) use model::{Job, Work};
pub(crate) use request::JobRequest;
pub(in crate::hub) use store::{KeptJobs, Store};
