//! Memory of those who have gone goes back to the system. glibc keeps it for more of the same, between what is still there.

use std::sync::atomic::{AtomicUsize, Ordering};

/// From so many on it is worth while.
const MANY: usize = 200;

/// Connections and devices that have gone since memory was given back. There is one allocator, and so one number, however many
/// emulators there are.
static GONE: AtomicUsize = AtomicUsize::new(0);

/// As many as there were at the last look.
static SEEN: AtomicUsize = AtomicUsize::new(0);

/// A connection has ended, or a device is deleted.
pub(crate) fn one_has_gone() {
    GONE.fetch_add(1, Ordering::Relaxed);
}

/// To be asked now and then: whether many have gone, and no more of them are going. While others come in their place, what is
/// given back would be asked for again.
pub(crate) fn is_worth_while() -> bool {
    let gone = GONE.load(Ordering::Relaxed);
    let is_so = SEEN.swap(gone, Ordering::Relaxed) == gone && gone >= MANY;
    if is_so {
        GONE.fetch_sub(gone, Ordering::Relaxed);
    }
    is_so
}

/// Gives back what is free, which takes some milliseconds.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "only the allocator itself can do it, and no crate wraps it")]
pub(crate) fn give_back() {
    // SAFETY: takes a number, and touches nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators do it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}
