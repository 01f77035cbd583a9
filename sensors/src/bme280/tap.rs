//! A tap on the bus between the `bme280` crate and the chip.
//!
//! The crate knows the order of accesses, but not when to doubt what it reads: it waits a fixed time and
//! never looks at the status register. The tap passes every access on, notes the raw bytes for the driver to
//! judge, names the register of a failed access, and holds back two reads until the chip is ready for them:
//! the trimming values after a reset, and the data after a measurement.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{self, ErrorKind, ErrorType, I2c, Operation};

use super::registers::{STATUS_IM_UPDATE, STATUS_MEASURING};
use super::{Cause, Register};

/// Pause between two looks at the status register.
const POLL: Duration = Duration::from_millis(2);
/// Looks at the status register before loading of trimming values counts as failed; it takes less than 2 ms.
const IM_UPDATE_POLLS: u32 = 5;

/// A failed access, with the register it was meant for.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    pub(super) register: Register,
    pub(super) cause: Cause,
}

impl i2c::Error for Fault {
    fn kind(&self) -> ErrorKind {
        match self.cause {
            Cause::Bus { kind, .. } => kind,
            _ => ErrorKind::Other,
        }
    }
}

/// Raw bytes as they came from the chip.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Seen {
    pub(super) calibration: Option<[u8; 26]>,
    pub(super) calibration_humidity: Option<[u8; 7]>,
    pub(super) data: Option<[u8; 8]>,
}

struct Wire<B, D> {
    bus: B,
    delay: D,
    seen: Seen,
    measuring_polls: u32,
}

/// A handle on the tapped bus: one is given to the crate, one is kept by the driver.
pub(super) struct Tap<B, D>(Arc<Mutex<Wire<B, D>>>);

impl<B, D> Clone for Tap<B, D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: I2c, D: DelayNs> Tap<B, D> {
    pub(super) fn new(bus: B, delay: D, longest_measurement: Duration) -> Self {
        // The crate has already waited when it comes to read, so this is more than twice the longest time.
        let measuring_polls = 2 * longest_measurement.as_micros().div_ceil(POLL.as_micros()) as u32;
        Self(Arc::new(Mutex::new(Wire { bus, delay, seen: Seen::default(), measuring_polls })))
    }

    /// What has been seen since the last call.
    pub(super) fn take_seen(&self) -> Seen {
        std::mem::take(&mut self.lock().seen)
    }

    pub(super) fn read(&self, address: u8, register: Register, buffer: &mut [u8]) -> Result<(), Fault> {
        self.lock().read(address, register, buffer)
    }

    fn lock(&self) -> MutexGuard<'_, Wire<B, D>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: I2c, D: DelayNs> Wire<B, D> {
    fn read(&mut self, address: u8, register: Register, buffer: &mut [u8]) -> Result<(), Fault> {
        self.bus.write_read(address, &[register.0], buffer).map_err(|error| fault(register, &error))
    }

    fn wait_until_clear(&mut self, address: u8, bit: u8, polls: u32, otherwise: &Cause) -> Result<(), Fault> {
        for _ in 0..polls {
            let mut status = [0];
            self.read(address, Register::STATUS, &mut status)?;
            if status[0] == 0xFF {
                // Six of the bits are always 0 in a chip that answers.
                return Err(Fault { register: Register::STATUS, cause: Cause::AllOnes });
            }
            if status[0] & bit == 0 {
                return Ok(());
            }
            self.delay.delay_us(POLL.as_micros() as u32);
        }
        Err(Fault { register: Register::STATUS, cause: otherwise.clone() })
    }

    fn read_for_crate(&mut self, address: u8, register: Register, buffer: &mut [u8]) -> Result<(), Fault> {
        match register {
            Register::CALIBRATION => {
                let late = Cause::CalibrationNotLoaded;
                self.wait_until_clear(address, STATUS_IM_UPDATE, IM_UPDATE_POLLS, &late)?;
            }
            Register::DATA => {
                let polls = self.measuring_polls;
                self.wait_until_clear(address, STATUS_MEASURING, polls, &Cause::StillMeasuring)?;
            }
            _ => {}
        }
        self.read(address, register, buffer)?;
        match register {
            Register::CALIBRATION => self.seen.calibration = (&*buffer).try_into().ok(),
            Register::CALIBRATION_HUMIDITY => self.seen.calibration_humidity = (&*buffer).try_into().ok(),
            Register::DATA => self.seen.data = (&*buffer).try_into().ok(),
            // The crate knows the BMP280 by its ID in production only; the samples have the same registers.
            Register::ID if matches!(*buffer, [0x56 | 0x57]) => buffer[0] = 0x58,
            _ => {}
        }
        Ok(())
    }
}

impl<B: I2c, D: DelayNs> ErrorType for Tap<B, D> {
    type Error = Fault;
}

/// Only plain writes and combined write-reads go out, because the Raspberry Pi's controller refuses
/// transactions with two reads or two writes (EOPNOTSUPP).
impl<B: I2c, D: DelayNs> I2c for Tap<B, D> {
    fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), Fault> {
        let register = Register(bytes.first().copied().unwrap_or_default());
        self.lock().bus.write(address, bytes).map_err(|error| fault(register, &error))
    }

    fn write_read(&mut self, address: u8, bytes: &[u8], buffer: &mut [u8]) -> Result<(), Fault> {
        let register = Register(bytes.first().copied().unwrap_or_default());
        self.lock().read_for_crate(address, register, buffer)
    }

    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Fault> {
        let register = match operations.first() {
            Some(Operation::Write(bytes)) => Register(bytes.first().copied().unwrap_or_default()),
            _ => Register(0),
        };
        self.lock().bus.transaction(address, operations).map_err(|error| fault(register, &error))
    }
}

impl<B: I2c, D: DelayNs> DelayNs for Tap<B, D> {
    fn delay_ns(&mut self, ns: u32) {
        self.lock().delay.delay_ns(ns);
    }

    fn delay_us(&mut self, us: u32) {
        self.lock().delay.delay_us(us);
    }

    fn delay_ms(&mut self, ms: u32) {
        self.lock().delay.delay_ms(ms);
    }
}

fn fault(register: Register, error: &impl i2c::Error) -> Fault {
    Fault { register, cause: Cause::Bus { kind: error.kind(), detail: format!("{error:?}") } }
}
