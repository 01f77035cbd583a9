//! A tap on the bus between the `veml6030` crate and the chip, which names the register of a failed access.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embedded_hal::i2c::{self, ErrorKind, ErrorType, I2c, Operation};

use super::{ADDRESS, Cause, Error, Register};

impl i2c::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self.cause {
            Cause::Bus { kind, .. } => kind,
            _ => ErrorKind::Other,
        }
    }
}

/// A handle on the tapped bus: one is given to the crate, one is kept by the driver.
pub(super) struct Tap<B>(Arc<Mutex<B>>);

impl<B> Clone for Tap<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: I2c> Tap<B> {
    pub(super) fn new(bus: B) -> Self {
        Self(Arc::new(Mutex::new(bus)))
    }

    pub(super) fn read(&mut self, register: Register) -> Result<u16, Error> {
        let mut bytes = [0; 2];
        self.write_read(ADDRESS, &[register.0], &mut bytes)?;
        Ok(u16::from_le_bytes(bytes))
    }

    fn lock(&self) -> MutexGuard<'_, B> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B: I2c> ErrorType for Tap<B> {
    type Error = Error;
}

impl<B: I2c> I2c for Tap<B> {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), Error> {
        let register = match operations.first() {
            Some(Operation::Write(bytes)) => Register(bytes.first().copied().unwrap_or_default()),
            _ => Register(0),
        };
        self.lock().transaction(address, operations).map_err(|error| {
            let cause = Cause::Bus { kind: i2c::Error::kind(&error), detail: format!("{error:?}") };
            Error { register, cause }
        })
    }
}
