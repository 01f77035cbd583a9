//! The door: a reed switch on a GPIO line, which tells by interrupt each time that the door is opened.
//!
//! A magnet on the door holds the switch; where the door goes, the switch turns and its spring bounces for some
//! milliseconds. The kernel puts a time on each edge of the line and keeps it until it is read, so that an opening
//! between two readings is counted, however short, as long as it outlasts the debouncing.

mod contact;
mod debouncer;
mod error;
#[cfg(target_os = "linux")]
mod gpio;
mod settings;
mod source;
mod state;

pub use contact::DoorContact;
pub use debouncer::{Change, Debouncer};
pub use error::{LineCause, LineError};
#[cfg(target_os = "linux")]
pub use gpio::GpioSource;
pub use settings::{Bias, ContactSettings, LineSettings};
pub use source::{Edge, Line, LineSource};
pub use state::{Door, DoorState};
