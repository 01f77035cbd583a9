//! What waits for a disk, away from the thread that measures: a worn card takes seconds for a small file.

use std::collections::VecDeque;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::watch;

type Job = Box<dyn FnOnce() + Send>;

/// Work on small files, done one after the other in a thread that is there while there is any.
#[derive(Clone, Default)]
pub struct Background(Arc<Shared>);

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}

#[derive(Default)]
struct Shared {
    /// At most one a file: what comes later takes the place of what has not begun.
    waiting: Mutex<VecDeque<(PathBuf, Job)>>,
    /// Changed while the lock is held.
    works: watch::Sender<bool>,
}

impl Background {
    /// Does this with `file`, soon. What is still waiting to be done with it is not done any more.
    pub fn run(&self, file: &Path, job: impl FnOnce() + Send + 'static) {
        {
            let mut waiting = self.0.lock();
            waiting.retain(|(path, _)| path != file);
            waiting.push_back((file.into(), Box::new(job)));
            if self.0.works.send_replace(true) {
                return;
            }
        }
        let shared = self.0.clone();
        if thread::Builder::new().name("files".into()).spawn(move || shared.work()).is_err() {
            // A slow disk is better than none.
            self.0.work();
        }
    }

    /// Waits until all is done.
    pub async fn done(&self) {
        // The sender is here.
        let _ = self.0.works.subscribe().wait_for(|works| !works).await;
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, VecDeque<(PathBuf, Job)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            job();
        }
    }

    fn next(&self) -> Option<Job> {
        let mut waiting = self.lock();
        let next = waiting.pop_front();
        if next.is_none() {
            self.works.send_replace(false);
        }
        next.map(|(_, job)| job)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[tokio::test]
    async fn nobody_waits_and_of_one_file_the_last_counts() {
        let (background, done) = (Background::default(), Arc::new(Mutex::new(Vec::new())));
        let (open, gate) = sync_channel(0);
        let (begun, has_begun) = sync_channel(0);
        background.run(Path::new("slow"), move || {
            begun.send(()).unwrap();
            gate.recv().unwrap();
        });
        has_begun.recv().unwrap();
        for (file, what) in [("a", 1), ("b", 2), ("a", 3), ("slow", 4)] {
            let done = done.clone();
            background.run(Path::new(file), move || done.lock().unwrap().push(what));
        }
        assert!(done.lock().unwrap().is_empty(), "the disk hangs");
        open.send(()).unwrap();
        background.done().await;
        assert_eq!(*done.lock().unwrap(), [2, 3, 4]);
        background.done().await;
    }
}
