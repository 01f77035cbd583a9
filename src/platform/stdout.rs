//! Lines on standard output, for the person or the script that started the program.

use std::io::Write;

/// Prints a line at once. False when nobody reads any more, which is no reason to fail.
pub fn line(text: &str) -> bool {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{text}").and_then(|()| output.flush()).is_ok()
}
