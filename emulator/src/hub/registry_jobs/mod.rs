//! Jobs over the whole registry: export to a container of the storage, import from one. One at a time, as at Azure.

mod container_uri;
mod job;
mod jobs;

pub(crate) use container_uri::{ContainerAt, container_at};
pub(crate) use job::{JobOrder, JobStatus, RegistryJob, RegistryJobKind};
pub(super) use jobs::{KeptRegistryJobs, RegistryJobs};
