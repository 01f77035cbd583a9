//! The serial port that a receiver is wired to.

use std::fs::File;
use std::future::Future;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use serial2::{CharSize, FlowControl, Parity, SerialPort, Settings, StopBits};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;
use tracker_timers::{Sleep, sleep_about};

use super::decoder::EPOCH_PAUSE;
use super::source::{ByteSource, ByteStream, Opening};

/// A UART hands on some 16 bytes at a time: 60 wakes a second for a receiver that talks all the time. So the port rests
/// after every read that emptied it, unless somebody wants to know now. A little more than the second in which receivers
/// repeat themselves, so that reads come at another moment of that second each time, and some soon after the sentences
/// that tell the time. And by more than a timer may wake ahead: where a reading comes every
/// second, the port is read with it, and the rest never ends by itself.
const LONGEST_REST: Duration = Duration::from_millis(1100);
/// What may gather meanwhile: the terminal layer keeps 4 KiB, and some drivers lose what comes beyond that.
const BUFFER: u32 = 3072;
/// A start bit, eight of data, a stop bit.
const BITS_PER_BYTE: u32 = 10;

/// A serial device, opened raw with 8 data bits, no parity, 1 stop bit and no flow control.
#[derive(Debug, Clone)]
pub struct SerialSource {
    path: PathBuf,
    baud: u32,
    look: Arc<Notify>,
}

impl SerialSource {
    /// `/dev/serial0` on a Raspberry Pi's header, `/dev/serial/by-id/...` for USB.
    ///
    /// Most receivers are set to 9600 baud: u-blox up to the 8th generation, modules by Quectel. `SiRF` has 4800, u-blox
    /// 38400 from the 9th generation on.
    pub fn new(path: impl Into<PathBuf>, baud: u32) -> Self {
        Self { path: path.into(), baud, look: Arc::default() }
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
        let port = SerialPort::open(&self.path, configure).map_err(|error| self.explain(&error))?;
        Ok(Box::new(Resting::new(File::from(OwnedFd::from(port)), self.baud, &self.look)))
    }

    fn explain(&self, error: &io::Error) -> io::Error {
        let advice = match error.kind() {
            io::ErrorKind::NotFound => "is the receiver plugged in, and the UART enabled (enable_uart=1)?",
            io::ErrorKind::PermissionDenied => "add the user to the group dialout",
            io::ErrorKind::ResourceBusy => match self.other_reader() {
                Some(other) => return io::Error::new(error.kind(), format!("{error}: {other}")),
                None => "another program has it (gpsd, ModemManager, a login console)",
            },
            io::ErrorKind::InvalidInput => "does the port know this baud rate?",
            _ => "is this a serial device?",
        };
        io::Error::new(error.kind(), format!("{error}: {advice}"))
    }
}

impl ByteSource for SerialSource {
    fn open(&mut self) -> Opening<'_> {
        Box::pin(std::future::ready(self.open_now()))
    }

    fn name(&self) -> String {
        format!("{} at {} baud", self.path.display(), self.baud)
    }

    #[cfg(target_os = "linux")]
    fn other_reader(&self) -> Option<String> {
        super::other_reader::other_reader(&self.path)
    }

    fn look(&self) -> Arc<Notify> {
        self.look.clone()
    }

    fn epoch_pause(&self) -> Duration {
        LONGEST_REST + EPOCH_PAUSE
    }
}

/// A port that is read only so often, while what comes gathers in the kernel's buffer.
struct Resting {
    port: File,
    rest: Sleep,
    length: Duration,
    look: Pin<Box<OwnedNotified>>,
    looks: Arc<Notify>,
}

impl Resting {
    fn new(port: File, baud: u32, looks: &Arc<Notify>) -> Self {
        let filling = Duration::from_secs(u64::from(BUFFER * BITS_PER_BYTE)) / baud.max(1);
        Self {
            port,
            rest: sleep_about(Duration::ZERO),
            length: LONGEST_REST.min(filling),
            look: Box::pin(looks.clone().notified_owned()),
            looks: looks.clone(),
        }
    }
}

impl AsyncRead for Resting {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            let looks = this.look.as_mut().poll(cx).is_ready();
            if looks {
                this.look.set(this.looks.clone().notified_owned());
            } else {
                ready!(Pin::new(&mut this.rest).poll(cx));
            }
            let read = this.port.read(out.initialize_unfilled());
            let nothing = read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
            if nothing || read.as_ref().is_ok_and(|length| *length < out.remaining()) {
                // One that was reset would wake at its old time all the same.
                this.rest = sleep_about(this.length);
            }
            if !nothing {
                out.advance(read?);
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    use tokio::io::AsyncReadExt;
    use tokio::time::{Instant, sleep};

    use super::*;

    fn line(baud: u32) -> (UnixStream, Resting) {
        let (receiver, port) = UnixStream::pair().unwrap();
        port.set_nonblocking(true).unwrap();
        (receiver, Resting::new(File::from(OwnedFd::from(port)), baud, &Arc::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn bytes_that_drip_are_read_once_a_second_and_none_is_lost() {
        let (mut receiver, mut port) = line(9600);
        let begun = Instant::now();
        tokio::spawn(async move {
            for byte in 0..200_u8 {
                receiver.write_all(&[byte]).unwrap();
                sleep(Duration::from_millis(50)).await;
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
        assert_eq!(all, (0..200).collect::<Vec<u8>>());
        assert!((10..=12).contains(&reads), "{reads} reads in {:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_to_know_now_need_not_wait() {
        let (mut receiver, mut port) = line(9600);
        let (look, mut buffer) = (port.looks.clone(), [0; 1000]);
        receiver.write_all(b"early").unwrap();
        assert_eq!(port.read(&mut buffer).await.unwrap(), 5);
        let begun = Instant::now();
        tokio::spawn(async move {
            for _ in 0..3 {
                sleep(Duration::from_millis(100)).await;
                receiver.write_all(b"late").unwrap();
                look.notify_one();
            }
            std::future::pending::<()>().await;
        });
        for _ in 0..3 {
            assert_eq!(port.read(&mut buffer).await.unwrap(), 4);
        }
        assert_eq!(begun.elapsed(), Duration::from_millis(300));
    }

    #[tokio::test(start_paused = true)]
    async fn the_faster_the_line_the_shorter_the_rest() {
        for baud in [4800, 9600, 38_400, 115_200, 921_600] {
            let (_receiver, port) = line(baud);
            let gathered = port.length.as_secs_f64() * f64::from(baud) / 10.0;
            assert!(gathered <= 4096.0 * 0.8, "{gathered} bytes at {baud} baud");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_that_has_more_is_read_on_at_once() {
        let (mut receiver, mut port) = line(9600);
        receiver.write_all(&[7; 4000]).unwrap();
        let (begun, mut buffer) = (Instant::now(), [0; 1000]);
        for _ in 0..4 {
            port.read_exact(&mut buffer).await.unwrap();
        }
        assert_eq!(begun.elapsed(), Duration::ZERO, "it rests although there is more");
    }
}
