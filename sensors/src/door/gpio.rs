//! A line of the kernel's GPIO character device, by the second version of its interface (Linux 5.10 and later;
//! `Documentation/userspace-api/gpio/chardev.rst`).

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use gpiocdev_uapi::v2::{Error, LineEdgeEventKind};
use gpiocdev_uapi::v2::{
    LineConfig, LineEdgeEvent, LineFlags, LineRequest, LineValues, Name, Offsets, get_chip_info, get_line,
    get_line_info, get_line_values, read_event,
};
use rustix::fs::{OFlags, fcntl_setfl};
use rustix::time::{ClockId, clock_gettime};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::{Bias, Edge, Line, LineCause, LineError, LineSettings, LineSource};

/// What the line is asked for by, as gpioinfo shows it.
const CONSUMER: &[u8] = b"container-tracker door";
/// Edges that the kernel keeps for us; it drops the oldest of more.
const KEPT_BY_KERNEL: u32 = 128;
/// Edges read at a time.
const AT_A_TIME: usize = 16;

const ENXIO: i32 = 6;
const EBUSY: i32 = 16;
const ENODEV: i32 = 19;
const ENOTTY: i32 = 25;
const EINVAL: i32 = 22;
const ENOTSUPP: i32 = 524;
const EOPNOTSUPP: i32 = 95;
const EAGAIN: i32 = 11;

/// The line of a real chip.
#[derive(Debug, Clone)]
pub struct GpioSource {
    settings: LineSettings,
}

impl GpioSource {
    /// A line that is asked for when the driver is run.
    pub fn new(settings: LineSettings) -> Self {
        Self { settings }
    }

    fn name(&self) -> String {
        format!("GPIO line {} of {}", self.settings.line, self.settings.chip.display())
    }

    fn asked_for(&self, debounced: bool) -> LineRequest {
        let LineSettings { line, active_low, bias, debounce, .. } = self.settings;
        let mut flags = LineFlags::INPUT | LineFlags::EDGE_RISING | LineFlags::EDGE_FALLING;
        flags.set(LineFlags::ACTIVE_LOW, active_low);
        flags |= match bias {
            Bias::AsIs => LineFlags::empty(),
            Bias::PullUp => LineFlags::BIAS_PULL_UP,
            Bias::PullDown => LineFlags::BIAS_PULL_DOWN,
            Bias::Disabled => LineFlags::BIAS_DISABLED,
        };
        let mut config = LineConfig { flags, ..LineConfig::default() };
        if debounced {
            config.add_debounce(u32::try_from(debounce.as_micros()).unwrap_or(u32::MAX), 1);
        }
        LineRequest {
            offsets: Offsets::from_slice(&[line]),
            consumer: Name::from_bytes(CONSUMER),
            config,
            num_lines: 1,
            event_buffer_size: KEPT_BY_KERNEL,
            ..LineRequest::default()
        }
    }

    /// The line, and how much of the debouncing is left to us. The kernel does it in the chip or, for a chip that
    /// cannot, by itself; a chip that can, but not for so long, refuses.
    fn take(&self, chip: &File) -> Result<(File, Duration), Error> {
        let period = self.settings.debounce;
        if !period.is_zero() {
            match get_line(chip, self.asked_for(true)) {
                Err(Error::Os(errno)) if matches!(errno.0, EINVAL | ENOTSUPP | EOPNOTSUPP) => {}
                taken => return taken.map(|line| (line, Duration::ZERO)),
            }
        }
        get_line(chip, self.asked_for(false)).map(|line| (line, period))
    }

    /// Why the chip would not give the line, as far as it can be asked.
    fn refused(&self, chip: &File, error: &Error) -> LineCause {
        let lines = get_chip_info(chip).map_or(u32::MAX, |info| info.num_lines);
        if self.settings.line >= lines {
            return LineCause::NoLine { lines };
        }
        match errno(error) {
            EBUSY => {
                let user =
                    get_line_info(chip, self.settings.line).ok().map(|info| String::from(&info.consumer));
                LineCause::InUse { by: user.filter(|name| !name.is_empty()) }
            }
            ENXIO => LineCause::NoInterrupt,
            EINVAL | ENOTSUPP | EOPNOTSUPP => LineCause::Refused,
            ENOTTY => LineCause::NotAChip,
            _ => lost(error),
        }
    }
}

impl LineSource for GpioSource {
    fn request(&mut self) -> Result<Box<dyn Line>, LineError> {
        let named = |cause| LineError { line: self.name(), cause };
        let chip = OpenOptions::new()
            .read(true)
            // Whoever opens a FIFO to read waits for one who writes, and nothing else would go on.
            .custom_flags(OFlags::NONBLOCK.bits().cast_signed())
            .open(&self.settings.chip)
            .map_err(|error| named(unopened(&error)))?;
        let (line, debounce) = self.take(&chip).map_err(|error| named(self.refused(&chip, &error)))?;
        let other = |error: io::Error| named(LineCause::Other(error.to_string()));
        fcntl_setfl(&line, OFlags::NONBLOCK).map_err(|errno| other(errno.into()))?;
        let line = woken_by(line).map_err(other)?;
        Ok(Box::new(GpioLine { line, name: self.name(), debounce, sequence: 0, unread: VecDeque::new() }))
    }
}

struct GpioLine {
    line: AsyncFd<File>,
    name: String,
    debounce: Duration,
    /// Number of the last edge; the kernel counts from 1.
    sequence: u32,
    unread: VecDeque<Edge>,
}

impl GpioLine {
    /// Reads edges that are there.
    fn read(&mut self) -> Result<(), Error> {
        let size = LineEdgeEvent::u64_size();
        let mut buffer = vec![0; AT_A_TIME * size];
        let length = match read_event(self.line.get_ref(), &mut buffer) {
            Err(Error::Os(errno)) if errno.0 == EAGAIN => 0,
            length => length?,
        };
        let (now, on_its_clock) = (Instant::now(), clock_gettime(ClockId::Monotonic));
        let on_its_clock = Duration::new(on_its_clock.tv_sec.cast_unsigned(), on_its_clock.tv_nsec as u32);
        for event in buffer[..length].chunks_exact(size) {
            let event = LineEdgeEvent::from_slice(event)?;
            let age = on_its_clock.saturating_sub(Duration::from_nanos(event.timestamp_ns));
            let lost = event.line_seqno.wrapping_sub(self.sequence).wrapping_sub(1);
            self.sequence = event.line_seqno;
            let open = event.kind == LineEdgeEventKind::RisingEdge as u32;
            self.unread.push_back(Edge { open, at: now.checked_sub(age).unwrap_or(now), lost });
        }
        Ok(())
    }

    fn lost(&self, error: &Error) -> LineError {
        LineError { line: self.name.clone(), cause: lost(error) }
    }
}

impl Line for GpioLine {
    fn level(&mut self) -> Result<bool, LineError> {
        let mut values = LineValues { mask: 1, ..LineValues::default() };
        get_line_values(self.line.get_ref(), &mut values).map_err(|error| self.lost(&error))?;
        Ok(values.get(0) == Some(true))
    }

    fn poll_edge(&mut self, cx: &mut Context<'_>) -> Poll<Result<Edge, LineError>> {
        loop {
            if self.unread.is_empty() {
                self.read().map_err(|error| self.lost(&error))?;
            }
            if let Some(edge) = self.unread.pop_front() {
                return Poll::Ready(Ok(edge));
            }
            match ready!(self.line.poll_read_ready(cx)) {
                // Perhaps for the edges just read. Cleared before they are looked for again: one that comes after that
                // makes it ready again.
                Ok(mut ready) => ready.clear_ready(),
                Err(error) => {
                    let cause = LineCause::Other(error.to_string());
                    return Poll::Ready(Err(LineError { line: self.name.clone(), cause }));
                }
            }
        }
    }

    fn debounce(&self) -> Duration {
        self.debounce
    }
}

#[expect(unsafe_code, reason = "tokio has no safe way to it any more")]
fn woken_by(line: File) -> io::Result<AsyncFd<File>> {
    // SAFETY: a `File` has the same descriptor from its opening to its end, and gives it to nobody else. The `AsyncFd`
    // owns it and hands out references only.
    Ok(unsafe { AsyncFd::register_with_interest(line, Interest::READABLE) }?)
}

fn unopened(error: &io::Error) -> LineCause {
    match error.kind() {
        io::ErrorKind::NotFound => LineCause::NoChip,
        io::ErrorKind::PermissionDenied => LineCause::NoPermission,
        _ => match error.raw_os_error() {
            Some(ENXIO | ENODEV) => LineCause::NoChip,
            _ => LineCause::Other(error.to_string()),
        },
    }
}

fn lost(error: &Error) -> LineCause {
    match errno(error) {
        ENODEV => LineCause::Unplugged,
        0 => LineCause::Other(error.to_string()),
        errno => LineCause::Other(io::Error::from_raw_os_error(errno).to_string()),
    }
}

fn errno(error: &Error) -> i32 {
    match error {
        Error::Os(errno) => errno.0,
        Error::UnderRead(_) => 0,
    }
}
