//! Signals that the service obeys: SIGTERM and Ctrl-C end it, SIGHUP has it take in its configuration anew.

use std::io;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    Stop,
    Reload,
}

/// The signals of this process. None is missed while the last one is obeyed.
#[cfg(unix)]
pub(crate) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> Signal {
        tokio::select! {
            biased;
            Some(()) = self.terminate.recv() => Signal::Stop,
            Some(()) = self.interrupt.recv() => Signal::Stop,
            Some(()) = self.hangup.recv() => Signal::Reload,
            else => std::future::pending().await,
        }
    }
}

/// The signals of this process.
#[cfg(not(unix))]
pub(crate) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    pub(crate) async fn next(&mut self) -> Signal {
        asked_to_stop().await;
        Signal::Stop
    }
}

/// Waits for Ctrl-C or SIGTERM, or until nobody reads standard output any more, as after `| head`. Signals are taken from
/// the call on, before the first wait.
#[cfg(all(feature = "lab", unix))]
pub fn asked_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = [SignalKind::interrupt(), SignalKind::terminate()].map(signal);
    async move {
        let [interrupted, terminated] = signals.map(|signal| async {
            match signal {
                Ok(mut signal) => drop(signal.recv().await),
                Err(_) => std::future::pending().await,
            }
        });
        tokio::select! {
            () = interrupted => {}
            () = terminated => {}
            () = nobody_reads() => {}
        }
    }
}

/// Waits until the terminal is taken away, as when a window is closed or a line drops; for those who leave it as it was. The signal
/// is taken from the call on.
#[cfg(all(feature = "lab", unix))]
pub fn hung_up() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let hangup = signal(SignalKind::hangup());
    async move {
        match hangup {
            Ok(mut hangup) => drop(hangup.recv().await),
            Err(_) => std::future::pending().await,
        }
    }
}

/// Waits until the terminal is taken away, which nobody tells here.
#[cfg(all(feature = "lab", not(unix)))]
pub(crate) fn hung_up() -> impl Future<Output = ()> {
    std::future::pending()
}

/// Waits for Ctrl-C, or until nobody reads standard output any more, as after `| head`.
#[cfg(not(unix))]
pub(crate) async fn asked_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupted => {}
        () = nobody_reads() => {}
    }
}

#[cfg(feature = "lab")]
async fn nobody_reads() {
    let (gone, is_gone) = tokio::sync::oneshot::channel();
    when_nobody_reads(move || {
        let _ = gone.send(());
    });
    if is_gone.await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(all(not(feature = "lab"), not(unix)))]
async fn nobody_reads() {
    std::future::pending::<()>().await;
}

/// Does `then` when the reader of standard output, a pipe or a terminal, is gone. A file has none that could go, and only
/// Linux tells of it without being written to.
#[cfg(feature = "lab")]
pub fn when_nobody_reads(then: impl FnOnce() + Send + 'static) {
    #[cfg(target_os = "linux")]
    // A thread, which ends with the program: the runtime's own waiting wants the pipe to be changed for it.
    std::thread::spawn(move || {
        use rustix::event::{PollFd, PollFlags, poll};
        let output = io::stdout();
        // Asked for nothing, the kernel tells of errors and hang-ups alone.
        let mut polled = [PollFd::new(&output, PollFlags::empty())];
        let mut results = std::iter::repeat_with(|| poll(&mut polled, None));
        if results.find(|result| *result != Err(rustix::io::Errno::INTR)).is_some_and(|result| result.is_ok())
        {
            then();
        }
    });
    #[cfg(not(target_os = "linux"))]
    let _ = then;
}
