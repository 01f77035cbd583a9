//! `pki leaf` and `pki leaves`: keys and certificates of devices, made on this computer.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use tracker_protocol::printable;

use super::issuer::{Issuer, IssuerArgs, Leaf};
use super::key::{Curve, PrivateKey};
use super::pfx;
use super::place::{Access, Place, put_soon};
use super::register::Row;
use super::rules::registration_id;
use super::serials::Serials;
use crate::identity::secret_file;
use crate::platform::stderr::tell;
use crate::platform::stdout::line;

/// So many leafs get to the disk at once.
const BATCH: usize = 500;

#[derive(Debug, clap::Args)]
pub(super) struct LeafArgs {
    /// The registration ID: letters, digits and - . _ : , 64 at the most.
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    of: LeafOptions,
}

#[derive(Debug, clap::Args)]
pub(super) struct LeavesArgs {
    /// One registration ID a line, or a table (CSV) with a column "serial".
    #[arg(value_name = "FILE")]
    list: PathBuf,
    /// Pass over bad rows of the list, in place of doing nothing.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    of: LeafOptions,
}

#[derive(Debug, clap::Args)]
struct LeafOptions {
    #[command(flatten)]
    issuer: IssuerArgs,
    /// Kind of key.
    #[arg(long, value_enum, default_value = "p256")]
    curve: Curve,
    /// Write a PFX file (PKCS#12) too, with key and chain.
    #[arg(long, requires = "password_file")]
    pfx: bool,
    /// File with the password of the PFX files, closed to others.
    #[arg(long, value_name = "FILE", requires = "pfx")]
    password_file: Option<PathBuf>,
}

/// What came of one name.
enum Outcome {
    Made(Row),
    /// It was there, and stands in the register since now.
    Found(Row),
    There,
}

pub(super) fn run(place: &Place, args: &LeafArgs) -> anyhow::Result<ExitCode> {
    let id = registration_id(&args.name, args.of.issuer.capitals).map_err(anyhow::Error::msg)?.to_string();
    let maker = Maker::new(&args.of)?;
    let mut issuer = Issuer::open(place, &args.of.issuer)?;
    let chain = place.device(&id, "-chain.pem");
    let text = match maker.make(&issuer, &id)? {
        Outcome::Made(row) => {
            let text = format!(
                "{}, until {}, key {}, SHA-256 {}",
                chain.display(),
                row.not_after.format("%Y-%m-%d"),
                place.device(&id, ".key").display(),
                row.thumbprint
            );
            issuer.keep(vec![row])?;
            text
        }
        Outcome::Found(row) => {
            issuer.keep(vec![row])?;
            format!("{} was there already, and is in the register now", chain.display())
        }
        Outcome::There => format!("{} is there already; --force makes another", chain.display()),
    };
    line(&text);
    Ok(ExitCode::SUCCESS)
}

pub(super) fn run_many(place: &Place, args: &LeavesArgs) -> anyhow::Result<ExitCode> {
    let capitals = args.of.issuer.capitals;
    let (serials, bad) = if args.skip_bad {
        let list = Serials::read(&args.list, capitals)?;
        (list.good, list.bad)
    } else {
        (Serials::read_all(&args.list, capitals)?, Vec::new())
    };
    for bad in &bad {
        tell!("{}", printable(format!("{}: passed over: {bad}", args.list.display())));
    }
    let maker = Maker::new(&args.of)?;
    let mut issuer = Issuer::open(place, &args.of.issuer)?;
    let (mut made, mut there) = (0, 0);
    for batch in serials.chunks(BATCH) {
        let mut rows = Vec::new();
        let mut failed = None;
        for serial in batch {
            match maker.make(&issuer, &serial.id) {
                Ok(Outcome::Made(row)) => {
                    made += 1;
                    rows.push(row);
                }
                Ok(Outcome::Found(row)) => {
                    there += 1;
                    rows.push(row);
                }
                Ok(Outcome::There) => there += 1,
                Err(error) => {
                    failed = Some(error.context(format!("row {}: {}", serial.row, serial.id)));
                    break;
                }
            }
        }
        issuer.keep(rows)?;
        if let Some(error) = failed {
            return Err(error.context(format!("{made} certificates were made; run it again to go on")));
        }
    }
    let passed = if bad.is_empty() { String::new() } else { format!(", {} rows passed over", bad.len()) };
    line(&format!("{made} made, {there} were there{passed}: {}", issuer.place.devices().display()));
    Ok(if bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Key and leaf of one box of a line, made or there already.
pub(in crate::cli) fn make_for_line(issuer: &mut Issuer, id: &str, force: bool) -> anyhow::Result<Leaf> {
    let maker = Maker { curve: Curve::P256, force, password: None };
    if let Outcome::Made(row) | Outcome::Found(row) = maker.make(issuer, id)? {
        issuer.keep(vec![row])?;
    }
    let key = PrivateKey::read(&issuer.place.device(id, ".key"))?;
    issuer.written(id, &key.public()?)?.context("the certificate that was made is not there")
}

/// How leafs are made.
struct Maker {
    curve: Curve,
    force: bool,
    password: Option<String>,
}

impl Maker {
    fn new(args: &LeafOptions) -> anyhow::Result<Self> {
        let password = args.password_file.as_deref().map(password).transpose()?;
        Ok(Self { curve: args.curve, force: args.issuer.force, password })
    }

    /// Makes key and leaf, or goes on with those that are there.
    fn make(&self, issuer: &Issuer, id: &str) -> anyhow::Result<Outcome> {
        let path = issuer.place.device(id, ".key");
        let has_key = path.exists() && !self.force;
        let key = if has_key { PrivateKey::read(&path)? } else { PrivateKey::make(self.curve)? };
        let public_key = key.public()?;
        if has_key && let Some(leaf) = issuer.written(id, &public_key)? {
            self.put_pfx(issuer, &leaf, &key, false)?;
            let is_known =
                issuer.register.issued(id).is_some_and(|row| row.thumbprint == leaf.row.thumbprint);
            return Ok(if is_known { Outcome::There } else { Outcome::Found(leaf.row) });
        }
        if let Some(why) = issuer.refusal(id, &public_key)? {
            bail!("{why}");
        }
        let leaf = issuer.certify(id, &public_key)?;
        issuer.write(&leaf, (!has_key).then_some(&key))?;
        self.put_pfx(issuer, &leaf, &key, true)?;
        Ok(Outcome::Made(leaf.row))
    }

    fn put_pfx(&self, issuer: &Issuer, leaf: &Leaf, key: &PrivateKey, is_new: bool) -> anyhow::Result<()> {
        let Some(password) = &self.password else { return Ok(()) };
        let path = issuer.place.device(&leaf.row.id, ".pfx");
        if path.exists() && !self.force {
            if is_new {
                bail!(
                    "{} is there already, and is of an older certificate; move it away, or say --force",
                    path.display()
                );
            }
            return Ok(());
        }
        let pkcs8 =
            key.pkcs8().context("a PFX file holds PKCS#8; convert the key: openssl pkcs8 -topk8 -nocrypt")?;
        let chain = issuer.chain(leaf)?;
        let file = pfx::write(&leaf.row.id, pkcs8, chain.as_bytes(), password)?;
        put_soon(&path, &file, Access::Secret)
    }
}

/// The first line of a file that is closed to others.
fn password(path: &Path) -> anyhow::Result<String> {
    let text =
        secret_file::read(path).with_context(|| format!("can't read the password in {}", path.display()))?;
    let first = text.lines().next().unwrap_or_default();
    let is_plain = !first.is_empty() && first.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if !is_plain {
        // Programs disagree on how other letters become a key.
        bail!(
            "the password is the first line of {}: one or more letters, digits and signs of ASCII",
            path.display()
        );
    }
    Ok(first.to_owned())
}
