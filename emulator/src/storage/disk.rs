//! Folders and files of the storage: for their owner's eyes alone, and never through a link.

use std::{
    fs::{self, DirBuilder, File, Metadata, OpenOptions},
    io::{self, Write as _},
    path::Path,
};

use ring::digest::{SHA256, digest};

use super::{BlobName, StorageError};
use crate::id::upper_hex;

/// What stands at a place, if anything does; links are not followed.
pub(super) fn look(path: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Makes a folder, and those above it.
pub(super) fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Makes a file that is not there yet.
pub(super) fn make_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Moves a file to its place, and sees to it that it stays there.
pub(super) fn move_into_place(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    #[cfg(unix)]
    if let Some(folder) = to.parent() {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Writes a small file: a reader sees the old one or the new one, whole.
pub(super) fn write_small(path: &Path, beside: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = make_file(beside)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.and_then(|()| move_into_place(beside, path)).inspect_err(|_| {
        // That it failed is told.
        let _ = fs::remove_file(beside);
    })
}

/// A name that is nobody's: of a blob, or of a block.
pub(super) fn digest_of(text: &str) -> String {
    upper_hex(&digest(&SHA256, text.as_bytes()).as_ref()[..20])
}

/// The same for a blob.
pub(super) fn digest_of_blob(blob: &BlobName) -> String {
    digest_of(&format!("{}/{}", blob.container().as_str(), blob.name()))
}

/// Where a blob is, or would be, below the folder of its container; with `make`, the folders above it are made. The second is
/// what stands there.
pub(super) fn find_place(
    blob: &BlobName,
    container: &Path,
    make: bool,
) -> Result<(std::path::PathBuf, Option<Metadata>), StorageError> {
    let refuse = |status, code, why: &str| {
        Err(StorageError::new(status, code, format!("the blob \"{}\" {why}", blob.name())))
    };
    let mut places = blob.places(container);
    let Some(file) = places.pop() else { return Err(StorageError::no_blob(blob.name())) };
    for folder in places {
        match look(&folder)? {
            Some(found) if found.is_dir() => {}
            Some(found) if found.is_symlink() => {
                return refuse(403, "AuthorizationFailure", "leads through a link, which is never followed");
            }
            Some(_) => return refuse(409, "ResourceTypeMismatch", "would be below another blob"),
            None if make => make_folder(&folder)?,
            None => return Err(StorageError::no_blob(blob.name())),
        }
    }
    match look(&file)? {
        Some(found) if found.is_symlink() => {
            refuse(403, "AuthorizationFailure", "is a link, which is never followed")
        }
        Some(found) if found.is_dir() => refuse(409, "ResourceTypeMismatch", "has other blobs below it"),
        Some(found) if !found.is_file() => refuse(403, "AuthorizationFailure", "is no file"),
        found => Ok((file, found)),
    }
}
