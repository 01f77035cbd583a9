//! One chip on one bus: find it, wake it, measure, choose the range, and let it sleep.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use veml6030::{SlaveAddr, Veml6030};

use super::tap::Tap;
use super::{BRIGHTEST_LX, Cause, Error, ID, Range, Register};

/// The chip's oscillator starts within 2.5 ms (application note); the crate's author measured 4.
const WAKING_MS: u32 = 5;
/// Fewer counts say little: a more sensitive range says more.
const FEW: u16 = 100;
/// With more counts in the least gain the application note wants a shorter time.
const MANY: u16 = 10_000;
/// A value of 16 bits that is full says nothing of what was beyond.
const FULL: u16 = u16::MAX;
/// The high gain is good for less than 100 lx: counts at 100 lx.
const TOO_MANY_FOR_HIGH_GAIN: u16 = 2976;

/// A VEML7700.
///
/// Nothing is done until the first [`Veml7700::measure`], so a chip that is missing at start is found when it comes.
/// Between measurements it sleeps (0.5 µA instead of 45 µA).
pub struct Veml7700<B, D> {
    bus: Tap<B>,
    delay: D,
    started: Option<Veml6030<Tap<B>>>,
    /// Place of the range on the ladder: light changes slowly, so the last is tried first.
    step: usize,
    starts: u64,
}

impl<B: I2c, D: DelayNs> Veml7700<B, D> {
    /// A driver that will look for the chip at its one address.
    pub fn new(bus: B, delay: D) -> Self {
        Self { bus: Tap::new(bus), delay, started: None, step: 0, starts: 0 }
    }

    /// Illuminance in lx, within 0..140 000. Blocks for 0.2 s, or up to 0.5 s when the light has changed much; the chip
    /// is started first if that has not been done, or if the last measurement failed.
    ///
    /// # Errors
    /// When nothing usable came, or there is more light than can be measured. The next call starts the chip afresh.
    pub fn measure(&mut self) -> Result<f64, Error> {
        let mut chip = match self.started.take() {
            Some(chip) => chip,
            None => self.start()?,
        };
        let lux = self.choose(&mut chip)?;
        chip.disable().map_err(of_crate)?;
        self.started = Some(chip);
        Ok(lux)
    }

    /// How often the chip has been started.
    pub fn starts(&self) -> u64 {
        self.starts
    }

    fn start(&mut self) -> Result<Veml6030<Tap<B>>, Error> {
        self.identify()?;
        self.starts += 1;
        let mut chip = Veml6030::new(self.bus.clone(), SlaveAddr::Default);
        chip.disable_power_saving().map_err(of_crate)?;
        Ok(chip)
    }

    /// A part from before the ID was documented holds zero, as a line that is held low does; the settings, which are
    /// read back with every measurement, tell one from the other.
    fn identify(&mut self) -> Result<(), Error> {
        let cause = match self.bus.read(Register::ID)? {
            0x0000 => return Ok(()),
            0xFFFF => Cause::AllOnes,
            id if id.to_le_bytes()[0] == ID => return Ok(()),
            id => Cause::ForeignChip { id },
        };
        Err(Error { register: Register::ID, cause })
    }

    /// Measures in the range of last time, and in others until one suits. The thresholds lie so far apart that no light
    /// makes it go to and fro; light that changes meanwhile must not either, so each step is taken once.
    fn choose(&mut self, chip: &mut Veml6030<Tap<B>>) -> Result<f64, Error> {
        let last = Range::LADDER.len() - 1;
        let begun_at = self.step;
        loop {
            let range = Range::LADDER[self.step];
            let counts = self.measure_in(chip, range)?;
            let too_bright = match self.step {
                0 => counts > TOO_MANY_FOR_HIGH_GAIN,
                _ => counts > MANY,
            };
            if too_bright && self.step < last && self.step >= begun_at {
                self.step += 1;
            } else if counts < FEW && self.step > 0 && self.step <= begun_at {
                self.step -= 1;
            } else {
                let lux = range.lux(counts);
                if counts == FULL || lux > BRIGHTEST_LX {
                    return Err(Error { register: Register::LIGHT, cause: Cause::TooBright });
                }
                return Ok(lux);
            }
        }
    }

    fn measure_in(&mut self, chip: &mut Veml6030<Tap<B>>, range: Range) -> Result<u16, Error> {
        // Asleep while the settings change, so that no value is begun with one and ended with another.
        chip.disable().map_err(of_crate)?;
        chip.set_gain(range.gain.of_crate()).map_err(of_crate)?;
        chip.set_integration_time(range.time.of_crate()).map_err(of_crate)?;
        chip.enable().map_err(of_crate)?;
        // The chip does not tell when it is ready, and its oscillator is not exact: twice the time is safe.
        self.delay.delay_ms(WAKING_MS + 2 * range.time.duration().as_millis() as u32);
        let counts = chip.read_raw().map_err(of_crate)?;
        self.check_settings(range)?;
        Ok(counts)
    }

    /// Reads back what was written. A chip that lost power for a moment has forgotten it and measures nothing.
    fn check_settings(&mut self, range: Range) -> Result<(), Error> {
        let written = range.configuration();
        let cause = match self.bus.read(Register::CONFIGURATION)? {
            read if read == written => return Ok(()),
            0xFFFF => Cause::AllOnes,
            0x0000 => Cause::AllZeros,
            read => Cause::ConfigurationLost { written, read },
        };
        Err(Error { register: Register::CONFIGURATION, cause })
    }
}

fn of_crate(error: veml6030::Error<Error>) -> Error {
    let veml6030::Error::I2C(error) = error;
    error
}
