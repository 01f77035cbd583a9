//! Memory that devices have left.
//!
//! What a connection has used is free when it ends, but the allocator of glibc gives back to the system what lies at the end of
//! its heap, and nothing else before it is asked to.

/// So many have to have left before it is worth a look through the heap.
const MANY: u64 = 500;

/// Sees when many have left and no more of them do.
#[derive(Debug, Default)]
pub(crate) struct Returns {
    /// How many had left when it was looked last.
    left: u64,
    /// And when memory was given back last.
    given_back: u64,
}

impl Returns {
    /// Whether it is time to give memory back, where so many devices and connections have left since the beginning.
    pub(crate) fn are_due(&mut self, left: u64) -> bool {
        let is_quiet = left == self.left;
        self.left = left;
        let is_due = is_quiet && left - self.given_back >= MANY;
        if is_due {
            self.given_back = left;
        }
        is_due
    }
}

/// Gives back all pages in which nothing is. Meanwhile nobody is given memory of the arena that it looks through.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "only the allocator can, and no crate asks it")]
pub(crate) fn give_back() {
    // SAFETY: it may be called at any time, by any thread, and changes nothing that is in use.
    unsafe { libc::malloc_trim(0) };
}

/// Other allocators do it by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(crate) fn give_back() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_given_back_when_many_have_left_and_no_more_of_them_do() {
        let mut returns = Returns::default();
        let due: Vec<bool> =
            [0, 300, 499, 499, 700, 900, 900, 900, 1400, 1400].map(|left| returns.are_due(left)).into();
        assert_eq!(due, [false, false, false, false, false, false, true, false, false, true]);
    }
}
