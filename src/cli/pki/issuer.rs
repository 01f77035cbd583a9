//! Who issues leafs: a CA, its terms, and its register. A leaf is three files, and counts when its row stands in the register.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tracker_certificates::{Document, Fields};

use super::authority::{Authority, Validity, now};
use super::certificate::{Profile, name};
use super::der::pem;
use super::key::PrivateKey;
use super::place::{Access, Place, Rank, key_location, make_directory, put_soon, settle};
use super::register::{Register, Row, key_digest};
use super::rules::{Role, broken, common_name};
use crate::platform::plain_file;

/// Larger files are no certificates of ours.
const LARGEST: u64 = 64 * 1024;

/// Which CA signs, and for how long.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct IssuerArgs {
    /// For how many days the certificate is good.
    #[arg(long, value_name = "N", default_value_t = 730, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Which CA signs.
    #[arg(long, value_name = "CA", value_enum, default_value = "intermediate")]
    by: Rank,
    /// Certificate of another CA, with those above it, in place of the directory's own.
    #[arg(long, value_name = "FILE", requires = "ca_key")]
    ca: Option<PathBuf>,
    /// Its key: a PEM file, or a pkcs11: URI.
    #[arg(long, value_name = "FILE|URI", requires = "ca")]
    ca_key: Option<String>,
    /// Let registration IDs with capitals through, and compare them without regard to case.
    #[arg(long)]
    pub(in crate::cli) capitals: bool,
    /// Issue again what was issued already, and replace its files.
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

/// A leaf that is made, and not yet written.
#[derive(Debug)]
pub(in crate::cli) struct Leaf {
    pub(in crate::cli) row: Row,
    pub(in crate::cli) der: Vec<u8>,
}

/// Issues leafs.
#[derive(Debug)]
pub(in crate::cli) struct Issuer {
    pub(in crate::cli) place: Place,
    authority: Authority,
    pub(in crate::cli) register: Register,
    validity: Validity,
    chain: String,
    force: bool,
}

impl Issuer {
    /// Opens CA and register; the directory is there, or another CA was named.
    pub(in crate::cli) fn open(place: &Place, args: &IssuerArgs) -> anyhow::Result<Self> {
        let authority = match (&args.ca, &args.ca_key) {
            (Some(certificate), Some(key)) => {
                make_directory(place.path())?;
                Authority::load(certificate, &key_location(key)?, place.path())?
            }
            _ => Authority::load(&place.certificate(args.by), &place.key_location(args.by)?, place.path())?,
        };
        make_directory(&place.devices())?;
        let chain = authority.chain_pem()?;
        let register = Register::open(place)?;
        let validity = Validity::days(args.days)?;
        Ok(Self { place: place.clone(), authority, register, validity, chain, force: args.force })
    }

    /// Whose signature it is.
    pub(in crate::cli) fn name(&self) -> &str {
        self.authority.subject()
    }

    /// Why no certificate may be issued for this name and key; `None` if it may.
    pub(in crate::cli) fn refusal(&self, id: &str, public_key: &[u8]) -> anyhow::Result<Option<String>> {
        if let Some(other) = self.register.other_of(&key_digest(public_key), id) {
            return Ok(Some(format!(
                "its key is that of {other}: was its card copied? Every box has a key of its own; make a new one there"
            )));
        }
        if key_digest(public_key) == key_digest(self.authority.fields()?.public_key_info) {
            return Ok(Some("its key is that of the CA".into()));
        }
        Ok(self.register.issued(id).filter(|_| !self.force).map(|row| {
            format!(
                "{id} has a certificate already, good until {}; --force issues another",
                row.not_after.format("%Y-%m-%d")
            )
        }))
    }

    /// Makes a leaf, and asks what Azure would say.
    pub(in crate::cli) fn certify(&self, id: &str, public_key: &[u8]) -> anyhow::Result<Leaf> {
        let der = self.authority.issue(Profile::Leaf, &name(None, id)?, public_key, self.validity)?;
        let refused = broken(&Fields::read(&der)?, Role::Device, now()?);
        if !refused.is_empty() {
            bail!("Azure would refuse it: {}", refused.join("; "));
        }
        Ok(Leaf { row: Row::of(id, &der)?, der })
    }

    /// Leaf and those above it, as the device shows them.
    pub(in crate::cli) fn chain(&self, leaf: &Leaf) -> anyhow::Result<String> {
        Ok(pem("CERTIFICATE", &leaf.der)? + &self.chain)
    }

    /// Writes the files of a leaf; the chain is the last, and says that the others are there.
    pub(super) fn write(&self, leaf: &Leaf, key: Option<&PrivateKey>) -> anyhow::Result<()> {
        let file = |suffix| self.place.device(&leaf.row.id, suffix);
        for path in [file(".pem"), file("-chain.pem")] {
            // What a run that was killed has left is written anew.
            if !self.force && path.exists() && self.own(&path, &leaf.row.id)?.is_none() {
                bail!(
                    "{} is there already, and is not of this CA; move it away, or say --force",
                    path.display()
                );
            }
        }
        if let Some(key) = key {
            put_soon(&file(".key"), key.pem()?.as_bytes(), Access::Secret)?;
        }
        put_soon(&file(".pem"), pem("CERTIFICATE", &leaf.der)?.as_bytes(), Access::Public)?;
        put_soon(&file("-chain.pem"), self.chain(leaf)?.as_bytes(), Access::Public)
    }

    /// Takes into the register what was written.
    pub(super) fn keep(&mut self, rows: Vec<Row>) -> anyhow::Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        settle(&self.place.devices())?;
        self.register.append(rows)
    }

    /// Writes one leaf, and takes it in.
    pub(in crate::cli) fn put(&mut self, leaf: &Leaf) -> anyhow::Result<()> {
        self.write(leaf, None)?;
        self.keep(vec![leaf.row.clone()])
    }

    /// Takes in a leaf that is written, unless it stands in the register.
    pub(in crate::cli) fn take_in(&mut self, leaf: &Leaf) -> anyhow::Result<()> {
        if self.register.issued(&leaf.row.id).is_some_and(|row| row.thumbprint == leaf.row.thumbprint) {
            return Ok(());
        }
        self.keep(vec![leaf.row.clone()])
    }

    /// The leaf of this name that is written, for this key, by this CA, and is good, whether it stands in the register or not.
    pub(in crate::cli) fn written(&self, id: &str, public_key: &[u8]) -> anyhow::Result<Option<Leaf>> {
        let path = self.place.device(id, "-chain.pem");
        if !path.exists() {
            return Ok(None);
        }
        let Some(der) = self.own(&path, id)? else { return Ok(None) };
        let fields = Fields::read(&der)?;
        let is_good = tracker_certificates::same_key(fields.public_key_info, public_key)
            && broken(&fields, Role::Device, now()?).is_empty();
        Ok(if is_good { Some(Leaf { row: Row::of(id, &der)?, der }) } else { None })
    }

    /// The first certificate of a file, if this CA has issued it for this name; an empty file, which a power cut leaves, is none.
    fn own(&self, path: &Path, id: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let bytes =
            plain_file::read(path, LARGEST).with_context(|| format!("can't read {}", path.display()))?;
        let certificates =
            Document::read(&bytes).and_then(|document| document.certificates()).unwrap_or_default();
        let Some(der) = certificates.first() else { return Ok(None) };
        let Ok(fields) = Fields::read(der) else { return Ok(None) };
        let is_ours = tracker_certificates::issued_by(&fields, &self.authority.fields()?, 0).is_ok()
            && common_name(&fields).as_deref() == Some(id);
        Ok(is_ours.then(|| der.to_vec()))
    }
}
