//! `pki sign`: certificates for requests that devices have made. All requests are judged before one is signed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use tracker_protocol::printable;

use super::issuer::{Issuer, IssuerArgs};
use super::place::Place;
use super::request::{self, Wish};
use super::serials::Serials;
use crate::platform::stderr::tell;
use crate::platform::stdout::line;

/// So many leafs get to the disk at once.
const BATCH: usize = 500;
const MOST: usize = 500_000;

#[derive(Debug, clap::Args)]
pub(super) struct SignArgs {
    /// Requests (PKCS#10), PEM or DER; of a directory all *.csr in it.
    #[arg(value_name = "FILE", required = true)]
    requests: Vec<PathBuf>,
    /// Only these names are signed: one a line, or a table (CSV) with a column "serial".
    #[arg(long, value_name = "FILE")]
    serials: Option<PathBuf>,
    /// Sign the good requests although others are refused.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    issuer: IssuerArgs,
}

pub(super) fn run(place: &Place, args: &SignArgs) -> anyhow::Result<ExitCode> {
    let paths = files(&args.requests)?;
    let serials = match &args.serials {
        Some(path) => {
            let list = Serials::read_all(path, args.issuer.capitals)?;
            Some(list.into_iter().map(|serial| serial.id).collect::<HashSet<_>>())
        }
        None => None,
    };
    let mut issuer = Issuer::open(place, &args.issuer)?;
    let mut judge = Judge { serials, names: HashMap::new(), keys: HashMap::new() };
    let (mut wishes, mut refused, mut there) = (Vec::new(), 0, 0);
    for path in &paths {
        match judge.judge(&issuer, path, args.issuer.capitals, args.issuer.force) {
            Ok(Some(wish)) => wishes.push(wish),
            Ok(None) => there += 1,
            Err(error) => {
                refused += 1;
                tell!("{}", printable(format!("{}: {error:#}", path.display())));
            }
        }
    }
    if refused > 0 && !args.skip_bad {
        bail!(
            "{refused} of {} requests are refused, and nothing was signed; --skip-bad signs the others",
            paths.len()
        );
    }
    for batch in wishes.chunks(BATCH) {
        let mut rows = Vec::new();
        for wish in batch {
            let leaf = issuer
                .certify(&wish.id, &wish.public_key)
                .with_context(|| wish.path.display().to_string())?;
            issuer.write(&leaf, None)?;
            if paths.len() <= 20 {
                line(&format!(
                    "{}, until {}, SHA-256 {}",
                    place.device(&wish.id, "-chain.pem").display(),
                    leaf.row.not_after.format("%Y-%m-%d"),
                    leaf.row.thumbprint
                ));
            }
            rows.push(leaf.row);
        }
        issuer.keep(rows)?;
    }
    line(&format!(
        "{} signed by {}, {there} were signed before, {refused} refused",
        wishes.len(),
        issuer.name()
    ));
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What of the requests before this one counts.
struct Judge {
    serials: Option<HashSet<String>>,
    /// File by name, written small.
    names: HashMap<String, PathBuf>,
    keys: HashMap<Vec<u8>, PathBuf>,
}

impl Judge {
    /// `None` for a request that is signed already, by this CA and for this key.
    fn judge(
        &mut self,
        issuer: &Issuer,
        path: &Path,
        capitals: bool,
        force: bool,
    ) -> anyhow::Result<Option<Wish>> {
        let wish = request::read(path, capitals)?;
        if let Some(serials) = &self.serials
            && !serials.contains(&wish.id)
        {
            bail!("its common name, {}, does not stand in the list of serial numbers", wish.id);
        }
        if let Some(other) = self.names.insert(wish.id.to_ascii_lowercase(), path.into()) {
            bail!("{} is asked for by {} too", wish.id, other.display());
        }
        if let Some(other) = self.keys.insert(wish.public_key.clone(), path.into()) {
            bail!(
                "its key is that of {}: was a card copied? Every box has a key of its own",
                other.display()
            );
        }
        if !force
            && issuer.written(&wish.id, &wish.public_key)?.is_some()
            && issuer.register.issued(&wish.id).is_some()
        {
            return Ok(None);
        }
        match issuer.refusal(&wish.id, &wish.public_key)? {
            Some(why) => bail!("{why}"),
            None => Ok(Some(wish)),
        }
    }
}

/// The files that are meant.
fn files(given: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in given {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let reading = || format!("can't read the directory {}", path.display());
        let mut found = Vec::new();
        for entry in fs::read_dir(path).with_context(reading)? {
            let path = entry.with_context(reading)?.path();
            if path.extension().is_some_and(|extension| extension == "csr") {
                found.push(path);
            }
        }
        if found.is_empty() {
            bail!("there is no request (*.csr) in {}", path.display());
        }
        found.sort();
        files.append(&mut found);
    }
    if files.len() > MOST {
        bail!("these are more than {MOST} requests; sign them in parts");
    }
    Ok(files)
}
