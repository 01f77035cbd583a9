//! How often the twin is told where the container is, and how cold.

use std::time::Duration;

use serde_json::Value;

use super::interval::whole;

/// A whole number of seconds from one minute to one day, or 0 for never; an hour, unless somebody says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastInterval(u32);

impl LastInterval {
    /// Once an hour.
    pub const HOURLY: Self = Self(3600);
    /// The shortest, in seconds: what is told so changes the twin, which hubs count as a message.
    const SHORTEST: u32 = 60;
    /// The longest, in seconds: one day.
    const LONGEST: u32 = 86_400;

    /// This many seconds; an error is a sentence about them.
    pub fn from_seconds(seconds: u64) -> Result<Self, String> {
        let good = u32::try_from(seconds).ok();
        let good = good.filter(|seconds| *seconds == 0 || (Self::SHORTEST..=Self::LONGEST).contains(seconds));
        good.map(Self).ok_or_else(|| Self::refusal(&seconds.to_string()))
    }

    /// A whole number of seconds in JSON. An error is a sentence that shows the value as `quoted` does.
    pub fn read(value: &Value, quoted: fn(&Value) -> String) -> Result<Self, String> {
        let seconds = whole(value).ok_or_else(|| Self::refusal(&quoted(value)))?;
        Self::from_seconds(seconds)
    }

    /// As it is written.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// As a duration; `None` for never.
    pub fn duration(self) -> Option<Duration> {
        (self.0 > 0).then(|| Duration::from_secs(self.0.into()))
    }

    fn refusal(shown: &str) -> String {
        let (least, most) = (Self::SHORTEST, Self::LONGEST);
        format!("{shown} is neither a whole number of seconds from {least} to {most} nor 0, for never")
    }
}

impl Default for LastInterval {
    fn default() -> Self {
        Self::HOURLY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_a_minute_to_a_day_or_never() {
        let seconds = |seconds| LastInterval::from_seconds(seconds).map(LastInterval::duration).ok();
        assert_eq!((seconds(0), seconds(59)), (Some(None), None));
        assert_eq!(
            (seconds(60), seconds(86_400)),
            (Some(Some(Duration::from_mins(1))), Some(Some(Duration::from_hours(24))))
        );
        assert_eq!((seconds(86_401), seconds((1 << 32) + 60)), (None, None));
    }
}
