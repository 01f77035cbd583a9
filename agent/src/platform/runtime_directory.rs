//! Where systemd gives a service room in memory for as long as the machine runs (`RuntimeDirectory=`).

use std::path::PathBuf;

/// Where the unit's `RuntimeDirectory=` is, for who looks from outside of the service.
pub const OF_THE_UNIT: &str = "/run/container-tracker";

/// `$RUNTIME_DIRECTORY`. systemd names several, separated by colons, when the unit has several: the first.
pub fn of_this_process() -> Option<PathBuf> {
    let directories = std::env::var("RUNTIME_DIRECTORY").ok()?;
    directories.split(':').next().filter(|first| !first.is_empty()).map(PathBuf::from)
}
