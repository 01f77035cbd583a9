//! What waits for the journal's thread, and when the thread wakes of itself.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::command::Command;

/// Commands that may wait while the disk is slow: four minutes of readings at one a second.
const COMMANDS: usize = 256;

/// The queue between the handles and the thread.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    ready: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    commands: VecDeque<Command>,
    /// Nobody will send any more, or nobody will receive.
    closed: bool,
    /// The thread sleeps, and wakes then if nothing comes.
    until: Option<Instant>,
    /// The thread must not sleep before it has looked when it is needed.
    look: bool,
}

/// Why a command was not taken; it comes back.
#[derive(Debug)]
pub(super) enum Refused {
    /// Too many wait.
    Full(Command),
    /// There is no thread any more.
    Closed(Command),
}

impl Inbox {
    /// Puts a command at the end.
    pub(super) fn send(&self, command: Command) -> Result<(), Refused> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Refused::Closed(command));
        }
        if queue.commands.len() >= COMMANDS {
            return Err(Refused::Full(command));
        }
        queue.commands.push_back(command);
        drop(queue);
        self.ready.notify_one();
        Ok(())
    }

    /// Whether there is nothing that must be done first.
    pub(super) fn is_empty(&self) -> bool {
        let queue = self.lock();
        queue.commands.is_empty() && !queue.closed
    }

    /// Has the thread wake no later than `due`.
    pub(super) fn wake_by(&self, due: Instant) {
        let mut queue = self.lock();
        if queue.until.is_none_or(|until| until > due) {
            queue.look = true;
            drop(queue);
            self.ready.notify_one();
        }
    }

    /// Sleeps until there is something to do, at the latest `until`.
    pub(super) fn wait(&self, until: Option<Instant>) {
        let mut queue = self.lock();
        while queue.commands.is_empty() && !queue.closed && !queue.look {
            queue.until = until;
            queue = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => break,
                Some(left) => self.ready.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.ready.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
        (queue.until, queue.look) = (None, false);
    }

    /// All that has come, and whether more can.
    pub(super) fn take(&self) -> (VecDeque<Command>, bool) {
        let mut queue = self.lock();
        (std::mem::take(&mut queue.commands), !queue.closed)
    }

    /// Nothing is taken any more; what waits can still be received.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_one();
    }

    /// Nothing is taken any more, and nobody gets what waits.
    pub(super) fn abandon(&self) {
        self.close();
        self.lock().commands.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // No code panics while it holds the lock; if it did, the queue would still be good.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn command() -> Command {
        Command::Commit(oneshot::channel().0)
    }

    /// Waits in a thread of its own, until far away.
    fn sleeper(inbox: &Arc<Inbox>) -> thread::JoinHandle<()> {
        let waiting = inbox.clone();
        let thread = thread::spawn(move || waiting.wait(Some(Instant::now() + HOUR)));
        while inbox.lock().until.is_none() {
            thread::yield_now();
        }
        thread
    }

    #[test]
    fn a_command_wakes() {
        let inbox = Arc::new(Inbox::default());
        let thread = sleeper(&inbox);
        inbox.send(command()).unwrap();
        thread.join().unwrap();
        assert!(!inbox.is_empty());
        let (commands, open) = inbox.take();
        assert_eq!((commands.len(), open), (1, true));
    }

    #[test]
    fn who_sleeps_too_long_looks_again_and_who_does_not_sleeps_on() {
        let inbox = Arc::new(Inbox::default());
        let thread = sleeper(&inbox);
        inbox.wake_by(Instant::now() + 2 * HOUR);
        assert!(!inbox.lock().look);
        inbox.wake_by(Instant::now() + HOUR / 2);
        thread.join().unwrap();
        // Asked before it sleeps, it does not begin to.
        inbox.wake_by(Instant::now() + HOUR);
        inbox.wait(None);
    }

    #[test]
    fn full_and_closed_it_gives_commands_back() {
        let inbox = Inbox::default();
        for _ in 0..COMMANDS {
            inbox.send(command()).unwrap();
        }
        assert!(matches!(inbox.send(command()), Err(Refused::Full(Command::Commit(_)))));
        inbox.close();
        assert!(matches!(inbox.send(command()), Err(Refused::Closed(Command::Commit(_)))));
        inbox.wait(None);
        let (commands, open) = inbox.take();
        assert_eq!((commands.len(), open), (COMMANDS, false));
    }

    #[test]
    fn when_time_is_up_it_wakes() {
        Inbox::default().wait(Some(Instant::now()));
    }
}
