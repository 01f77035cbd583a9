//! A BME280 emulated at its registers: what a driver writes and reads on the bus, it answers as the chip
//! would.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{self, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use super::Air;
use super::registers::{RegisterFile, Sample};
use crate::bme280::{Calibration, RawReading, Register};

/// Time on the bus for one byte at 400 kHz, with its acknowledge bit.
const BYTE_NS: u64 = 22_500;

/// Trimming values of a part whose registers have been published as an example by its maker, humidity added.
pub fn published_calibration() -> Calibration {
    Calibration {
        dig_t1: 27504,
        dig_t2: 26435,
        dig_t3: -1000,
        dig_p1: 36477,
        dig_p2: -10685,
        dig_p3: 3024,
        dig_p4: 2855,
        dig_p5: 140,
        dig_p6: -7,
        dig_p7: 15500,
        dig_p8: -14600,
        dig_p9: 6000,
        dig_h1: 75,
        dig_h2: 362,
        dig_h3: 0,
        dig_h4: 315,
        dig_h5: 50,
        dig_h6: 30,
    }
}

/// What can be wrong with the emulated chip or its bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChipFault {
    /// Not fitted, or its supply is off: no address is acknowledged.
    NoAcknowledge,
    /// Every transfer is broken off.
    BusError,
    /// The data line is open: every bit reads 1.
    AllOnes,
    /// The data line is held low: every bit reads 0.
    AllZeros,
    /// A measurement once begun never ends.
    NeverFinishes,
    /// Measurements end, but the data registers no longer change.
    Stuck,
    /// After a reset the trimming values are never ready.
    NeverLoadsCalibration,
}

/// A handle on an emulated chip. Clones share the chip: one goes to the driver as its bus, one stays with
/// the test or the simulation that decides what the chip feels.
#[derive(Clone)]
pub struct Bme280Chip(Arc<Mutex<Inner>>);

struct Inner {
    address: u8,
    registers: RegisterFile,
    fault: Option<ChipFault>,
    environment: Environment,
    disturb_calibration: bool,
    now_ns: u64,
}

enum Environment {
    Raw(RawReading),
    Air(Air),
    Source(Box<dyn FnMut() -> Air + Send>),
}

impl Bme280Chip {
    /// A chip that has just got power, at 0x76 or 0x77, in air of 20 °C, 1013.25 hPa, 50 %RH.
    pub fn new(address: u8, calibration: Calibration) -> Self {
        let (first, second) = calibration.to_registers();
        Self::with_calibration_registers(address, first, second)
    }

    /// The same, with trimming values given as bytes of the registers from 0x88 and from 0xE1.
    pub fn with_calibration_registers(address: u8, first: [u8; 26], second: [u8; 7]) -> Self {
        let air = Air { temperature_c: 20.0, pressure_hpa: 1013.25, humidity_rh: 50.0 };
        Self(Arc::new(Mutex::new(Inner {
            address,
            registers: RegisterFile::new(first, second),
            fault: None,
            environment: Environment::Air(air),
            disturb_calibration: false,
            now_ns: 0,
        })))
    }

    /// From now on the chip is in this air.
    pub fn set_air(&self, air: Air) {
        self.lock().environment = Environment::Air(air);
    }

    /// From now on the chip asks for the air at every measurement.
    pub fn set_source(&self, source: impl FnMut() -> Air + Send + 'static) {
        self.lock().environment = Environment::Source(Box::new(source));
    }

    /// From now on every measurement ends with these counts.
    pub fn set_raw(&self, raw: RawReading) {
        self.lock().environment = Environment::Raw(raw);
    }

    /// Breaks something, or mends it with `None`.
    pub fn set_fault(&self, fault: Option<ChipFault>) {
        self.lock().fault = fault;
    }

    /// Makes the chip call itself by another ID: 0x58 is a BMP280, which has no humidity registers.
    pub fn set_id(&self, id: u8) {
        self.lock().registers.set_id(id);
    }

    /// The next time that the trimming values are read, one bit of them is read wrong.
    pub fn disturb_next_calibration(&self) {
        self.lock().disturb_calibration = true;
    }

    /// Takes the supply away for a moment: all settings are forgotten, the data registers hold reset values.
    pub fn lose_power(&self) {
        let mut inner = self.lock();
        let now = inner.now_ns;
        inner.registers.power_on(now);
    }

    /// What a register holds, without a bus in between.
    pub fn peek(&self, register: u8) -> u8 {
        let mut inner = self.lock();
        inner.settle();
        inner.registers.peek(register)
    }

    /// Pauses that pass in the chip's own time, at once.
    pub fn delay(&self) -> ChipDelay {
        ChipDelay(self.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Lets everything happen that is due by now.
    fn settle(&mut self) {
        let now = self.now_ns;
        self.registers.load_calibration(now, self.fault != Some(ChipFault::NeverLoadsCalibration));
        if self.fault != Some(ChipFault::NeverFinishes) && self.registers.measurement_due(now) {
            let calibration = self.registers.calibration();
            let sample = match &mut self.environment {
                Environment::Raw(raw) => Sample::Exact(*raw),
                Environment::Air(air) => Sample::Analog(air.to_raw(&calibration)),
                Environment::Source(source) => Sample::Analog(source().to_raw(&calibration)),
            };
            let keep = self.fault == Some(ChipFault::Stuck);
            self.registers.finish_measurement(now, if keep { None } else { Some(sample) });
        }
    }

    fn operate(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ChipError> {
        self.settle();
        if address != self.address || self.fault == Some(ChipFault::NoAcknowledge) {
            return Err(ChipError(ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address)));
        }
        if self.fault == Some(ChipFault::BusError) {
            return Err(ChipError(ErrorKind::Bus));
        }
        for operation in operations {
            match operation {
                Operation::Write(bytes) => {
                    self.now_ns += BYTE_NS * (bytes.len() as u64 + 1);
                    if !matches!(self.fault, Some(ChipFault::AllOnes | ChipFault::AllZeros)) {
                        self.registers.write(bytes, self.now_ns);
                    }
                }
                Operation::Read(buffer) => {
                    self.now_ns += BYTE_NS * (buffer.len() as u64 + 1);
                    let is_calibration = self.registers.pointer() == Register::CALIBRATION.0;
                    self.registers.read(buffer);
                    if is_calibration && std::mem::take(&mut self.disturb_calibration) {
                        buffer[1] ^= 0x01;
                    }
                    match self.fault {
                        Some(ChipFault::AllOnes) => buffer.fill(0xFF),
                        Some(ChipFault::AllZeros) => buffer.fill(0x00),
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

/// What the emulated bus reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("emulated bus: {0}")]
pub struct ChipError(pub(super) ErrorKind);

impl i2c::Error for ChipError {
    fn kind(&self) -> ErrorKind {
        self.0
    }
}

impl ErrorType for Bme280Chip {
    type Error = ChipError;
}

impl I2c for Bme280Chip {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), ChipError> {
        self.lock().operate(address, operations)
    }
}

/// See [`Bme280Chip::delay`].
#[derive(Clone)]
pub struct ChipDelay(Bme280Chip);

impl DelayNs for ChipDelay {
    fn delay_ns(&mut self, ns: u32) {
        self.0.lock().now_ns += u64::from(ns);
    }
}
