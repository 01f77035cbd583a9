//! Messages from the cloud to devices, and the feedback on what became of them.
//!
//! ```text
//!  service ─▶ MessageQueue of the device ─▶ lock ─▶ device: complete │ reject │ abandon, or the lock ends
//!                     │ purged, expired, tried ten times                 │
//!                     └───────────────▶ FeedbackQueue of the hub ◀───────┘  if the message asks for it
//! ```

mod message;
mod feedback;
mod queue;

pub(super) use feedback::{FeedbackQueue, FeedbackRecord};
pub use message::{Acknowledgement, CloudToDeviceMessage};
pub(super) use message::{KeptMessage, Outcome};
pub(super) use queue::MessageQueue;
pub(crate) use queue::{LOCK_TIME, ReceivedMessage};
