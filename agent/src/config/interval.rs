//! The time between readings.

use std::time::Duration;

use serde_json::Value;

/// A whole number of seconds from one second to one day; a minute, unless somebody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(u32);

impl Interval {
    /// The shortest, in seconds.
    pub const SHORTEST: u32 = 1;
    /// The longest, in seconds: one day.
    pub const LONGEST: u32 = 86_400;
    /// An hour.
    pub const HOUR: Self = Self(3600);

    /// This many seconds; `None` if that is too short or too long.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        let seconds = u32::try_from(seconds).ok()?;
        (Self::SHORTEST..=Self::LONGEST).contains(&seconds).then_some(Self(seconds))
    }

    /// A whole number of seconds in JSON; `5.0` is one as well. An error is a sentence that shows the value as `quoted` does.
    pub fn read(value: &Value, quoted: fn(&Value) -> String) -> Result<Self, String> {
        whole(value).and_then(Self::from_seconds).ok_or_else(|| {
            let (least, most) = (Self::SHORTEST, Self::LONGEST);
            format!("{} is not a whole number of seconds from {least} to {most}", quoted(value))
        })
    }

    /// In seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// As a duration.
    pub fn duration(self) -> Duration {
        Duration::from_secs(self.0.into())
    }
}

/// A whole number, however it is written.
pub(super) fn whole(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| {
        value
            .as_f64()
            .filter(|seconds| seconds.fract() == 0.0 && (0.0..1e18).contains(seconds))
            .map(|seconds| seconds as u64)
    })
}

impl Default for Interval {
    fn default() -> Self {
        Self(60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_one_second_to_one_day() {
        let seconds = |seconds| Interval::from_seconds(seconds).map(Interval::seconds);
        assert_eq!((seconds(0), seconds(1)), (None, Some(1)));
        assert_eq!((seconds(86_400), seconds(86_401)), (Some(86_400), None));
        assert_eq!(seconds((1 << 32) + 60), None);
    }
}
