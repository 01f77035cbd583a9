//! The commands of a tracker, one file or folder each, and what they share with whoever started them.

pub mod log;
pub mod signals;
pub mod config_argument;
pub mod confirmation;
pub mod known_dates;
pub mod issued_words;
pub mod issuance;
pub mod run;
pub mod check;
pub mod provision;
pub mod deprovision;
pub mod status;
