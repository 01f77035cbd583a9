//! The keys of rows: whose, and from when, as one whole number, so that what belongs together lies together.

/// A device, by the number that the file has given it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Device(pub(super) i64);

/// Bits of a time: milliseconds until the year 2109.
const TIME_BITS: u32 = 42;

/// The key of a row of this device that begins at this time, in milliseconds since 1970. Times that can't be kept are the
/// nearest that can.
pub(super) fn key(device: Device, time: i64) -> i64 {
    (device.0 << TIME_BITS) | time.clamp(0, TIMES)
}

/// The bits of a time.
pub(super) const TIMES: i64 = (1 << TIME_BITS) - 1;

/// When a row with this key begins.
pub(super) fn time_of(key: i64) -> i64 {
    key & TIMES
}

/// Whose it is.
pub(super) fn device_of(key: i64) -> Device {
    Device(key >> TIME_BITS)
}
