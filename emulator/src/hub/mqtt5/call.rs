//! A call of a direct method under way.

use std::time::Duration;

use tokio::{sync::oneshot, time::Instant};

use crate::hub::{HubError, connection::MethodAnswer};

pub(super) type Answer = oneshot::Sender<Result<MethodAnswer, HubError>>;

/// A call under way.
#[derive(Debug)]
pub(super) struct Call {
    pub payload: Vec<u8>,
    pub response: Duration,
    /// Set once the device is ready.
    pub ready_id: Option<Vec<u8>>,
    /// When the probe, and later the call, is over.
    pub due: Instant,
    pub began: Instant,
    pub answer: Answer,
}
