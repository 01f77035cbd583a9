//! Blocks that no list has made a blob of yet: in a folder for each blob, one file each.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{
    StorageError,
    disk::{self, digest_of},
    received::{Received, Room},
};

/// Azure's number of blocks of a blob.
pub(crate) const MAX_BLOCKS: usize = 50_000;

/// The blocks of one blob.
#[derive(Debug, Default)]
struct Sizes(HashMap<String, u64>);

/// The blocks of all blobs. What has been looked at is remembered.
#[derive(Debug)]
pub(super) struct Staged {
    folder: PathBuf,
    known: HashMap<String, Sizes>,
}

impl Staged {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, known: HashMap::new() }
    }

    /// Adds a block; one of the same ID is replaced. Together the blocks are no larger than a blob may be.
    pub(super) fn put(
        &mut self,
        (blob, block_id): (&str, &str),
        received: Received,
        (room, limit): (&Room, u64),
    ) -> Result<(), StorageError> {
        let folder = self.folder.join(blob);
        disk::make_folder(&folder)?;
        let sizes = Self::sizes(&mut self.known, blob, &folder)?;
        let name = digest_of(block_id);
        let old = sizes.0.get(&name).copied();
        if old.is_none() && sizes.0.len() >= MAX_BLOCKS {
            let why = format!("a blob has at most {MAX_BLOCKS} blocks");
            return Err(StorageError::new(409, "BlockCountExceedsLimit", why));
        }
        let size = received.size();
        if sizes.0.values().sum::<u64>() - old.unwrap_or_default() + size > limit {
            return Err(StorageError::too_large(limit));
        }
        received.place(&folder.join(&name))?;
        if let Some(old) = old {
            room.release(old);
        }
        sizes.0.insert(name, size);
        Ok(())
    }

    fn sizes<'k>(
        known: &'k mut HashMap<String, Sizes>,
        blob: &str,
        folder: &Path,
    ) -> io::Result<&'k mut Sizes> {
        if !known.contains_key(blob) {
            let found = files(folder)?
                .into_iter()
                .filter_map(|(path, size)| Some((path.file_name()?.to_str()?.to_owned(), size)));
            known.insert(blob.to_owned(), Sizes(found.collect()));
        }
        Ok(known.entry(blob.to_owned()).or_default())
    }

    /// The block of this ID, to be read.
    pub(super) fn open(&self, blob: &str, block_id: &str) -> Result<File, StorageError> {
        File::open(self.folder.join(blob).join(digest_of(block_id))).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => StorageError::new(
                400,
                "InvalidBlockList",
                "the list names a block that was not uploaded, or is in the blob already (those are not kept here)",
            ),
            _ => error.into(),
        })
    }

    /// Forgets the blocks of a blob.
    pub(super) fn forget(&mut self, blob: &str, room: &Room) -> io::Result<()> {
        self.known.remove(blob);
        let folder = self.folder.join(blob);
        for (path, size) in files(&folder)? {
            fs::remove_file(path)?;
            room.release(size);
        }
        match fs::remove_dir(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Forgets the blocks of those blobs to which none has been added since then.
    pub(super) fn sweep(&mut self, since: SystemTime, room: &Room) -> io::Result<()> {
        let Some(folders) = entries(&self.folder)? else { return Ok(()) };
        for folder in folders {
            let folder = folder?;
            if folder.metadata()?.modified()? < since
                && let Some(blob) = folder.file_name().to_str()
            {
                self.forget(blob, room)?;
            }
        }
        Ok(())
    }
}

fn entries(folder: &Path) -> io::Result<Option<fs::ReadDir>> {
    match fs::read_dir(folder) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The files in a folder, with their sizes; none where there is no folder.
pub(super) fn files(folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let Some(entries) = entries(folder)? else { return Ok(Vec::new()) };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let about = entry.metadata()?;
        if about.is_file() {
            found.push((entry.path(), about.len()));
        }
    }
    Ok(found)
}

/// All files below a folder, links left out, each with its path below the first one.
pub(super) fn files_below(folder: &Path) -> io::Result<Vec<(String, fs::Metadata)>> {
    let mut found = Vec::new();
    let mut folders = vec![(folder.to_owned(), String::new())];
    while let Some((folder, above)) = folders.pop() {
        for entry in entries(&folder)?.into_iter().flatten() {
            let entry = entry?;
            // Of the entry itself, not of what it leads to.
            let about = entry.metadata()?;
            let Some(name) = entry.file_name().to_str().map(|name| format!("{above}{name}")) else {
                continue;
            };
            if about.is_dir() {
                folders.push((entry.path(), name + "/"));
            } else if about.is_file() {
                found.push((name, about));
            }
        }
    }
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    Ok(found)
}
