//! How wide the terminal is.

use std::io::IsTerminal;

/// Columns of the terminal that standard output goes to; `None` if it goes elsewhere.
pub(in crate::cli) fn width() -> Option<usize> {
    let output = std::io::stdout();
    if !output.is_terminal() {
        return None;
    }
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(&output)
        && size.ws_col > 0
    {
        return Some(usize::from(size.ws_col));
    }
    Some(80)
}
