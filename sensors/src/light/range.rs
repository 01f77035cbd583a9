//! From counts to lx: how sensitive the chip is told to be, and what a count is worth then.

use std::time::Duration;

/// Amplification (application note, "Resolution and maximum detection range").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gain {
    /// 1/8.
    Eighth,
    /// 1/4.
    Quarter,
    /// 1.
    One,
    /// 2.
    Two,
}

impl Gain {
    /// All, from the least.
    pub const ALL: [Self; 4] = [Self::Eighth, Self::Quarter, Self::One, Self::Two];

    /// Bits 12 and 11 of the configuration, moved to the right.
    pub fn bits(self) -> u16 {
        match self {
            Self::One => 0,
            Self::Two => 1,
            Self::Eighth => 2,
            Self::Quarter => 3,
        }
    }

    fn factor(self) -> f64 {
        match self {
            Self::Eighth => 0.125,
            Self::Quarter => 0.25,
            Self::One => 1.0,
            Self::Two => 2.0,
        }
    }

    pub(super) fn of_crate(self) -> veml6030::Gain {
        match self {
            Self::Eighth => veml6030::Gain::OneEighth,
            Self::Quarter => veml6030::Gain::OneQuarter,
            Self::One => veml6030::Gain::One,
            Self::Two => veml6030::Gain::Two,
        }
    }
}

/// How long light is gathered for one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IntegrationTime {
    /// 25 ms.
    Ms25,
    /// 50 ms.
    Ms50,
    /// 100 ms.
    Ms100,
    /// 200 ms.
    Ms200,
    /// 400 ms.
    Ms400,
    /// 800 ms.
    Ms800,
}

impl IntegrationTime {
    /// All, from the shortest.
    pub const ALL: [Self; 6] = [Self::Ms25, Self::Ms50, Self::Ms100, Self::Ms200, Self::Ms400, Self::Ms800];

    /// Bits 9 to 6 of the configuration, moved to the right.
    pub fn bits(self) -> u16 {
        match self {
            Self::Ms25 => 0b1100,
            Self::Ms50 => 0b1000,
            Self::Ms100 => 0b0000,
            Self::Ms200 => 0b0001,
            Self::Ms400 => 0b0010,
            Self::Ms800 => 0b0011,
        }
    }

    /// The time by its name.
    pub fn duration(self) -> Duration {
        Duration::from_millis(match self {
            Self::Ms25 => 25,
            Self::Ms50 => 50,
            Self::Ms100 => 100,
            Self::Ms200 => 200,
            Self::Ms400 => 400,
            Self::Ms800 => 800,
        })
    }

    pub(super) fn of_crate(self) -> veml6030::IntegrationTime {
        match self {
            Self::Ms25 => veml6030::IntegrationTime::Ms25,
            Self::Ms50 => veml6030::IntegrationTime::Ms50,
            Self::Ms100 => veml6030::IntegrationTime::Ms100,
            Self::Ms200 => veml6030::IntegrationTime::Ms200,
            Self::Ms400 => veml6030::IntegrationTime::Ms400,
            Self::Ms800 => veml6030::IntegrationTime::Ms800,
        }
    }
}

/// lx a count at gain 2 and 800 ms; the module's head says why not 0.0036.
const FINEST_LX: f64 = 0.0042;
/// The brightest that the maker states: sun at noon, and a fifth more.
pub const BRIGHTEST_LX: f64 = 140_000.0;

/// A gain with an integration time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// Amplification.
    pub gain: Gain,
    /// How long light is gathered.
    pub time: IntegrationTime,
}

impl Range {
    /// The steps that the driver takes, from the most sensitive. 100 ms are ten periods of a lamp at 50 Hz, twelve at
    /// 60 Hz, and 0.03 lx a step is as fine as anybody wants to know it inside a container: the longer times of the
    /// chip would only keep it awake. Gains of 1 and 2 are good for less than 100 lx (application note).
    pub(super) const LADDER: [Self; 3] = [
        Self { gain: Gain::Two, time: IntegrationTime::Ms100 },
        Self { gain: Gain::Eighth, time: IntegrationTime::Ms100 },
        Self { gain: Gain::Eighth, time: IntegrationTime::Ms25 },
    ];

    /// lx that one count stands for, before the correction for bright light.
    pub fn resolution_lx(self) -> f64 {
        let longest = IntegrationTime::Ms800.duration().as_secs_f64();
        FINEST_LX * (longest / self.time.duration().as_secs_f64()) * (Gain::Two.factor() / self.gain.factor())
    }

    /// Illuminance in lx of so many counts.
    ///
    /// With a gain of 1/4 or 1/8 the chip sees less and less of more and more light, and the application note gives a
    /// polynomial to straighten that. Its text wants it above 1000 lx, its flow chart with every value of these gains.
    /// Here it is as in the chart: it comes to 1 % at 100 lx, and a step of 7 % at 1000 lx is spared.
    pub fn lux(self, counts: u16) -> f64 {
        let lux = self.resolution_lx() * f64::from(counts);
        match self.gain {
            Gain::Eighth | Gain::Quarter => straightened(lux),
            Gain::One | Gain::Two => lux,
        }
    }

    /// Gain and time in their places in the configuration, awake.
    pub fn configuration(self) -> u16 {
        self.gain.bits() << 11 | self.time.bits() << 6
    }
}

fn straightened(lux: f64) -> f64 {
    (((6.0135e-13 * lux - 9.3924e-9) * lux + 8.1488e-5) * lux + 1.0023) * lux
}
