//! Text files as other systems write them: with a byte order mark, or in UTF-16.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

/// Reads a text. A byte order mark is no part of it, and UTF-16 is named. Nothing of the file is repeated.
pub(super) fn read(path: &Path) -> io::Result<String> {
    of(fs::read(path)?)
}

/// The text that these bytes are.
pub(super) fn of(bytes: Vec<u8>) -> io::Result<String> {
    let invalid = |why: &str| io::Error::new(ErrorKind::InvalidData, why);
    if bytes.starts_with(b"\xff\xfe")
        || bytes.starts_with(b"\xfe\xff")
        || bytes.get(..2).is_some_and(|two| two.contains(&0))
    {
        return Err(invalid("it is written in UTF-16; convert it: iconv -f UTF-16 -t UTF-8 FILE > NEWFILE"));
    }
    let text = String::from_utf8(bytes).map_err(|_| invalid("it is no text in UTF-8"))?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text_and_utf_16_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("text");
        let read = |bytes: &[u8]| {
            fs::write(&path, bytes).unwrap();
            read(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read(b"\xef\xbb\xbf{\"a\": 1}"), Ok("{\"a\": 1}".into()));
        assert_eq!(read("Käse".as_bytes()), Ok("Käse".into()));
        for bytes in [&b"\xff\xfe{\0"[..], b"\xfe\xff\0{", b"{\0}\0", b"\0{\0}"] {
            assert!(read(bytes).unwrap_err().contains("UTF-16; convert it: iconv"), "{bytes:?}");
        }
        assert_eq!(read(b"\xe4secret"), Err("it is no text in UTF-8".into()));
    }
}
