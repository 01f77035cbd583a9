//! The numbers of a reading: what they are called, how far they can be true, how they are kept.
//!
//! All are kept as whole multiples of a small unit, so that sums are exact and do not depend on an order, and columns of them
//! are small. The units are those that sensors have, or finer.

/// A number, or a word that is kept as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub(crate) enum Field {
    Temperature,
    Humidity,
    Pressure,
    Light,
    Speed,
    Course,
    Altitude,
    Satellites,
    Hdop,
    DoorOpenings,
    Latitude,
    Longitude,
    TemperatureMin,
    TemperatureMax,
    TemperatureMean,
    HumidityMin,
    HumidityMax,
    HumidityMean,
    PressureMin,
    PressureMax,
    PressureMean,
    LightMin,
    LightMax,
    LightMean,
    Period,
    Door,
    Fix,
}

/// A field that charts show, with those that say what was measured since the reading before: lowest, highest, mean.
pub(crate) type Summary = (Field, Option<[Field; 3]>);

/// The fields that charts show.
pub(crate) const SUMMARIES: [Summary; 5] = [
    (Field::Temperature, Some([Field::TemperatureMin, Field::TemperatureMax, Field::TemperatureMean])),
    (Field::Humidity, Some([Field::HumidityMin, Field::HumidityMax, Field::HumidityMean])),
    (Field::Pressure, Some([Field::PressureMin, Field::PressureMax, Field::PressureMean])),
    (Field::Light, Some([Field::LightMin, Field::LightMax, Field::LightMean])),
    (Field::Speed, None),
];

const DOOR: [&str; 2] = ["closed", "open"];
const FIX: [&str; 6] = ["none", "gps", "dgps", "pps", "rtk", "rtkFloat"];

/// Name in telemetry, units in 1, lowest and highest value that can be true.
type Description = (&'static str, f64, f64, f64);

const CELSIUS: (f64, f64, f64) = (1e3, -100.0, 200.0);
const PERCENT: (f64, f64, f64) = (1e3, 0.0, 100.0);
const HECTOPASCAL: (f64, f64, f64) = (1e3, 10.0, 1200.0);
const LUX: (f64, f64, f64) = (1e2, 0.0, 200_000.0);

const fn of(name: &'static str, (scale, low, high): (f64, f64, f64)) -> Description {
    (name, scale, low, high)
}

const DESCRIPTIONS: [Description; Field::COUNT] = [
    of("temperature", CELSIUS),
    of("humidity", PERCENT),
    of("pressure", HECTOPASCAL),
    of("light", LUX),
    ("speed", 1e2, 0.0, 2000.0),
    ("course", 1e2, 0.0, 360.0),
    ("location.alt", 1e2, -1000.0, 100_000.0),
    ("satellites", 1.0, 0.0, 1000.0),
    ("hdop", 1e2, 0.0, 1000.0),
    ("doorOpenings", 1.0, 0.0, 2e9),
    ("location.lat", 1e7, -90.0, 90.0),
    ("location.lon", 1e7, -180.0, 180.0),
    of("temperatureMin", CELSIUS),
    of("temperatureMax", CELSIUS),
    of("temperatureMean", CELSIUS),
    of("humidityMin", PERCENT),
    of("humidityMax", PERCENT),
    of("humidityMean", PERCENT),
    of("pressureMin", HECTOPASCAL),
    of("pressureMax", HECTOPASCAL),
    of("pressureMean", HECTOPASCAL),
    of("lightMin", LUX),
    of("lightMax", LUX),
    of("lightMean", LUX),
    // A day is the longest interval; of what waited for a sensor it may be more.
    ("period", 1e3, 0.0, 172_800.0),
    ("door", 1.0, 0.0, 1.0),
    ("fix", 1.0, 0.0, 5.0),
];

impl Field {
    /// How many there are.
    pub(crate) const COUNT: usize = 27;

    /// All of them, in order.
    pub(crate) const ALL: [Self; Self::COUNT] = [
        Self::Temperature,
        Self::Humidity,
        Self::Pressure,
        Self::Light,
        Self::Speed,
        Self::Course,
        Self::Altitude,
        Self::Satellites,
        Self::Hdop,
        Self::DoorOpenings,
        Self::Latitude,
        Self::Longitude,
        Self::TemperatureMin,
        Self::TemperatureMax,
        Self::TemperatureMean,
        Self::HumidityMin,
        Self::HumidityMax,
        Self::HumidityMean,
        Self::PressureMin,
        Self::PressureMax,
        Self::PressureMean,
        Self::LightMin,
        Self::LightMax,
        Self::LightMean,
        Self::Period,
        Self::Door,
        Self::Fix,
    ];

    /// As telemetry calls it; members of the location with a dot.
    pub(crate) fn name(self) -> &'static str {
        DESCRIPTIONS[self as usize].0
    }

    /// By its name in telemetry.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// A number as it is kept; `None` where it can't be true.
    pub(crate) fn keep(self, number: f64) -> Option<i32> {
        let (_, scale, low, high) = DESCRIPTIONS[self as usize];
        // Also false for what is no number.
        (number >= low && number <= high).then(|| (number * scale).round() as i32)
    }

    /// A word as it is kept.
    pub(crate) fn keep_word(self, word: &str) -> Option<i32> {
        let place = self.words()?.iter().position(|known| *known == word)?;
        i32::try_from(place).ok()
    }

    /// The words of a field that has such.
    pub(crate) fn words(self) -> Option<&'static [&'static str]> {
        match self {
            Self::Door => Some(&DOOR),
            Self::Fix => Some(&FIX),
            _ => None,
        }
    }

    /// Decimal places that are kept.
    pub(crate) fn decimals(self) -> u8 {
        let (_, scale, ..) = DESCRIPTIONS[self as usize];
        scale.log10().round() as u8
    }

    /// What was kept, or a mean of it.
    pub(crate) fn value(self, kept: f64) -> f64 {
        kept / DESCRIPTIONS[self as usize].1
    }
}

/// The numbers of one reading.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Values([i32; Field::COUNT]);

/// Stands for what is absent; no field reaches it.
const ABSENT: i32 = i32::MIN;

impl Default for Values {
    fn default() -> Self {
        Self([ABSENT; Field::COUNT])
    }
}

impl Values {
    /// As it is kept.
    pub(crate) fn kept(&self, field: Field) -> Option<i32> {
        let value = self.0[field as usize];
        (value != ABSENT).then_some(value)
    }

    /// In the unit of telemetry.
    pub(crate) fn get(&self, field: Field) -> Option<f64> {
        self.kept(field).map(|kept| field.value(kept.into()))
    }

    /// The word of a field that has such.
    pub(crate) fn word(&self, field: Field) -> Option<&'static str> {
        field.words()?.get(usize::try_from(self.kept(field)?).ok()?).copied()
    }

    /// Sets it as it is kept.
    pub(crate) fn set(&mut self, field: Field, kept: Option<i32>) {
        self.0[field as usize] = kept.unwrap_or(ABSENT);
    }

    /// Those that are there.
    pub(crate) fn present(&self) -> impl Iterator<Item = Field> + '_ {
        Field::ALL.into_iter().filter(|field| self.0[*field as usize] != ABSENT)
    }

    /// Longitude and latitude in degrees.
    pub(crate) fn position(&self) -> Option<[f64; 2]> {
        Some([self.get(Field::Longitude)?, self.get(Field::Latitude)?])
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let present = self.present().map(|field| (field.name(), self.get(field).unwrap_or_default()));
        f.debug_map().entries(present).finish()
    }
}
