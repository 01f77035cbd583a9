//! One chip on one bus: find it, start it, measure, and doubt what it says.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::calibration::Trimming;
use super::registers::DATA_AT_RESET;
use super::tap::{Fault, Tap};
use super::{Cause, Chip, Environment, Error, Quantity, RawReading, Register, Settings, compensate};

/// Tries to read the ID; the chip answers at most 2 ms after power-on.
const ID_TRIES: u32 = 3;
const ID_PAUSE_MS: u32 = 2;
/// So many measurements in a row with the very same bytes are not air any more. Each of the three channels has noise in
/// its last bits, so already a few would be remarkable.
const FROZEN_REPEATS: u32 = 60;
/// After so many measurements the trimming values are compared with the chip's again: a disturbance that hit twice, or a
/// chip that was changed in between, must not last.
const TRIMMING_LASTS: u32 = 60;

/// A BME280 or BMP280.
///
/// Nothing is done until the first [`Bme280::measure`], so a chip that is missing at start is found when it
/// comes.
pub struct Bme280<B, D> {
    bus: Tap<B, D>,
    settings: Settings,
    started: Option<Started<B, D>>,
    last_data: Option<[u8; 8]>,
    repeats: u32,
    starts: u64,
}

/// A chip that has been found and configured.
struct Started<B, D> {
    driver: bme280::i2c::BME280<Tap<B, D>>,
    chip: Chip,
    address: u8,
    trimming: Trimming,
    /// Quantities that can't be computed, and where their trimming values are.
    dead: Vec<(Quantity, Register)>,
    measurements: u32,
}

impl<B: I2c, D: DelayNs> Bme280<B, D> {
    /// A driver that will look for the chip as `settings` say.
    pub fn new(bus: B, delay: D, settings: Settings) -> Self {
        Self {
            bus: Tap::new(bus, delay, settings.longest_measurement()),
            settings,
            started: None,
            last_data: None,
            repeats: 0,
            starts: 0,
        }
    }

    /// Takes one measurement in forced mode, after starting the chip if that has not been done or if the last
    /// measurement failed. Blocks for at least 40 ms, at most 0.5 s.
    ///
    /// # Errors
    /// When nothing usable came. Where only some values could not be had, the rest is returned and
    /// [`Environment::faults`] says what is missing. After either, the next call starts the chip afresh.
    pub fn measure(&mut self) -> Result<Environment, Error> {
        let mut started = match self.started.take() {
            Some(started) => started,
            None => self.start()?,
        };
        let environment = self.measure_with(&mut started)?;
        if environment.faults.is_empty() {
            self.started = Some(started);
        }
        Ok(environment)
    }

    /// The chip that answered, once it has.
    pub fn chip(&self) -> Option<Chip> {
        self.started.as_ref().map(|started| started.chip)
    }

    /// How often the chip has been started.
    pub fn starts(&self) -> u64 {
        self.starts
    }

    fn start(&mut self) -> Result<Started<B, D>, Error> {
        let (address, chip) = self.find()?;
        let named = |fault: Fault| Error { address, register: fault.register, cause: fault.cause };
        self.bus.take_seen();
        let mut driver = bme280::i2c::BME280::new(self.bus.clone(), address);
        driver
            .init_with_config(&mut self.bus, self.settings.of_crate())
            .map_err(|error| named(of_crate(error)))?;
        let seen = self.bus.take_seen();
        let trimming = Trimming {
            first: seen.calibration.unwrap_or_default(),
            second: seen.calibration_humidity.unwrap_or_default(),
        };
        self.check_trimming(address, chip, &trimming)?;
        let mut dead = Vec::new();
        for quantity in [Quantity::Temperature, Quantity::Pressure, Quantity::Humidity] {
            match trimming.dead(quantity) {
                // All others are computed with the temperature.
                Some(register) if quantity == Quantity::Temperature => {
                    return Err(Error { address, register, cause: Cause::DeadCalibration });
                }
                Some(register) if quantity != Quantity::Humidity || chip.has_humidity() => {
                    dead.push((quantity, register));
                }
                _ => {}
            }
        }
        self.check_settings(address, chip)?;
        self.starts += 1;
        Ok(Started { driver, chip, address, trimming, dead, measurements: 0 })
    }

    /// Reads the trimming values again.
    fn check_trimming(&mut self, address: u8, chip: Chip, known: &Trimming) -> Result<(), Error> {
        let named = |fault: Fault| Error { address, register: fault.register, cause: fault.cause };
        let mut again = Trimming { first: [0; 26], second: known.second };
        self.bus.read(address, Register::CALIBRATION, &mut again.first).map_err(named)?;
        if chip.has_humidity() {
            self.bus.read(address, Register::CALIBRATION_HUMIDITY, &mut again.second).map_err(named)?;
        }
        // Between the two blocks lies a byte that says nothing.
        again.first[24] = known.first[24];
        if again == *known {
            return Ok(());
        }
        Err(Error { address, register: Register::CALIBRATION, cause: Cause::UnsteadyCalibration })
    }

    fn find(&mut self) -> Result<(u8, Chip), Error> {
        let mut best: Option<Error> = None;
        for &address in self.settings.address.candidates() {
            match self.identify(address) {
                Ok(chip) => return Ok((address, chip)),
                // A chip that answers wrongly says more than an address where nobody is.
                Err(error) if best.is_none() || !matches!(error.cause, Cause::Bus { .. }) => {
                    best = Some(error);
                }
                Err(_) => {}
            }
        }
        Err(best.expect("every address setting has at least one candidate, and each failed"))
    }

    fn identify(&mut self, address: u8) -> Result<Chip, Error> {
        let named = |cause| Error { address, register: Register::ID, cause };
        let mut last = None;
        for attempt in 0..ID_TRIES {
            if attempt > 0 {
                self.bus.delay_ms(ID_PAUSE_MS);
            }
            let mut id = [0];
            match self.bus.read(address, Register::ID, &mut id) {
                Ok(()) => match Chip::from_id(id[0]) {
                    Some(chip) => return Ok(chip),
                    None => last = Some(named(Cause::ForeignChip { id: id[0] })),
                },
                Err(fault) => last = Some(named(fault.cause)),
            }
        }
        Err(last.expect("the loop runs at least once and leaves an error"))
    }

    fn measure_with(&mut self, started: &mut Started<B, D>) -> Result<Environment, Error> {
        let (address, chip) = (started.address, started.chip);
        let named = |register, cause| Error { address, register, cause };
        self.bus.take_seen();
        // The crate's own values are not used: see the module on compensation.
        let measured = started.driver.measure(&mut self.bus).map_err(of_crate);
        let Some(data) = self.bus.take_seen().data else {
            let fault =
                measured.err().unwrap_or(Fault { register: Register::DATA, cause: Cause::NothingMeasured });
            return Err(named(fault.register, fault.cause));
        };
        let judged = if chip.has_humidity() { &data[..] } else { &data[..6] };
        if judged.iter().all(|&byte| byte == 0xFF) {
            return Err(named(Register::DATA, Cause::AllOnes));
        }
        if judged.iter().all(|&byte| byte == 0x00) {
            return Err(named(Register::DATA, Cause::AllZeros));
        }
        self.check_settings(address, chip)?;
        // Each of these is an ordinary reading by itself; all together they are what a reset leaves behind.
        if judged == &DATA_AT_RESET[..judged.len()] {
            return Err(named(Register::DATA, Cause::NothingMeasured));
        }
        self.repeats = if self.last_data == Some(data) { self.repeats.saturating_add(1) } else { 0 };
        self.last_data = Some(data);
        if self.repeats >= FROZEN_REPEATS {
            return Err(named(Register::DATA, Cause::Frozen));
        }
        started.measurements += 1;
        if started.measurements.is_multiple_of(TRIMMING_LASTS) {
            self.check_trimming(address, chip, &started.trimming)?;
        }
        let values = compensate(&started.trimming.calibration(), &RawReading::from_registers(&data));
        let mut environment = Environment::within_range(chip, address, &values);
        for (quantity, register) in &started.dead {
            environment.leave_out(address, *quantity, *register);
        }
        Ok(environment)
    }

    /// Reads back what was written. A chip that lost power for a moment has forgotten it and measures
    /// nothing.
    fn check_settings(&mut self, address: u8, chip: Chip) -> Result<(), Error> {
        let mut block = [0; 4];
        self.bus.read(address, Register::CTRL_HUM, &mut block).map_err(|fault| Error {
            address,
            register: fault.register,
            cause: fault.cause,
        })?;
        let [ctrl_hum, _status, ctrl_meas, config] = block;
        let humidity_mask = if chip.has_humidity() { 0x07 } else { 0x00 };
        let mode_bits = 0x03;
        let read = [ctrl_hum & humidity_mask, ctrl_meas & !mode_bits, config & 0x1C];
        let written =
            [self.settings.ctrl_hum() & humidity_mask, self.settings.ctrl_meas(), self.settings.config()];
        if read == written {
            return Ok(());
        }
        let cause = Cause::ConfigurationLost { written, read };
        Err(Error { address, register: Register::CTRL_MEAS, cause })
    }
}

fn of_crate(error: bme280::Error<Fault>) -> Fault {
    match error {
        bme280::Error::Bus(fault) => fault,
        // The ID was right a moment ago, so what reads otherwise now is the bus.
        bme280::Error::UnsupportedChip => Fault { register: Register::ID, cause: Cause::AllOnes },
        bme280::Error::InvalidData | bme280::Error::CompensationFailed => {
            Fault { register: Register::DATA, cause: Cause::DeadCalibration }
        }
        bme280::Error::NoCalibrationData | bme280::Error::Delay => {
            Fault { register: Register::CALIBRATION, cause: Cause::CalibrationNotLoaded }
        }
    }
}
