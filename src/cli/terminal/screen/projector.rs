//! A page that is shown beside the work of the program, by a thread of its own: neither waits for the other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use super::device::{Device, leave};
use super::look::Look;
use super::page::Page;
use super::show::show_on;

/// A thread that is longer at it writes into a terminal that takes nothing.
const ENDS_WITHIN: Duration = Duration::from_millis(600);

/// Shows a page until it is dropped. The terminal is then as it was.
pub(in crate::cli) struct Projector {
    is_ended: Arc<AtomicBool>,
    over: Receiver<()>,
}

impl Projector {
    /// Begins; `then` is done when a key, or the end of the terminal, has ended the page.
    pub(in crate::cli) fn start(
        mut page: impl Page + Send + 'static,
        look: Look,
        then: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let device = Device::enter()?;
        let is_ended = Arc::<AtomicBool>::default();
        let (is_over, over) = sync_channel(1);
        let asked = is_ended.clone();
        thread::Builder::new().name("screen".into()).spawn(move || {
            let _then = AtEnd(Some(then));
            // Nobody waits any more when it is dropped.
            let _over: SyncSender<()> = is_over;
            let device = device;
            // What it shows on is gone when it fails, and so is who would read of it.
            let _ = show_on(&device, &mut page, look, &|| asked.load(Ordering::Relaxed));
        })?;
        Ok(Self { is_ended, over })
    }
}

/// Is done at the end, also at that by a panic.
struct AtEnd<F: FnOnce()>(Option<F>);

impl<F: FnOnce()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        if let Some(then) = self.0.take() {
            then();
        }
    }
}

impl Drop for Projector {
    fn drop(&mut self) {
        self.is_ended.store(true, Ordering::Relaxed);
        let _ = self.over.recv_timeout(ENDS_WITHIN);
        leave();
    }
}
