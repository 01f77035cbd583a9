//! The serial port that a receiver is wired to.

use std::io;
use std::path::PathBuf;

use serial2_tokio::{CharSize, FlowControl, Parity, SerialPort, Settings, StopBits};

use super::source::{ByteSource, ByteStream, Opening};

/// What most receivers are set to: u-blox up to the 8th generation, modules by Quectel. `SiRF` has 4800,
/// u-blox 38400 from the 9th generation on.
pub const DEFAULT_BAUD: u32 = 9600;

/// A serial device, opened raw with 8 data bits, no parity, 1 stop bit and no flow control.
#[derive(Debug, Clone)]
pub struct SerialSource {
    path: PathBuf,
    baud: u32,
}

impl SerialSource {
    /// `/dev/serial0` on a Raspberry Pi's header, `/dev/serial/by-id/...` for USB.
    pub fn new(path: impl Into<PathBuf>, baud: u32) -> Self {
        Self { path: path.into(), baud }
    }

    fn open_now(&self) -> io::Result<ByteStream> {
        let baud = self.baud;
        let configure = |mut settings: Settings| -> io::Result<Settings> {
            // Without this the terminal layer would alter bytes and wait for line ends.
            settings.set_raw();
            settings.set_baud_rate(baud)?;
            settings.set_char_size(CharSize::Bits8);
            settings.set_parity(Parity::None);
            settings.set_stop_bits(StopBits::One);
            settings.set_flow_control(FlowControl::None);
            Ok(settings)
        };
        let port = SerialPort::open(&self.path, configure).map_err(|error| explain(&error))?;
        Ok(Box::new(port))
    }
}

impl ByteSource for SerialSource {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(std::future::ready(self.open_now()))
    }

    fn name(&self) -> String {
        format!("{} at {} baud", self.path.display(), self.baud)
    }
}

fn explain(error: &io::Error) -> io::Error {
    let advice = match error.kind() {
        io::ErrorKind::NotFound => "is the receiver plugged in, and the UART enabled (enable_uart=1)?",
        io::ErrorKind::PermissionDenied => "add the user to the group dialout",
        io::ErrorKind::ResourceBusy => "another program has it (gpsd, ModemManager, a login console)",
        io::ErrorKind::InvalidInput => "does the port know this baud rate?",
        _ => "is this a serial device?",
    };
    io::Error::new(error.kind(), format!("{error}: {advice}"))
}
