//! How much an event matters.

use crate::alarms::life::Kind;
use crate::event::model::{Event, Loss};
use crate::settings::Standing;

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Only for those who look closely.
    Debug,
    /// All as it should be.
    Info,
    /// Not as it should be, and the agent deals with it.
    Warning,
    /// A person must do something.
    Error,
}

impl Event {
    /// How much it matters.
    pub fn severity(&self) -> Severity {
        use tracker_sensors::health::State;
        match self {
            Self::Refused { .. }
            | Self::Lost { loss: Loss::TakenOver | Loss::Displaced, .. }
            | Self::Hung(_)
            | Self::Stopped { lost: 1.., .. } => Severity::Error,
            Self::RegisterLater { .. }
            | Self::ConnectLater { .. }
            | Self::CertificateRefused { .. }
            | Self::Lost { .. }
            | Self::Alarm { kind: Kind::Raised | Kind::Escalated, .. }
            | Self::Trouble(_)
            | Self::Offline(_) => Severity::Warning,
            // A twin that was made anew is nobody's doing.
            Self::Setting(answer) if answer.standing == Standing::Absent => Severity::Info,
            Self::Setting(answer) if answer.acknowledgement.code as u16 >= 400 => Severity::Warning,
            Self::Sensor { health, .. } if matches!(health.state, State::Failed | State::Degraded) => {
                Severity::Warning
            }
            Self::Repeated { last, .. } => last.severity(),
            Self::Delivered { .. } => Severity::Debug,
            _ => Severity::Info,
        }
    }
}
