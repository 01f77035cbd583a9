//! What alarms look at.

/// Where the values of an alarm come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A numeric field of telemetry.
    Field(String),
    /// Whether the health of this sensor is that it gives nothing.
    SensorFailed(&'static str),
    /// Whether a receiver is there and has no fix.
    GpsGone,
    /// Whether a door is open, or was since the last reading; only then and there.
    DoorOpened(Door),
    /// Metres from where the box was when this was set.
    Moved,
    /// Whether the certificate is near its end: by so many days, or else by its life.
    CertificateEnds {
        /// Days.
        days: Option<u32>,
    },
    /// Days until the first of the roots of servers ends.
    RootsEnd,
    /// Whether the history has become coarser since the last reading.
    JournalThinned,
}

/// When and where a door that opens is an alarm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Door {
    /// Only within these hours.
    pub night: Option<Night>,
    /// Only outside this fence, or outside all of them where it is [`Door::FENCES`].
    pub outside: Option<String>,
}

impl Door {
    /// Stands for all fences.
    pub const FENCES: &str = "fences";
}

/// Hours of a day, which may go over midnight. By the sun: UTC and an hour for each 15 degrees east.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Night {
    /// It begins with this hour.
    pub from: u32,
    /// It ends before this one.
    pub to: u32,
}

impl Night {
    /// Whether it is night at this second of a day in UTC, so many degrees east.
    pub fn is_at(self, second_of_day: u32, east: f64) -> bool {
        let hour = (f64::from(second_of_day) / 3600.0 + east / 15.0).rem_euclid(24.0) as u32;
        if self.from < self.to {
            (self.from..self.to).contains(&hour)
        } else {
            hour >= self.from || hour < self.to
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_goes_over_midnight_and_around_the_world() {
        let night = Night { from: 22, to: 6 };
        let at = |hour: u32, east: f64| night.is_at(hour * 3600, east);
        assert!(at(22, 0.0) && at(3, 0.0) && !at(6, 0.0) && !at(21, 0.0));
        assert!(at(14, 139.7) && !at(1, 139.7), "in Tokyo it is night when it is day in Greenwich");
        assert!(at(6, -74.0) && at(10, -74.0) && !at(11, -74.0));
        assert!(Night { from: 9, to: 17 }.is_at(12 * 3600, 0.0));
    }
}
