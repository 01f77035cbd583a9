//! The I2C buses of Linux, `/dev/i2c-1` on a Raspberry Pi's header.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::i2c::{self, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use linux_embedded_hal::I2cdev;
use linux_embedded_hal::i2cdev::linux::LinuxI2CError;

/// A bus opened by its device file.
pub struct LinuxI2c {
    device: I2cdev,
}

/// Pauses that really sleep, for use with [`LinuxI2c`].
pub use linux_embedded_hal::Delay as LinuxDelay;

/// Opens an I2C bus by its device file.
///
/// # Errors
/// When the file is missing (I2C not enabled) or may not be opened (user not in group `i2c`); the
/// text says which.
pub fn open_i2c(path: impl AsRef<Path>) -> Result<LinuxI2c, OpenError> {
    let path = path.as_ref();
    match I2cdev::new(path) {
        Ok(device) => Ok(LinuxI2c { device }),
        Err(error) => Err(OpenError {
            path: path.to_owned(),
            source: error.into(),
        }),
    }
}

/// A bus that could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("I2C bus {}: {source}: {}", path.display(), advice(source))]
pub struct OpenError {
    path: PathBuf,
    source: io::Error,
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "enable I2C (raspi-config, or dtparam=i2c_arm=on in config.txt)",
        io::ErrorKind::PermissionDenied => "add the user to the group i2c",
        _ => "is this an I2C bus device?",
    }
}

impl ErrorType for LinuxI2c {
    type Error = LinuxI2cError;
}

impl I2c for LinuxI2c {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), LinuxI2cError> {
        I2c::<i2c::SevenBitAddress>::transaction(&mut self.device, address, operations).map_err(|error| {
            LinuxI2cError(match error.inner() {
                LinuxI2CError::Errno(errno) => io::Error::from_raw_os_error(*errno),
                LinuxI2CError::Io(error) => match error.raw_os_error() {
                    Some(errno) => io::Error::from_raw_os_error(errno),
                    None => io::Error::new(error.kind(), error.to_string()),
                },
            })
        })
    }
}

/// An error of the kernel's I2C layer.
///
/// `linux-embedded-hal` knows only some of the error numbers; a missing chip on a Raspberry Pi is not among
/// them.
pub struct LinuxI2cError(io::Error);

const ENXIO: i32 = 6;
const EBUSY: i32 = 16;
const EOPNOTSUPP: i32 = 95;
const ETIMEDOUT: i32 = 110;
const EREMOTEIO: i32 = 121;

impl i2c::Error for LinuxI2cError {
    fn kind(&self) -> ErrorKind {
        match self.0.raw_os_error() {
            Some(ENXIO | EREMOTEIO) => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
            Some(EBUSY | ETIMEDOUT) => ErrorKind::Bus,
            _ => ErrorKind::Other,
        }
    }
}

impl fmt::Debug for LinuxI2cError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = match self.0.raw_os_error() {
            Some(EBUSY) => "; unload the kernel's bmp280 driver, it has the address",
            Some(ETIMEDOUT) => "; a line is held low",
            Some(EOPNOTSUPP) => "; the controller cannot do this kind of transfer",
            _ => "",
        };
        write!(f, "{}{hint}", self.0)
    }
}

impl fmt::Display for LinuxI2cError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for LinuxI2cError {}
