//! Lines at the end of a file: whole ones, or none.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    path::Path,
};

/// Appends lines. A file or folder that is not there is made, for its owner's eyes alone. What fails half-way is taken back;
/// half a line that a killed emulator has left is closed first.
pub(super) fn append(path: &Path, lines: &[String]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    let end = file.seek(SeekFrom::End(0))?;
    let mut text = String::new();
    if end > 0 {
        let mut last = [0];
        file.seek(SeekFrom::Start(end - 1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push('\n');
        }
    }
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
    file.write_all(text.as_bytes()).inspect_err(|_| {
        // It failed already, and that is told.
        let _ = file.set_len(end);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_each_other_and_half_a_line_is_closed() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("deep/down.jsonl");
        append(&path, &["{\"a\":1}".into()]).expect("written");
        let mut file = OpenOptions::new().append(true).open(&path).expect("it is there");
        file.write_all(b"{\"hal").expect("written");
        append(&path, &["{\"b\":2}".into(), "{\"c\":3}".into()]).expect("written");
        assert_eq!(fs::read_to_string(&path).expect("read"), "{\"a\":1}\n{\"hal\n{\"b\":2}\n{\"c\":3}\n");
        assert!(append(directory.path(), &["x".into()]).is_err(), "a folder is no file");
    }
}
