//! The I2C buses of Linux, `/dev/i2c-1` on a Raspberry Pi's header.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::i2c::{self, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use linux_embedded_hal::i2cdev::linux::LinuxI2CError;
use linux_embedded_hal::{I2CError, I2cdev};

/// A bus by its device file. It is opened at the first transfer, and again after an opening or a transfer that failed: a
/// bus that appears late is found, and so is one whose adapter was plugged in anew, to whom the old file leads no more.
pub struct LinuxI2c(Reopened<I2cdev>);

impl LinuxI2c {
    /// The bus `/dev/i2c-1` or the like.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let open = |path: &Path| I2cdev::new(path).map_err(io::Error::from);
        Self(Reopened { path: path.into(), device: None, open })
    }
}

struct Reopened<D> {
    path: PathBuf,
    device: Option<D>,
    open: fn(&Path) -> io::Result<D>,
}

impl<D: I2c<Error = I2CError>> Reopened<D> {
    fn transaction(&mut self, address: u8, operations: &mut [Operation<'_>]) -> Result<(), LinuxI2cError> {
        let mut device = match self.device.take() {
            Some(device) => device,
            None => (self.open)(&self.path).map_err(|error| LinuxI2cError::opening(&self.path, error))?,
        };
        match device.transaction(address, operations) {
            Ok(()) => {
                self.device = Some(device);
                Ok(())
            }
            Err(error) => Err(LinuxI2cError::transfer(&self.path, address, io_error(error.inner()))),
        }
    }
}

fn io_error(error: &LinuxI2CError) -> io::Error {
    match error {
        LinuxI2CError::Errno(errno) => io::Error::from_raw_os_error(*errno),
        LinuxI2CError::Io(error) => match error.raw_os_error() {
            Some(errno) => io::Error::from_raw_os_error(errno),
            None => io::Error::new(error.kind(), error.to_string()),
        },
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
        self.0.transaction(address, operations)
    }
}

/// An error of the kernel's I2C layer.
///
/// `linux-embedded-hal` knows only some of the error numbers; a missing chip on a Raspberry Pi is not among them.
pub struct LinuxI2cError {
    /// What was tried, where it was no transfer.
    action: String,
    source: io::Error,
    hint: String,
}

impl LinuxI2cError {
    fn opening(path: &Path, source: io::Error) -> Self {
        let action = format!("cannot open {}: ", path.display());
        let hint = format!(": {}", advice(&source));
        Self { action, source, hint }
    }

    fn transfer(path: &Path, address: u8, source: io::Error) -> Self {
        // The crate opens the file anew where the address is another.
        if source.kind() == io::ErrorKind::NotFound {
            return Self::opening(path, source);
        }
        let hint = match source.raw_os_error() {
            Some(EBUSY) if address == 0x10 => "; unload the kernel's veml6030 driver, it has the address",
            Some(EBUSY) => "; unload the kernel's bmp280 driver, it has the address",
            Some(ETIMEDOUT) => "; a line is held low",
            Some(EOPNOTSUPP) => "; the controller cannot do this kind of transfer",
            Some(ENODEV) => "; the adapter is gone, and is opened again when it is back",
            Some(ENXIO | EREMOTEIO) => "",
            _ => "; check cable and pull-ups",
        };
        Self { action: String::new(), source, hint: hint.into() }
    }
}

const ENXIO: i32 = 6;
const EBUSY: i32 = 16;
const ENODEV: i32 = 19;
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
        write!(f, "{}{}{}", self.action, self.source, self.hint)
    }
}

impl fmt::Display for LinuxI2cError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl std::error::Error for LinuxI2cError {}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// An adapter that is there, and one that has been plugged in anew since it was opened.
    struct Adapter(u32);

    thread_local! {
        static PLUGGED: Cell<u32> = const { Cell::new(1) };
    }

    impl ErrorType for Adapter {
        type Error = I2CError;
    }

    impl I2c for Adapter {
        fn transaction(&mut self, _: u8, _: &mut [Operation<'_>]) -> Result<(), I2CError> {
            if self.0 == PLUGGED.get() { Ok(()) } else { Err(LinuxI2CError::Errno(ENODEV).into()) }
        }
    }

    #[test]
    fn a_bus_is_opened_again_after_a_transfer_that_failed() {
        let open = |path: &Path| match PLUGGED.get() {
            0 => std::fs::File::open(path).map(|_| Adapter(0)),
            times => Ok(Adapter(times)),
        };
        let mut bus = Reopened { path: "/dev/i2c-none".into(), device: None, open };
        let mut read = || bus.transaction(0x76, &mut []).map_err(|error| error.to_string());
        assert_eq!(read(), Ok(()));
        PLUGGED.set(0);
        let gone = read().unwrap_err();
        assert!(gone.contains("the adapter is gone"), "{gone}");
        let missing = read().unwrap_err();
        assert!(
            missing.starts_with("cannot open /dev/i2c-none: ") && missing.contains(": enable I2C"),
            "{missing}"
        );
        PLUGGED.set(2);
        assert_eq!(read(), Ok(()));
        PLUGGED.set(3);
        assert!(read().is_err(), "once");
        assert_eq!(read(), Ok(()));
    }

    #[test]
    fn a_missing_chip_is_one_whatever_the_controller_calls_it() {
        let kind = |errno| {
            i2c::Error::kind(&LinuxI2cError::transfer(
                Path::new("/dev/i2c-1"),
                0x76,
                io::Error::from_raw_os_error(errno),
            ))
        };
        for errno in [ENXIO, EREMOTEIO] {
            assert!(matches!(kind(errno), ErrorKind::NoAcknowledge(_)), "{errno}");
        }
        assert_eq!(
            (kind(ETIMEDOUT), kind(EBUSY), kind(ENODEV)),
            (ErrorKind::Bus, ErrorKind::Bus, ErrorKind::Other)
        );
    }
}
