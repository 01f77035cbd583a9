//! What commands share with the terminal or service manager that started them: the log, signals, and the screen.

pub(super) mod log;
#[cfg(feature = "lab")]
pub(super) mod screen;
pub(super) mod signals;
#[cfg(feature = "lab")]
pub(super) mod stopping;
#[cfg(feature = "lab")]
pub(super) mod width;
