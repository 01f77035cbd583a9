//! The blobs on the disk.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, Metadata},
    io::{self, Read as _},
    path::PathBuf,
    sync::{Arc, Mutex, OnceLock},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

pub(crate) use super::staged::MAX_BLOCKS;
use super::{
    Account, BlobName, ContainerName, StorageError,
    disk::{self, digest_of_blob, find_place},
    received::{Received, Room},
    staged::{Staged, files, files_below},
};
use crate::{id::hexadecimal_of_chance, lock::lock};

/// The most bytes of a blob, and of the blocks that wait to become one.
pub(crate) const MAX_BLOB: u64 = 256 * 1024 * 1024;
/// The most bytes of all that is kept.
const MAX_ALL: u64 = 4 * 1024 * 1024 * 1024;
/// How long blocks wait for their list.
const STAGED_LIFE: Duration = Duration::from_hours(24);
/// What is copied at a time.
const CHUNK: usize = 256 * 1024;

const BLOBS: &str = "blobs";
const PROPERTIES: &str = "properties";
const STAGED: &str = "staged";
const INCOMING: &str = "incoming";

/// Headers that a blob was sent with, and is given out with: name and value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Properties(pub BTreeMap<String, String>);

/// What is known of a blob.
#[derive(Clone, Debug)]
pub(crate) struct BlobFacts {
    pub size: u64,
    pub modified: DateTime<Utc>,
    /// Without quotes.
    pub etag: String,
    pub properties: Properties,
}

/// Blobs. Clones are the same storage.
#[derive(Clone, Debug)]
pub(crate) struct Storage(Arc<Core>);

#[derive(Debug)]
struct Core {
    root: PathBuf,
    /// Without a directory to keep them in they go with the emulator.
    is_temporary: bool,
    account: Account,
    room: Arc<Room>,
    /// Set when the folders are there and what is in them is counted.
    ready: OnceLock<()>,
    /// Held while something is moved to its place.
    staged: Mutex<Staged>,
}

impl Drop for Core {
    fn drop(&mut self) {
        if self.is_temporary && self.ready.get().is_some() {
            // There is nobody left to tell.
            let _ = fs::remove_dir_all(&self.root);
        }
    }
}

impl Storage {
    /// Touches no disk before something is stored or looked for. `kept_key`: as it was before a restart.
    pub(crate) fn new(directory: Option<PathBuf>, kept_key: Option<String>) -> Self {
        let is_temporary = directory.is_none();
        let root = directory
            .unwrap_or_else(|| env::temp_dir().join(format!("tracker-emulator-{}", hexadecimal_of_chance())));
        Self(Arc::new(Core {
            staged: Mutex::new(Staged::new(root.join(STAGED))),
            root,
            is_temporary,
            account: Account::new(kept_key),
            room: Arc::new(Room::new(MAX_ALL)),
            ready: OnceLock::new(),
        }))
    }

    pub(crate) fn account(&self) -> &Account {
        &self.0.account
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.0.root.join(name)
    }

    /// Makes the folders, takes away what a killed emulator was receiving, and counts what is there.
    fn ready(&self) -> Result<(), StorageError> {
        if self.0.ready.get().is_some() {
            return Ok(());
        }
        let _only_one = lock(&self.0.staged);
        if self.0.ready.get().is_some() {
            return Ok(());
        }
        for folder in [BLOBS, PROPERTIES, STAGED, INCOMING] {
            disk::make_folder(&self.folder(folder))?;
        }
        for (path, _) in files(&self.folder(INCOMING))? {
            fs::remove_file(path)?;
        }
        for folder in [BLOBS, STAGED] {
            files_below(&self.folder(folder))?.iter().for_each(|(_, about)| self.0.room.count(about.len()));
        }
        self.0.ready.get_or_init(|| ());
        Ok(())
    }

    /// Makes a container, if it is not there.
    pub(crate) fn make_container(&self, name: &ContainerName) -> Result<(), StorageError> {
        self.ready()?;
        Ok(disk::make_folder(&self.folder(BLOBS).join(name.as_str()))?)
    }

    fn container(&self, name: &ContainerName) -> Result<PathBuf, StorageError> {
        self.ready()?;
        let folder = self.folder(BLOBS).join(name.as_str());
        match disk::look(&folder)? {
            Some(found) if found.is_dir() => Ok(folder),
            _ => Err(StorageError::no_container(name.as_str())),
        }
    }

    /// A file that may become a blob, or a block of one.
    pub(crate) fn receive(&self) -> Result<Received, StorageError> {
        self.ready()?;
        Received::begin(&self.folder(INCOMING), MAX_BLOB, Arc::clone(&self.0.room))
    }

    /// Makes a blob of what was received; one that is there is replaced, unless there is to be none.
    pub(crate) fn put(
        &self,
        blob: &BlobName,
        received: Received,
        properties: &Properties,
        only_if_new: bool,
    ) -> Result<BlobFacts, StorageError> {
        let container = self.container(blob.container())?;
        let mut staged = lock(&self.0.staged);
        let (place, old) = find_place(blob, &container, true)?;
        if old.is_some() && only_if_new {
            return Err(StorageError::new(409, "BlobAlreadyExists", "there is a blob of this name"));
        }
        let text = serde_json::to_vec(properties).map_err(io::Error::from)?;
        let beside = self.folder(INCOMING).join(hexadecimal_of_chance());
        disk::write_small(&self.properties_place(blob), &beside, &text)?;
        received.place(&place)?;
        if let Some(old) = old {
            self.0.room.release(old.len());
        }
        // The blob is there; blocks that stay are swept some time.
        if let Err(error) = staged.forget(&digest_of_blob(blob), &self.0.room) {
            tracing::warn!(%error, "blocks of a blob that is there were not removed");
        }
        drop(staged);
        self.facts(blob)
    }

    fn properties_place(&self, blob: &BlobName) -> PathBuf {
        self.folder(PROPERTIES).join(digest_of_blob(blob) + ".json")
    }

    /// Keeps a block until a list makes a blob of it.
    pub(crate) fn stage(
        &self,
        blob: &BlobName,
        block_id: &str,
        received: Received,
    ) -> Result<(), StorageError> {
        find_place(blob, &self.container(blob.container())?, false).map(drop).or_else(|error| {
            // It need not be there, but it has to be one that may be.
            if error.status == 404 { Ok(()) } else { Err(error) }
        })?;
        let digest = digest_of_blob(blob);
        lock(&self.0.staged).put((&digest, block_id), received, (&self.0.room, MAX_BLOB))
    }

    /// Makes a blob of blocks in this order.
    pub(crate) fn commit(
        &self,
        blob: &BlobName,
        block_ids: &[String],
        properties: &Properties,
        only_if_new: bool,
    ) -> Result<BlobFacts, StorageError> {
        self.container(blob.container())?;
        let digest = digest_of_blob(blob);
        let mut whole = self.receive()?;
        let mut chunk = vec![0; CHUNK];
        for block_id in block_ids {
            let mut block = lock(&self.0.staged).open(&digest, block_id)?;
            loop {
                let count = block.read(&mut chunk)?;
                if count == 0 {
                    break;
                }
                whole.write(&chunk[..count])?;
            }
        }
        self.put(blob, whole, properties, only_if_new)
    }

    pub(crate) fn facts(&self, blob: &BlobName) -> Result<BlobFacts, StorageError> {
        let (_, about) = self.find(blob)?;
        self.facts_of(blob, &about)
    }

    /// A blob to be read, and what is known of it.
    pub(crate) fn open(&self, blob: &BlobName) -> Result<(File, BlobFacts), StorageError> {
        let (path, _) = self.find(blob)?;
        let file = File::open(path)?;
        // It may have been replaced since.
        let facts = self.facts_of(blob, &file.metadata()?)?;
        Ok((file, facts))
    }

    fn find(&self, blob: &BlobName) -> Result<(PathBuf, Metadata), StorageError> {
        let (path, about) = find_place(blob, &self.container(blob.container())?, false)?;
        Ok((path, about.ok_or_else(|| StorageError::no_blob(blob.name()))?))
    }

    fn facts_of(&self, blob: &BlobName, about: &Metadata) -> Result<BlobFacts, StorageError> {
        let modified = since_1970(about)?;
        let properties = match fs::read(self.properties_place(blob)) {
            Ok(text) => serde_json::from_slice(&text).unwrap_or_default(),
            Err(_) => Properties::default(),
        };
        Ok(BlobFacts {
            size: about.len(),
            modified: DateTime::from_timestamp(modified.as_secs() as i64, 0).unwrap_or(DateTime::UNIX_EPOCH),
            etag: format!("0x{:X}", modified.as_nanos()),
            properties,
        })
    }

    pub(crate) fn delete(&self, blob: &BlobName) -> Result<(), StorageError> {
        let container = self.container(blob.container())?;
        let _only_one = lock(&self.0.staged);
        let (path, about) = self.find(blob)?;
        fs::remove_file(&path)?;
        self.0.room.release(about.len());
        let _ = fs::remove_file(self.properties_place(blob));
        // Folders that are empty now are nobody's; the first that is not ends it.
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != container.as_path()) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    /// The names and sizes of the blobs of a container that begin so.
    pub(crate) fn list(
        &self,
        container: &ContainerName,
        prefix: &str,
    ) -> Result<Vec<(String, u64, DateTime<Utc>)>, StorageError> {
        let found = files_below(&self.container(container)?)?;
        let shown = |(name, about): (String, Metadata)| {
            let modified = since_1970(&about).unwrap_or_default().as_secs() as i64;
            Some((name, about.len(), DateTime::from_timestamp(modified, 0)?))
        };
        Ok(found.into_iter().filter(|(name, _)| name.starts_with(prefix)).filter_map(shown).collect())
    }

    /// A blob in whole, if it is no larger than this.
    pub(crate) fn read(&self, blob: &BlobName, limit: u64) -> Result<Vec<u8>, StorageError> {
        let (file, facts) = self.open(blob)?;
        if facts.size > limit {
            let why = format!("the blob has {} bytes; the limit is {limit}", facts.size);
            return Err(StorageError::new(413, "RequestBodyTooLarge", why));
        }
        let mut content = Vec::new();
        file.take(limit).read_to_end(&mut content)?;
        Ok(content)
    }

    /// A blob of text, made or replaced.
    pub(crate) fn write(&self, blob: &BlobName, content: &[u8]) -> Result<(), StorageError> {
        let mut received = self.receive()?;
        received.write(content)?;
        let kind = ("content-type".to_owned(), "text/plain".to_owned());
        self.put(blob, received, &Properties([kind].into()), false).map(drop)
    }

    /// Forgets blocks that have waited for their list for a day. The emulator looks now and then.
    pub(crate) fn sweep(&self, now: DateTime<Utc>) {
        if !self.0.root.join(STAGED).is_dir() {
            return;
        }
        let since = system_time(now) - STAGED_LIFE;
        let swept = self.ready().and_then(|()| Ok(lock(&self.0.staged).sweep(since, &self.0.room)?));
        if let Err(error) = swept {
            tracing::warn!(%error, "blocks without a list were not removed");
        }
    }

    /// Where it is, for tests.
    #[cfg(test)]
    fn root(&self) -> &std::path::Path {
        &self.0.root
    }
}

fn system_time(time: DateTime<Utc>) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(time.timestamp()).unwrap_or_default())
}

fn since_1970(about: &Metadata) -> io::Result<Duration> {
    Ok(about.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blob(name: &str) -> BlobName {
        BlobName::new(ContainerName::parse("files").expect("a name"), name).expect("a name")
    }

    fn storage(directory: Option<PathBuf>) -> Storage {
        let storage = Storage::new(directory, None);
        storage.make_container(blob("x").container()).expect("made");
        storage
    }

    fn received(storage: &Storage, content: &[u8]) -> Received {
        let mut received = storage.receive().expect("room");
        received.write(content).expect("written");
        received
    }

    #[test]
    fn a_blob_is_made_of_blocks_in_the_order_of_their_list_over_a_restart() {
        let directory = tempfile::tempdir().expect("a directory");
        let (root, big) = (directory.path().join("storage"), blob("d1/big"));
        let first = storage(Some(root.clone()));
        first.stage(&big, "MQ==", received(&first, b"lost")).expect("staged");
        first.stage(&big, "MQ==", received(&first, b"one ")).expect("in its place");
        first.stage(&big, "Mg==", received(&first, b"two ")).expect("staged");
        let half = received(&first, b"half a block");
        // As if it had been killed.
        std::mem::forget((half, first));

        let again = storage(Some(root.clone()));
        assert_eq!(fs::read_dir(root.join(INCOMING)).expect("there").count(), 0);
        let ids = ["Mg==", "MQ==", "Mg=="].map(str::to_owned);
        let error = again.commit(&big, &["Mw==".into()], &Properties::default(), false).expect_err("unknown");
        assert_eq!(error.code, "InvalidBlockList");
        let facts = again.commit(&big, &ids, &Properties::default(), true).expect("made");
        assert_eq!((facts.size, again.read(&big, 100).expect("read")), (12, b"two one two ".to_vec()));
        assert_eq!(fs::read_dir(root.join(STAGED)).expect("there").count(), 0, "the blocks are gone");
        assert_eq!(again.commit(&big, &[], &Properties::default(), true).expect_err("there").status, 409);
        again.delete(&big).expect("deleted");
        assert!(!root.join("blobs/files/d1").exists() && root.join("blobs/files").exists());
        assert_eq!(again.facts(&big).expect_err("gone").code, "BlobNotFound");
    }

    #[test]
    fn what_waits_for_its_list_too_long_is_swept_and_a_temporary_storage_leaves_nothing() {
        let storage = storage(None);
        storage.stage(&blob("d1/never"), "MQ==", received(&storage, b"1")).expect("staged");
        let made = since_1970(&fs::metadata(storage.root()).expect("there")).expect("a time");
        let now = DateTime::from_timestamp(made.as_secs() as i64, 0).expect("a time");
        let waiting = || fs::read_dir(storage.root().join(STAGED)).expect("there").count();
        storage.sweep(now);
        assert_eq!(waiting(), 1);
        storage.sweep(now + chrono::TimeDelta::days(2));
        assert_eq!(waiting(), 0);
        let root = storage.root().to_owned();
        drop(storage);
        assert!(!root.exists());
    }

    #[cfg(unix)]
    #[test]
    fn links_are_never_followed_and_blobs_do_not_lie_in_each_other() {
        use std::os::unix::fs::symlink;

        let directory = tempfile::tempdir().expect("a directory");
        let outside = directory.path().join("outside");
        fs::create_dir(&outside).expect("made");
        let root = directory.path().join("storage");
        let storage = storage(Some(root.clone()));
        symlink(&outside, root.join("blobs/files/away")).expect("linked");
        symlink("/etc/passwd", root.join("blobs/files/secret")).expect("linked");
        symlink(&outside, root.join("blobs/linked")).expect("linked");
        let none = Properties::default();
        for name in ["away/x", "secret"] {
            let error = storage.put(&blob(name), received(&storage, b"x"), &none, false).expect_err("a link");
            assert_eq!(error.status, 403, "{name}");
            assert!(storage.open(&blob(name)).is_err() && storage.delete(&blob(name)).is_err());
            assert!(storage.stage(&blob(name), "MQ==", received(&storage, b"x")).is_err());
        }
        let linked = BlobName::new(ContainerName::parse("linked").expect("a name"), "x").expect("a name");
        assert!(storage.put(&linked, received(&storage, b"x"), &none, false).is_err());
        assert_eq!(fs::read_dir(&outside).expect("there").count(), 0);
        assert!(storage.list(blob("x").container(), "").expect("a list").is_empty());

        storage.put(&blob("a"), received(&storage, b"1"), &none, false).expect("made");
        for name in ["a/b", "a/b/c"] {
            let error =
                storage.put(&blob(name), received(&storage, b"x"), &none, false).expect_err("below it");
            assert_eq!(error.status, 409, "{name}");
        }
        storage.put(&blob("b/c"), received(&storage, b"1"), &none, false).expect("made");
        assert_eq!(
            storage.put(&blob("b"), received(&storage, b"x"), &none, false).expect_err("above").status,
            409
        );
        let names: Vec<_> =
            storage.list(blob("x").container(), "").expect("a list").into_iter().map(|b| b.0).collect();
        assert_eq!(names, ["a", "b/c"]);
    }

    #[test]
    fn the_storage_is_bounded_and_what_was_not_finished_counts_no_more() {
        let room = Arc::new(Room::new(10_000));
        let directory = tempfile::tempdir().expect("a directory");
        let begin = || Received::begin(directory.path(), 5_000, Arc::clone(&room));
        let mut one = begin().expect("room");
        one.write(&[0; 5_000]).expect("room");
        assert_eq!(one.write(&[0]).expect_err("large").status, 413);
        assert_eq!(begin().expect_err("full").status, 507);
        drop(one);
        let mut two = begin().expect("room again");
        two.write(&[0; 5_000]).expect("room again");
    }
}
