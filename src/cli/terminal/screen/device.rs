//! The terminal itself: taken over for a screen, and given back as it was, once, by whoever comes first: the end of the screen,
//! or a panic anywhere in the program, whose message then stands where it can be read.

use std::io;
use std::time::Duration;

use ratatui_core::layout::Size;

/// Of a terminal that does not say how large it is.
const USUAL: Size = Size { width: 80, height: 24 };

/// What has come from the keyboard.
#[derive(Debug)]
pub(super) enum Input {
    Bytes(Vec<u8>),
    Nothing,
    /// There is no keyboard any more.
    Gone,
}

/// A terminal that shows a screen. Dropped, it is as it was.
pub(super) struct Device(());

impl Device {
    /// Takes over the terminal: another page of it, without cursor, and each key as it is pressed.
    pub(super) fn enter() -> io::Result<Self> {
        real::enter()?;
        Ok(Self(()))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        leave();
    }
}

pub(super) use real::{is_taken, leave, size, wait, write};

#[cfg(unix)]
mod real {
    use std::panic;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Mutex, MutexGuard, Once, PoisonError};
    use std::thread::sleep;
    use std::time::Instant;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::io::Errno;
    use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};

    use super::{Duration, Input, Size, USUAL, io};

    /// The terminal's settings from before, while it shows a screen.
    static BEFORE: Mutex<Option<Termios>> = Mutex::new(None);
    /// Whether frames may be written.
    static SHOWS: AtomicBool = AtomicBool::new(false);
    /// Held while a frame is written.
    static WRITES: Mutex<()> = Mutex::new(());
    static HOOK: Once = Once::new();

    /// A frame that takes longer goes into a terminal that takes nothing, and is not waited for.
    const FRAME_WITHIN: Duration = Duration::from_millis(500);
    const AGAIN: Duration = Duration::from_millis(5);

    const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";
    const LEAVE: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";

    pub(crate) fn enter() -> io::Result<()> {
        HOOK.call_once(|| {
            let told_before = panic::take_hook();
            panic::set_hook(Box::new(move |panic| {
                leave();
                told_before(panic);
            }));
        });
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        lock(&BEFORE).replace(before);
        SHOWS.store(true, Ordering::SeqCst);
        let taken = tcsetattr(io::stdin(), OptionalActions::Now, &raw).map_err(Into::into);
        let taken = taken.and_then(|()| put(ENTER));
        if taken.is_err() {
            leave();
        }
        taken
    }

    /// Gives the terminal back; does nothing where that was done.
    pub(crate) fn leave() {
        let Some(before) = lock(&BEFORE).take() else { return };
        SHOWS.store(false, Ordering::SeqCst);
        let begun = Instant::now();
        let _written = loop {
            match WRITES.try_lock() {
                Ok(guard) => break Some(guard),
                Err(_) if begun.elapsed() > FRAME_WITHIN => break None,
                Err(_) => sleep(AGAIN),
            }
        };
        // Nobody could be told if it fails: the terminal is gone.
        let _ = put(LEAVE);
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
    }

    /// Writes a frame, unless the terminal was given back.
    pub(crate) fn write(frame: &[u8]) -> io::Result<()> {
        let _writes = lock(&WRITES);
        if SHOWS.load(Ordering::SeqCst) { put(frame) } else { Ok(()) }
    }

    /// Past the lock of standard output, which a thread that is stuck may hold.
    fn put(mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match rustix::io::write(io::stdout(), bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => bytes = &bytes[written..],
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => sleep(AGAIN),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether the terminal was not given back yet.
    pub(crate) fn is_taken() -> bool {
        SHOWS.load(Ordering::SeqCst)
    }

    pub(crate) fn size() -> Size {
        match tcgetwinsize(io::stdout()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => {
                Size { width: size.ws_col, height: size.ws_row }
            }
            _ => USUAL,
        }
    }

    /// Waits for keys, so long at the most.
    pub(crate) fn wait(time: Duration) -> Input {
        let input = io::stdin();
        let mut polled = [PollFd::new(&input, PollFlags::IN)];
        let time = Timespec::try_from(time).ok();
        match poll(&mut polled, time.as_ref()) {
            Ok(0) | Err(Errno::INTR) => return Input::Nothing,
            Ok(_) => {}
            Err(_) => return Input::Gone,
        }
        let mut bytes = [0; 256];
        // Past the buffer of standard input.
        match rustix::io::read(&input, &mut bytes) {
            Ok(0) => Input::Gone,
            Ok(read) => Input::Bytes(bytes[..read].to_vec()),
            Err(Errno::INTR | Errno::AGAIN) => Input::Nothing,
            Err(_) => Input::Gone,
        }
    }

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing asks for a screen here: see `look::lack`.
#[cfg(not(unix))]
mod real {
    use super::{Duration, Input, Size, USUAL, io};

    pub(crate) fn enter() -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn leave() {}

    pub(crate) fn write(_frame: &[u8]) -> io::Result<()> {
        Ok(())
    }

    pub(crate) fn is_taken() -> bool {
        false
    }

    pub(crate) fn size() -> Size {
        USUAL
    }

    pub(crate) fn wait(_time: Duration) -> Input {
        Input::Gone
    }
}
