//! Ctrl-C and SIGTERM, for commands that work without an async runtime and have to leave something in order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::bail;

use crate::commands::signals::asked_to_stop;

/// How often is looked whether it is asked for, while nothing else happens.
const EVERY: Duration = Duration::from_millis(100);

/// Whether the program was asked to stop.
#[derive(Clone)]
pub(in crate::cli) struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Listens from now on. Who asks twice does not want to wait.
    pub(in crate::cli) fn listen() -> Self {
        let stop = Self(Arc::default());
        let (told, (ready, is_ready)) = (stop.clone(), sync_channel(1));
        // It ends with the program. Where there is no runtime, signals do what they always do.
        thread::spawn(move || {
            let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
                return;
            };
            runtime.block_on(async {
                let asked = asked_to_stop();
                let _ = ready.send(());
                asked.await;
                told.0.store(true, Ordering::Relaxed);
                if tokio::signal::ctrl_c().await.is_ok() {
                    std::process::exit(130);
                }
            });
        });
        // Or the thread is gone.
        let _ = is_ready.recv();
        stop
    }

    /// Whether it is asked for.
    pub(in crate::cli) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error when it is.
    pub(in crate::cli) fn check(&self) -> anyhow::Result<()> {
        if self.is_asked() {
            bail!("stopped before all was done");
        }
        Ok(())
    }

    /// Waits, but no longer than until it is asked for. Whether it was not.
    pub(in crate::cli) fn sleep(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while !self.is_asked() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(EVERY));
        }
        false
    }
}
