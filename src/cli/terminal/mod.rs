//! What commands share with the terminal or service manager that started them: the log, and signals.

pub(super) mod log;
pub(super) mod signals;
