//! Shows a page until somebody ends it.

use std::io;
use std::time::{Duration, Instant};

use ratatui_core::layout::Size;
use ratatui_core::terminal::Terminal;

use super::ascii::fold;
use super::backend::Ansi;
use super::device::{Device, Input, is_taken, size, wait};
use super::keys::{Decoder, Key};
use super::look::Look;
use super::page::{Flow, Page};

/// How often it looks whether the terminal has another size, or somebody asks for the end.
const LOOK: Duration = Duration::from_millis(100);
/// What follows an escape comes sooner.
const ESCAPE: Duration = Duration::from_millis(40);
/// News is drawn so often at the most.
const FRAME: Duration = Duration::from_millis(250);
/// Ages are drawn so often.
const AGES: Duration = Duration::from_secs(1);

/// Shows `page` until a key, `is_ended`, or the end of the terminal ends it. The terminal is then as it was.
pub(in crate::cli) fn show(page: &mut dyn Page, look: Look, is_ended: &dyn Fn() -> bool) -> io::Result<()> {
    let device = Device::enter()?;
    show_on(&device, page, look, is_ended)
}

/// As [`show`], on a terminal that was taken over.
pub(super) fn show_on(
    _device: &Device,
    page: &mut dyn Page,
    look: Look,
    is_ended: &dyn Fn() -> bool,
) -> io::Result<()> {
    let mut terminal = Terminal::new(Ansi::default())?;
    let mut keys = Decoder::default();
    let (mut drawn, mut shown) = (None::<Instant>, Size::ZERO);
    let mut is_new = true;
    // A panic elsewhere gives the terminal back, too.
    while !is_ended() && is_taken() {
        is_new |= page.refresh();
        let age = drawn.map_or(Duration::MAX, |drawn| drawn.elapsed());
        if shown != size() || age >= AGES || (is_new && age >= FRAME) {
            draw(&mut terminal, page, look)?;
            (drawn, shown, is_new) = (Some(Instant::now()), size(), false);
        }
        let pressed = match wait(if keys.is_waiting() { ESCAPE } else { LOOK }) {
            Input::Bytes(bytes) => keys.push(&bytes),
            Input::Nothing => keys.quiet().into_iter().collect(),
            Input::Gone => return Ok(()),
        };
        for key in pressed {
            if key == Key::Interrupt || page.press(key) == Flow::Ends {
                return Ok(());
            }
            // At once.
            drawn = None;
        }
    }
    Ok(())
}

fn draw(terminal: &mut Terminal<Ansi>, page: &mut dyn Page, look: Look) -> io::Result<()> {
    terminal.draw(|frame| {
        let buffer = frame.buffer_mut();
        page.draw(buffer, look);
        if !look.unicode {
            fold(buffer);
        }
    })?;
    Ok(())
}
