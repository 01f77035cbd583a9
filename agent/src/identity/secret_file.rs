//! A short secret that is text in a file of its own: closed to others, as keys are.

use std::io::{Error, ErrorKind, Result};
use std::path::Path;

use super::file::open_to_others;
use crate::platform::plain_file;

/// Nothing longer is one.
const LARGEST: u64 = 16 * 1024;

/// The text of a file that others than owner and group can't read, and that neither group nor others can change. No error
/// repeats any of it.
pub fn read(path: &Path) -> Result<String> {
    if let Some(mode) = open_to_others(path)? {
        let why = format!("it is open to others (mode {mode:03o}); run: chmod 600 {}", path.display());
        return Err(Error::new(ErrorKind::PermissionDenied, why));
    }
    let text = plain_file::read_text(path, LARGEST)?;
    // Editors put a byte order mark before any text.
    Ok(text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned))
}
