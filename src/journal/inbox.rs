//! What waits for the journal's thread. Unlike a channel it can be filled without waking the reader: what need not be
//! seen before the thread wakes of itself costs no wake of its own.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::worker::Command;

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
    /// The thread wakes of itself before readings have waited for too long; until then they can, and so can
    /// acknowledgements.
    soon: bool,
    /// Somebody waits for the next reading.
    awaited: bool,
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
        self.put(command, false)
    }

    /// Puts a command at the end that there is nothing to do about before others come.
    pub(super) fn send_quietly(&self, command: Command) -> Result<(), Refused> {
        self.put(command, true)
    }

    fn put(&self, command: Command, quietly: bool) -> Result<(), Refused> {
        let mut queue = self.lock();
        if queue.closed {
            return Err(Refused::Closed(command));
        }
        if queue.commands.len() >= COMMANDS {
            return Err(Refused::Full(command));
        }
        let can_wait = match command {
            Command::Append(_) => queue.soon && !queue.awaited,
            Command::Acknowledge(_) => queue.soon,
            _ => quietly,
        };
        queue.awaited |= matches!(command, Command::Await { .. });
        queue.commands.push_back(command);
        drop(queue);
        if !can_wait {
            self.ready.notify_one();
        }
        Ok(())
    }

    /// Readings whose acknowledgement the thread has not seen yet.
    pub(super) fn acknowledged(&self) -> u64 {
        let seqs = |command: &Command| if let Command::Acknowledge(seqs) = command { seqs.len() } else { 0 };
        self.lock().commands.iter().map(seqs).sum::<usize>() as u64
    }

    /// Waits for commands and takes them all, none if it is `until` before. With `soon` readings and acknowledgements may
    /// wait until then; but a reading that is `awaited` never does. `None` once the inbox is closed and empty.
    pub(super) fn receive(
        &self,
        until: Option<Instant>,
        soon: bool,
        awaited: bool,
    ) -> Option<VecDeque<Command>> {
        let mut queue = self.lock();
        queue.awaited |= awaited;
        // What came while the thread worked is not made to wait.
        while queue.commands.is_empty() && !queue.closed {
            queue.soon = soon;
            queue = match until.map(|until| until.saturating_duration_since(Instant::now())) {
                Some(left) if left.is_zero() => break,
                Some(left) => {
                    let (queue, waited) =
                        self.ready.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner);
                    if waited.timed_out() {
                        return Some(Self::take(queue));
                    }
                    queue
                }
                None => self.ready.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
        if queue.closed && queue.commands.is_empty() { None } else { Some(Self::take(queue)) }
    }

    fn take(mut queue: MutexGuard<'_, Queue>) -> VecDeque<Command> {
        (queue.soon, queue.awaited) = (false, false);
        std::mem::take(&mut queue.commands)
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
    use crate::reading::{Reading, Stamp};

    fn append() -> Command {
        let stamp = Stamp { utc: None, monotonic: Duration::ZERO };
        Command::Append(Reading { stamp, fields: serde_json::Map::new(), alerts: Vec::new() })
    }

    fn urgent() -> Command {
        Command::Commit(oneshot::channel().0)
    }

    /// Receives in a thread of its own, until far away.
    fn receiver(inbox: &Arc<Inbox>, soon: bool) -> thread::JoinHandle<usize> {
        let receiving = inbox.clone();
        let until = Instant::now() + Duration::from_secs(3600);
        let thread =
            thread::spawn(move || receiving.receive(Some(until), soon, false).map_or(0, |all| all.len()));
        while soon && !inbox.lock().soon {
            thread::yield_now();
        }
        thread
    }

    #[test]
    fn readings_wait_where_they_may_and_go_with_what_may_not() {
        let inbox = Arc::new(Inbox::default());
        let thread = receiver(&inbox, true);
        inbox.send(append()).unwrap();
        inbox.send(append()).unwrap();
        // The thread has not been woken for them, or it would have taken them and ended.
        assert!(inbox.lock().soon && inbox.lock().commands.len() == 2);
        inbox.send(urgent()).unwrap();
        assert_eq!(thread.join().unwrap(), 3);
    }

    #[test]
    fn a_reading_that_somebody_waits_for_does_not_wait() {
        let inbox = Arc::new(Inbox::default());
        let thread = receiver(&inbox, true);
        let stamp = Stamp { utc: None, monotonic: Duration::ZERO };
        inbox.send(Command::Acknowledge(vec![1])).unwrap();
        inbox.send_quietly(Command::Await { limit: 1, now: stamp, reply: oneshot::channel().0 }).unwrap();
        assert!(inbox.lock().soon && inbox.lock().commands.len() == 2, "nothing to be done yet");
        inbox.send(append()).unwrap();
        assert_eq!(thread.join().unwrap(), 3);
    }

    #[test]
    fn a_reading_wakes_a_thread_that_would_sleep_for_long() {
        let inbox = Arc::new(Inbox::default());
        let thread = receiver(&inbox, false);
        inbox.send(append()).unwrap();
        assert_eq!(thread.join().unwrap(), 1);
    }

    #[test]
    fn full_and_closed_it_gives_commands_back() {
        let inbox = Inbox::default();
        for _ in 0..COMMANDS {
            inbox.send(append()).unwrap();
        }
        assert!(matches!(inbox.send(append()), Err(Refused::Full(Command::Append(_)))));
        inbox.close();
        assert!(matches!(inbox.send(urgent()), Err(Refused::Closed(Command::Commit(_)))));
        assert_eq!(inbox.receive(None, false, false).map(|all| all.len()), Some(COMMANDS));
        assert!(inbox.receive(None, false, false).is_none());
    }

    #[test]
    fn when_time_is_up_it_gives_what_there_is() {
        let inbox = Inbox::default();
        let past = Instant::now();
        assert_eq!(inbox.receive(Some(past), true, false).map(|all| all.len()), Some(0));
        inbox.send(append()).unwrap();
        assert_eq!(inbox.receive(Some(past), true, false).map(|all| all.len()), Some(1));
    }
}
