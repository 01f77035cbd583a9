//! A file that somebody may replace while it is in use, as a certificate is renewed: whether it still is the one that was
//! read.

use std::future::pending;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tracker_timers::sleep_about;

/// A file, and when it had last been modified when it was taken into use.
#[derive(Debug, Clone)]
pub struct WatchedFile {
    path: PathBuf,
    modified: Option<SystemTime>,
}

impl WatchedFile {
    /// The file as it is now. To be made before the file is read: what is written in between is then seen as new.
    pub fn new(path: &Path) -> Self {
        Self { path: path.into(), modified: modified(path) }
    }

    /// Whether it is another one now, or gone.
    pub fn has_changed(&self) -> bool {
        modified(&self.path) != self.modified
    }

    /// Waits until another one is in its place, and looks every `look_every`. One that is gone is waited for.
    pub async fn replaced(&self, look_every: Duration) {
        loop {
            sleep_about(look_every).await;
            let now = modified(&self.path);
            if now.is_some() && now != self.modified {
                return;
            }
        }
    }
}

/// As [`WatchedFile::replaced`]; never, where no file is in use.
pub async fn replaced(file: Option<WatchedFile>, look_every: Duration) {
    match file {
        Some(file) => file.replaced(look_every).await,
        None => pending().await,
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn another_file_is_noticed_and_one_that_is_gone_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("chain.pem");
        File::create(&path).unwrap();
        let file = WatchedFile::new(&path);
        assert!(!file.has_changed());
        std::fs::remove_file(&path).unwrap();
        assert!(file.has_changed());
        let (look, patience) = (Duration::from_secs(1), Duration::from_secs(10));
        assert!(
            tokio::time::timeout(patience, file.replaced(look)).await.is_err(),
            "nothing came in its place"
        );
        let later = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
        File::create(&path).unwrap().set_modified(later).unwrap();
        assert!(tokio::time::timeout(patience, file.replaced(look)).await.is_ok());
    }
}
