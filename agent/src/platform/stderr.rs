//! What is said on standard error, beside what a command prints. The macros of the standard library panic when nobody reads it
//! any more, as after `2>&1 | head`.

use std::io::Write as _;

/// Says this as it stands, at once; to nobody where nobody reads.
pub fn put(text: &str) {
    let mut output = std::io::stderr().lock();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

/// Says a line, formatted as by `format!`.
#[macro_export]
macro_rules! tell {
    ($($words:tt)*) => {
        $crate::platform::stderr::put(&(format!($($words)*) + "\n"))
    };
}

pub use crate::tell;
