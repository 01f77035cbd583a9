//! The I2C buses of Linux, `/dev/i2c-1` on a Raspberry Pi's header.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::i2c::{self, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use linux_embedded_hal::I2cdev;
use linux_embedded_hal::i2cdev::linux::LinuxI2CError;

/// A bus by its device file. It is opened at the first transfer, and again after an opening that failed, so that a
/// bus that appears late is found.
pub struct LinuxI2c {
    path: PathBuf,
    device: Option<I2cdev>,
}

impl LinuxI2c {
    /// The bus `/dev/i2c-1` or the like.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), device: None }
    }

    fn device(&mut self) -> Result<&mut I2cdev, LinuxI2cError> {
        match &mut self.device {
            Some(device) => Ok(device),
            closed => match I2cdev::new(&self.path) {
                Ok(device) => Ok(closed.insert(device)),
                Err(error) => Err(LinuxI2cError::opening(&self.path, error.into())),
            },
        }
    }
}

/// Pauses that really sleep, for use with [`LinuxI2c`].
pub use linux_embedded_hal::Delay as LinuxDelay;

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
        I2c::<i2c::SevenBitAddress>::transaction(self.device()?, address, operations).map_err(|error| {
            let error = match error.inner() {
                LinuxI2CError::Errno(errno) => io::Error::from_raw_os_error(*errno),
                LinuxI2CError::Io(error) => match error.raw_os_error() {
                    Some(errno) => io::Error::from_raw_os_error(errno),
                    None => io::Error::new(error.kind(), error.to_string()),
                },
            };
            LinuxI2cError::transfer(address, error)
        })
    }
}

/// An error of the kernel's I2C layer.
///
/// `linux-embedded-hal` knows only some of the error numbers; a missing chip on a Raspberry Pi is not among them.
pub struct LinuxI2cError {
    source: io::Error,
    hint: String,
}

impl LinuxI2cError {
    fn opening(path: &Path, source: io::Error) -> Self {
        let hint = format!(" opening {}: {}", path.display(), advice(&source));
        Self { source, hint }
    }

    fn transfer(address: u8, source: io::Error) -> Self {
        let hint = match source.raw_os_error() {
            Some(EBUSY) if address == 0x10 => "; unload the kernel's veml6030 driver, it has the address",
            Some(EBUSY) => "; unload the kernel's bmp280 driver, it has the address",
            Some(ETIMEDOUT) => "; a line is held low",
            Some(EOPNOTSUPP) => "; the controller cannot do this kind of transfer",
            _ => "",
        };
        Self { source, hint: hint.into() }
    }
}

const ENXIO: i32 = 6;
const EBUSY: i32 = 16;
const EOPNOTSUPP: i32 = 95;
const ETIMEDOUT: i32 = 110;
const EREMOTEIO: i32 = 121;

impl i2c::Error for LinuxI2cError {
    fn kind(&self) -> ErrorKind {
        match self.source.raw_os_error() {
            Some(ENXIO | EREMOTEIO) => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
            Some(EBUSY | ETIMEDOUT) => ErrorKind::Bus,
            _ => ErrorKind::Other,
        }
    }
}

impl fmt::Debug for LinuxI2cError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.source, self.hint)
    }
}

impl fmt::Display for LinuxI2cError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for LinuxI2cError {}
