//! Whether the kernel's clock is right, by the word of those who keep it.

/// The kernel's bound of its clock's error, in microseconds, from which on it is one that nobody sets. It is that after a
/// boot, when the clock is set by hand, and nine hours after the last word of NTP. `timedatectl` goes by the same; by the
/// flag `STA_UNSYNC` neither of us, because chrony without `rtcsync` leaves it set, as advised for machines without a
/// hardware clock.
#[cfg(target_os = "linux")]
const UNKNOWN_ERROR: libc::c_long = 16_000_000;

/// Where systemd-timesyncd says that it has set the clock. It goes when that service is stopped.
#[cfg(target_os = "linux")]
const TIMESYNCD: &str = "/run/systemd/timesync/synchronized";

/// Whether the kernel's clock is disciplined by NTP. A sandbox may forbid the question; then systemd's own word, where
/// it keeps the time, is taken.
#[cfg(target_os = "linux")]
pub fn is_synchronised() -> bool {
    ask() == Some(true) || std::path::Path::new(TIMESYNCD).exists()
}

/// Whether this process may ask the kernel.
#[cfg(target_os = "linux")]
pub fn may_be_asked() -> bool {
    ask().is_some()
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "only adjtimex gives the kernel's answer, and no crate wraps it")]
fn ask() -> Option<bool> {
    // SAFETY: all-zero is a valid timex, and with modes = 0 the call only writes to it.
    let (state, max_error) = unsafe {
        let mut timex: libc::timex = std::mem::zeroed();
        (libc::adjtimex(&raw mut timex), timex.maxerror)
    };
    vouches(state, max_error)
}

/// What `adjtimex` returns, and the bound of the error.
#[cfg(target_os = "linux")]
fn vouches(state: libc::c_int, max_error: libc::c_long) -> Option<bool> {
    (state >= 0).then_some(max_error < UNKNOWN_ERROR)
}

/// Whether the kernel's clock is disciplined by NTP; elsewhere than on Linux it is taken to be.
#[cfg(not(target_os = "linux"))]
pub fn is_synchronised() -> bool {
    true
}

/// Whether this process may ask the kernel.
#[cfg(not(target_os = "linux"))]
pub fn may_be_asked() -> bool {
    true
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// As seen on Debian 13 with kernel 6.12 and chrony 4.6.
    #[test]
    fn the_bound_of_the_error_counts_and_not_the_flag_for_the_hardware_clock() {
        assert_eq!(vouches(libc::TIME_ERROR, 832), Some(true), "chrony without rtcsync");
        assert_eq!(vouches(libc::TIME_OK, 832), Some(true), "chrony with rtcsync");
        assert_eq!(vouches(libc::TIME_ERROR, 16_000_000), Some(false), "a fresh boot, or set by hand");
        assert_eq!(vouches(-1, 0), None, "ProtectClock=yes");
    }
}
