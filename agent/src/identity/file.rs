//! Files of an operator: not larger than they can be, and secret ones closed to others.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use crate::platform::plain_file;

/// Larger files are no certificates and no keys.
const LARGEST_FILE: u64 = 256 * 1024;

pub(super) fn read_limited(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    plain_file::open(path)?.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        let why = format!("it is larger than {} KiB and so no PEM file of this kind", LARGEST_FILE / 1024);
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    Ok(bytes)
}

/// The permission bits of a file that others than owner and group can read or change, or that the group can change. A
/// group may read a secret, as Debian's `ssl-cert` does.
#[cfg(unix)]
pub(super) fn open_to_others(path: &Path) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt;
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    Ok((mode & 0o037 != 0).then_some(mode))
}

#[cfg(not(unix))]
pub(super) fn open_to_others(path: &Path) -> io::Result<Option<u32>> {
    fs::metadata(path).map(|_| None)
}
