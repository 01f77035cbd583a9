//! What the page, the history and the backend tell each other, as JSON has it: camelCase, times in RFC 3339 with milliseconds,
//! UTC.

mod detail;
mod failure;
mod faults;
mod incoming;
mod live;
mod operations;
mod place;
mod row;
mod scenario;
mod series;
mod session;
mod story;
pub mod time;

pub use detail::{DeviceDetail, Identity};
pub use failure::{Failure, FailureBody};
pub use faults::{All, Fault, FaultKind, FaultWish, Faults, Injected, Targets};
pub use incoming::{CloudEvent, Incoming, Message};
pub use live::{Delta, Lagged};
pub use operations::{
    Acknowledgement, Deprovision, Deprovisioned, DesiredPatch, DeviceMessage, DeviceStatusWish, MethodAnswer,
    MethodCall, Move, ProvisioningStatus, ProvisioningWish, TimeWish, Trips, TwinPatch, Unmoved, Verdict,
    Verification,
};
pub use place::{Fence, Places, Tails};
pub use row::{Connection, Fleet, Position, ProfileBand, Row, RowAlarm, Severity, State};
pub use scenario::{Scenario, ScenarioState, ScenarioStep, ScenarioWish};
pub use series::{AlarmSpan, AlarmSpans, FieldSeries, Series, Track, TrackPoint};
pub use session::{Abilities, Mode, Session, Span, TelemetryState, TimeState};
pub use story::{StoryEntry, StoryKind, StoryPage};
