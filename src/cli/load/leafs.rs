//! Keys and certificates of the devices: made on the spot, or in files already.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::sign::CertifiedKey;

use crate::cli::pki::maker::Maker;
use crate::identity::{Identity, KeyLocation};
use crate::lab::load::Leafs;

/// What ends the names of files with the chain of a device.
const CHAIN: &str = "-chain.pem";

/// Made by a CA.
#[derive(Debug)]
pub(super) struct Made(pub(super) Maker);

impl Leafs for Made {
    fn leaf(&self, _number: u32, name: &str) -> anyhow::Result<Arc<CertifiedKey>> {
        self.0.leaf(name).map(Arc::new)
    }
}

/// In files, in the order of names.
#[derive(Debug)]
pub(super) struct Written {
    directory: PathBuf,
    /// Names of files, without what ends them.
    stems: Vec<String>,
}

impl Written {
    /// The devices of a directory, or of the `devices` in it.
    pub(super) fn open(directory: &Path) -> anyhow::Result<Self> {
        let inner = directory.join("devices");
        let directory = if inner.is_dir() { inner } else { directory.to_owned() };
        let why = || format!("--identities: can't read the directory {}", directory.display());
        let mut stems = Vec::new();
        for entry in std::fs::read_dir(&directory).with_context(why)? {
            let name = entry.with_context(why)?.file_name();
            stems.extend(name.to_str().and_then(|name| name.strip_suffix(CHAIN)).map(str::to_owned));
        }
        if stems.is_empty() {
            bail!("--identities: {} has no file ID{CHAIN}; `pki leaves` makes them", directory.display());
        }
        stems.sort_by_key(|stem| name(stem));
        Ok(Self { directory, stems })
    }

    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.stems.len()).unwrap_or(u32::MAX)
    }

    fn stem(&self, number: u32) -> Option<&String> {
        self.stems.get(number as usize)
    }
}

/// The file system of some has no colons.
fn name(stem: &str) -> String {
    stem.replace("%3A", ":")
}

impl Leafs for Written {
    fn leaf(&self, number: u32, name: &str) -> anyhow::Result<Arc<CertifiedKey>> {
        let stem = self.stem(number).with_context(|| format!("there is no device {number}"))?;
        let file = |suffix: &str| self.directory.join(format!("{stem}{suffix}"));
        let identity = Identity::load(&file(CHAIN), &KeyLocation::File(file(".key")), &self.directory)?;
        if identity.registration_id.as_str() != name {
            bail!("{} is the certificate of {}", file(CHAIN).display(), identity.registration_id);
        }
        identity.certified_key().cloned().context("a leaf has a key")
    }

    fn name(&self, number: u32) -> Option<String> {
        self.stem(number).map(|stem| name(stem))
    }
}
