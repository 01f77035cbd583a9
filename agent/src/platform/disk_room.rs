//! How much a disk still takes.

use std::path::Path;

/// MiB that are free where `path` is, for who is not root; `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub fn free_mib(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize) / 1024 / 1024)
}

/// MiB that are free where `path` is, for who is not root; `None` where the system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn free_mib(_: &Path) -> Option<u64> {
    None
}
