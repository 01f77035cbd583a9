//! The directory of a CA: which file is where, and how one is written whole.
//!
//! ```text
//! pki/root.key  root.pem  intermediate.key  intermediate.pem     *.uri in place of *.key: the key is in a token
//!     issued.csv                                                 what was issued
//!     devices/ID.key  ID.pem  ID-chain.pem  ID.pfx               of each device
//! ```

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::identity::KeyLocation;
use crate::identity::secret_file;
use crate::platform::plain_file;

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Access {
    /// The owner's alone.
    Secret,
    /// Everybody's, as far as the process' mask lets them.
    Public,
}

/// The directory of a CA.
#[derive(Debug, Clone)]
pub(in crate::cli) struct Place {
    directory: PathBuf,
}

/// One of its CAs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Rank {
    Root,
    Intermediate,
}

impl Rank {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Intermediate => "intermediate",
        }
    }
}

impl Place {
    pub(in crate::cli) fn new(directory: &Path) -> Self {
        Self { directory: directory.into() }
    }

    pub(in crate::cli) fn path(&self) -> &Path {
        &self.directory
    }

    pub(super) fn certificate(&self, of: Rank) -> PathBuf {
        self.directory.join(format!("{}.pem", of.name()))
    }

    pub(super) fn key(&self, of: Rank) -> PathBuf {
        self.directory.join(format!("{}.key", of.name()))
    }

    /// Has the URI of a key that is in a token.
    pub(super) fn uri(&self, of: Rank) -> PathBuf {
        self.directory.join(format!("{}.uri", of.name()))
    }

    /// Where the key of a CA is.
    pub(super) fn key_location(&self, of: Rank) -> anyhow::Result<KeyLocation> {
        let uri = self.uri(of);
        if !uri.exists() {
            return Ok(KeyLocation::File(self.key(of)));
        }
        let text = secret_file::read(&uri).with_context(|| format!("can't read {}", uri.display()))?;
        key_location(text.trim()).with_context(|| format!("{} names no key", uri.display()))
    }

    /// A file of a device: `.key`, `.pem`, `-chain.pem`, `.pfx`.
    pub(in crate::cli) fn device(&self, id: &str, suffix: &str) -> PathBuf {
        // A colon parts drives and streams on Windows, and is nothing that shells like.
        self.devices().join(format!("{}{suffix}", id.replace(':', "%3A")))
    }

    pub(in crate::cli) fn devices(&self) -> PathBuf {
        self.directory.join("devices")
    }

    pub(super) fn register(&self) -> PathBuf {
        self.directory.join("issued.csv")
    }
}

/// A path, or the URI of a key in a token.
pub(super) fn key_location(text: &str) -> anyhow::Result<KeyLocation> {
    Ok(KeyLocation::try_from(text.to_owned())?)
}

/// Makes a directory that only its owner looks into.
pub(in crate::cli) fn make_directory(path: &Path) -> anyhow::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).with_context(|| format!("can't make the directory {}", path.display()))
}

/// Refuses to go on where one of these is.
pub(in crate::cli) fn refuse_existing(paths: &[&Path], mend: &str) -> anyhow::Result<()> {
    match paths.iter().find(|path| fs::symlink_metadata(path).is_ok()) {
        Some(there) => bail!("{} is there already, and nothing was written; {mend}", there.display()),
        None => Ok(()),
    }
}

/// Writes a file beside its place and then puts it there: it is whole, or it is not there, or it is the old one.
pub(in crate::cli) fn put(path: &Path, bytes: &[u8], access: Access) -> anyhow::Result<()> {
    write(path, bytes, access, true).with_context(|| format!("can't write {}", path.display()))
}

/// As [`put`], one of many: [`settle`] makes them survive a power cut.
pub(super) fn put_soon(path: &Path, bytes: &[u8], access: Access) -> anyhow::Result<()> {
    let at_once = cfg!(not(target_os = "linux"));
    write(path, bytes, access, at_once).with_context(|| format!("can't write {}", path.display()))
}

/// All that was written to the file system of this directory is on its disk.
pub(super) fn settle(directory: &Path) -> anyhow::Result<()> {
    #[cfg(target_os = "linux")]
    fs::File::open(directory)
        .and_then(|file| rustix::fs::syncfs(&file).map_err(io::Error::from))
        .with_context(|| format!("can't write to the disk of {}", directory.display()))?;
    let _ = directory;
    Ok(())
}

fn write(path: &Path, bytes: &[u8], access: Access, sync: bool) -> io::Result<()> {
    let mode = match access {
        Access::Secret => 0o600,
        Access::Public => 0o644,
    };
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let temporary = path.with_file_name(format!(".{name}.new"));
    let written = plain_file::create(&temporary, mode).and_then(|mut file| {
        file.write_all(bytes)?;
        if sync { file.sync_all() } else { Ok(()) }
    });
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // What is half written is worth nothing.
        let _ = fs::remove_file(&temporary);
        return Err(error);
    }
    Ok(())
}
