//! The serial port that a receiver is wired to.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serial2::{CharSize, FlowControl, Parity, SerialPort, Settings, StopBits};

use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, Interest, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use super::decoder::EPOCH_PAUSE;
use super::source::{ByteSource, ByteStream, Opening};

/// What most receivers are set to: u-blox up to the 8th generation, modules by Quectel. `SiRF` has 4800,
/// u-blox 38400 from the 9th generation on.
pub const DEFAULT_BAUD: u32 = 9600;

/// A UART hands on some 16 bytes at a time: 60 wakes a second for a receiver that talks all the time. So the port rests
/// after every read that emptied it, for well less than the pause by which the end of an epoch is known.
const REST: Duration = Duration::from_millis(EPOCH_PAUSE.as_millis() as u64 * 5 / 8);

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
        Ok(Box::new(Resting::new(File::from(OwnedFd::from(port)))))
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

/// A port that is read only so often, while what comes gathers in the kernel's buffer. The reactor would be woken by
/// every byte even if nobody read, so it is told of the port only while there is nothing to read.
struct Resting {
    port: Port,
    rest: Pin<Box<Sleep>>,
}

enum Port {
    Resting(File),
    Waiting(AsyncFd<File>),
    /// An error has taken it away.
    Gone,
}

impl Resting {
    fn new(port: File) -> Self {
        Self { port: Port::Resting(port), rest: Box::pin(sleep(Duration::ZERO)) }
    }
}

impl AsyncRead for Resting {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match std::mem::replace(&mut this.port, Port::Gone) {
                Port::Resting(mut file) => {
                    if this.rest.as_mut().poll(cx).is_pending() {
                        this.port = Port::Resting(file);
                        return Poll::Pending;
                    }
                    let read = file.read(out.initialize_unfilled());
                    if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
                        this.port = Port::Waiting(wait_for(file)?);
                        continue;
                    }
                    this.port = Port::Resting(file);
                    out.advance(read?);
                    if out.remaining() > 0 {
                        this.rest.as_mut().reset(Instant::now() + REST);
                    }
                    return Poll::Ready(Ok(()));
                }
                Port::Waiting(waiting) => {
                    let ready = waiting.poll_read_ready(cx).map_ok(|_| ());
                    if ready.is_pending() {
                        this.port = Port::Waiting(waiting);
                    } else {
                        this.port = Port::Resting(waiting.into_inner());
                    }
                    ready!(ready)?;
                }
                Port::Gone => return Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
            }
        }
    }
}

#[expect(unsafe_code, reason = "tokio can't see that a file keeps its descriptor as long as it lives")]
fn wait_for(file: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: a `File` owns its descriptor, and nothing replaces or closes that before the `AsyncFd` gives it back.
    Ok(unsafe { AsyncFd::register_with_interest(file, Interest::READABLE) }?)
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use tokio::io::AsyncReadExt;

    use super::*;

    fn line() -> (UnixStream, Resting) {
        let (receiver, port) = UnixStream::pair().unwrap();
        port.set_nonblocking(true).unwrap();
        (receiver, Resting::new(File::from(OwnedFd::from(port))))
    }

    #[tokio::test]
    async fn bytes_that_drip_are_read_a_handful_at_a_time_and_none_is_lost() {
        let (mut receiver, mut port) = line();
        let begun = Instant::now();
        let sender = tokio::task::spawn_blocking(move || {
            for byte in 0..100_u8 {
                receiver.write_all(&[byte]).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let (mut all, mut reads, mut buffer) = (Vec::new(), 0, [0; 1024]);
        loop {
            let length = port.read(&mut buffer).await.unwrap();
            if length == 0 {
                break;
            }
            all.extend_from_slice(&buffer[..length]);
            reads += 1;
        }
        sender.await.unwrap();
        assert_eq!(all, (0..100).collect::<Vec<u8>>());
        let most = begun.elapsed().as_millis() / REST.as_millis() + 2;
        assert!(reads <= most, "{reads} reads, {most} at the most");
    }

    #[tokio::test]
    async fn a_port_that_has_more_is_read_on_at_once() {
        let (mut receiver, mut port) = line();
        receiver.write_all(&[7; 4000]).unwrap();
        let mut buffer = [0; 1000];
        for _ in 0..4 {
            port.read_exact(&mut buffer).await.unwrap();
            assert!(port.rest.is_elapsed(), "it rests although there is more");
        }
    }
}
