//! Where events go: to the log, or to whoever listens.

use std::fmt;
use std::sync::Arc;

use tracing::{debug, error, info, warn};

use crate::event::model::Event;
use crate::event::severity::Severity;

/// Somebody who listens beside the log.
pub type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// Where a tracker's events go.
#[derive(Clone)]
pub struct Events {
    device: String,
    listener: Option<Listener>,
    also: Option<Listener>,
}

impl Events {
    /// Events of this device go to the log.
    pub fn log(device: impl Into<String>) -> Self {
        Self { device: device.into(), listener: None, also: None }
    }

    /// Events go to `listener` instead of the log.
    pub fn to(device: impl Into<String>, listener: Listener) -> Self {
        Self { device: device.into(), listener: Some(listener), also: None }
    }

    /// Beside where they go already, events go to `also`.
    #[must_use]
    pub fn and_to(self, also: Listener) -> Self {
        let also = match self.also {
            None => also,
            Some(before) => Arc::new(move |event: &Event| {
                before(event);
                also(event);
            }),
        };
        Self { also: Some(also), ..self }
    }

    /// Tells an event.
    #[expect(clippy::needless_pass_by_value, reason = "an event is told once and then gone")]
    pub fn emit(&self, event: Event) {
        if let Some(also) = &self.also {
            also(&event);
        }
        if let Some(listener) = &self.listener {
            listener(&event);
            return;
        }
        let device = &self.device;
        match event.severity() {
            Severity::Debug => debug!(device, "{event}"),
            Severity::Info => info!(device, "{event}"),
            Severity::Warning => warn!(device, "{event}"),
            Severity::Error => error!(device, "{event}"),
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({})", self.device)
    }
}
