//! What the program stands on: the clock, files that survive a power cut, the network's word, systemd, and whether every
//! essential task makes progress.

pub mod background;
pub mod clock;
pub mod disk_room;
pub mod heartbeat;
pub mod kernel_clock;
pub mod network;
pub mod notify;
pub mod owner;
#[cfg(target_os = "linux")]
mod route_changes;
pub mod plain_file;
pub mod runtime_directory;
pub mod secrets;
pub mod shorten;
pub mod state_directory;
pub mod state_file;
pub mod stderr;
pub mod stdout;
pub mod timestamp;
pub mod watched_file;
pub mod user_agent;
