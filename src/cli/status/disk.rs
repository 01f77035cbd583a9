//! The disk that the journal is on, seen from outside.

use std::path::Path;

/// How much there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Disk {
    /// Bytes of the journal.
    pub(super) journal: u64,
    /// Bytes that are free.
    pub(super) free: u64,
}

impl Disk {
    /// `None` where this user may not look.
    #[cfg(target_os = "linux")]
    pub(super) fn look(directory: &Path) -> Option<Self> {
        let size = |name| std::fs::metadata(directory.join(name)).map(|file| file.len());
        let journal = size("journal.db").ok()? + size("journal.db-wal").unwrap_or(0);
        let disk = rustix::fs::statvfs(directory).ok()?;
        Some(Self { journal, free: disk.f_bavail.saturating_mul(disk.f_frsize) })
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn look(_directory: &Path) -> Option<Self> {
        None
    }
}

/// Bytes as people say them.
pub(super) fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000_000 => format!("{} KB", bytes.div_ceil(1000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
