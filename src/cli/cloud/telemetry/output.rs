//! Where an export goes: standard output, or a file that is there when it is whole and not before.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

/// Readable by whom the process' mask lets.
#[cfg(unix)]
const MODE: u32 = 0o666;

/// Where it goes.
pub(super) enum Output {
    Standard,
    /// Written beside the file of this name.
    File(NamedTempFile, PathBuf),
}

impl Output {
    /// Opens it. What is binary is nothing for a terminal.
    pub(super) fn open(to: Option<&Path>, is_binary: bool) -> anyhow::Result<Self> {
        let Some(path) = to else {
            if is_binary && std::io::stdout().is_terminal() {
                bail!(
                    "Parquet is nothing for a terminal: name a file with --to, or lead standard output into one"
                );
            }
            return Ok(Self::Standard);
        };
        if path.is_dir() {
            bail!("--to {} is a directory: name a file in it", path.display());
        }
        // What is a device, a pipe or a link is not replaced by a file.
        if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_file()) {
            bail!(
                "--to {} is no plain file, and would be replaced by one: lead standard output there instead",
                path.display()
            );
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let mut builder = tempfile::Builder::new();
        let prefix = format!(".{name}.");
        builder.prefix(&prefix).suffix(".part");
        #[cfg(unix)]
        builder.permissions(<std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(MODE));
        let file = builder
            .tempfile_in(parent.unwrap_or(Path::new(".")))
            .with_context(|| format!("can't write beside {}", path.display()))?;
        Ok(Self::File(file, path.to_owned()))
    }

    /// Takes some more.
    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Standard => match std::io::stdout().lock().write_all(bytes) {
                // Who reads has had enough, as after `| head`.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => std::process::exit(0),
                result => {
                    result.context("can't write to standard output; what is there already is not the whole")
                }
            },
            Self::File(file, path) => file
                .write_all(bytes)
                .with_context(|| format!("can't write {}; nothing was changed there", path.display())),
        }
    }

    /// All is written.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        match self {
            Self::Standard => match std::io::stdout().lock().flush() {
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                result => {
                    result.context("can't write to standard output; what is there already is not the whole")
                }
            },
            Self::File(file, path) => {
                let named = || format!("can't write {}; nothing was changed there", path.display());
                file.as_file().sync_all().with_context(named)?;
                file.persist(&path).map_err(|error| error.error).with_context(named)?;
                // The name is durable once the directory is; what can't be opened so does without.
                let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                if let Ok(directory) = File::open(parent.unwrap_or(Path::new("."))) {
                    let _ = directory.sync_all();
                }
                Ok(())
            }
        }
    }
}
