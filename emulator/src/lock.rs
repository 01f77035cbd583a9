//! Locks that survive a panic elsewhere, and a lock that tells when what is behind it changes.

use std::{
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::watch;

/// Takes the lock. A holder that panicked does not take the emulator with it: every change under a lock is made
/// after all that can fail, so what is behind it is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts changes of what has to outlive a restart. Clones count together.
#[derive(Clone, Debug)]
pub(crate) struct Changes(Arc<watch::Sender<u64>>);

impl Default for Changes {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Changes {
    pub(crate) fn count(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }
}

/// A lock over state of which a part is kept over a restart.
#[derive(Debug, Default)]
pub(crate) struct Tracked<T> {
    value: Mutex<T>,
    changes: Changes,
}

impl<T> Tracked<T> {
    pub(crate) fn new(value: T, changes: Changes) -> Self {
        Self { value: Mutex::new(value), changes }
    }

    /// To read, or to change what is not kept.
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.value)
    }

    /// To change what is kept; counted as a change when the guard goes.
    pub(crate) fn change(&self) -> ChangeGuard<'_, T> {
        ChangeGuard { guard: self.lock(), changes: &self.changes }
    }
}

/// Counts a change when it is dropped.
pub(crate) struct ChangeGuard<'a, T> {
    guard: MutexGuard<'a, T>,
    changes: &'a Changes,
}

impl<T> Deref for ChangeGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for ChangeGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.guard
    }
}

impl<T> Drop for ChangeGuard<'_, T> {
    fn drop(&mut self) {
        self.changes.count();
    }
}
