//! Lines on standard output, for the person or the script that started the program.

use std::io::Write;

/// Prints lines, each with its end, in one piece. False when nobody reads any more.
pub fn lines(text: &str) -> bool {
    let mut output = std::io::stdout().lock();
    output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_ok()
}

/// Prints a line at once. False when nobody reads any more, which is no reason to fail.
pub fn line(text: &str) -> bool {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush()).is_ok()
}
