//! `pki proof`: a certificate whose common name is the code that Azure gives, signed by the CA that is to be proven.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;

use super::authority::{Authority, Validity};
use super::certificate::{Profile, name};
use super::der::pem;
use super::key::{Curve, PrivateKey};
use super::place::{Access, Place, Rank, key_location, put, refuse_existing};
use crate::platform::stdout::line;

/// As long as the code is good, and longer.
const DAYS: u32 = 7;
/// A common name has no more.
const LONGEST: usize = 64;

#[derive(Debug, clap::Args)]
pub(super) struct ProofArgs {
    /// The verification code that DPS or IoT Hub gives.
    #[arg(value_name = "CODE")]
    code: String,
    /// Which CA is proven.
    #[arg(long, value_name = "CA", value_enum, default_value = "root")]
    by: Rank,
    /// Certificate of another CA, in place of the directory's own.
    #[arg(long, value_name = "FILE", requires = "ca_key")]
    ca: Option<PathBuf>,
    /// Its key: a PEM file, or a pkcs11: URI.
    #[arg(long, value_name = "FILE|URI", requires = "ca")]
    ca_key: Option<String>,
    /// Where the certificate goes.
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file that is there.
    #[arg(long)]
    force: bool,
}

pub(super) fn run(place: &Place, args: &ProofArgs) -> anyhow::Result<ExitCode> {
    let code = args.code.trim();
    if code.is_empty()
        || code.len() > LONGEST
        || !code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    {
        bail!(
            "that is no verification code: letters and digits are wanted, {LONGEST} at the most, as Azure shows it"
        );
    }
    let out = args.out.clone().unwrap_or_else(|| place.path().join("proof.pem"));
    if !args.force {
        refuse_existing(&[&out], "--force replaces it")?;
    }
    let authority = match (&args.ca, &args.ca_key) {
        (Some(certificate), Some(key)) => Authority::load(certificate, &key_location(key)?, place.path())?,
        _ => Authority::load(&place.certificate(args.by), &place.key_location(args.by)?, place.path())?,
    };
    // Nobody wants to be the one that this certificate is of: its key is forgotten.
    let key = PrivateKey::make(Curve::P256)?.public()?;
    let der = authority.issue(Profile::Leaf, &name(None, code)?, &key, Validity::days(DAYS)?)?;
    put(&out, pem("CERTIFICATE", &der)?.as_bytes(), Access::Public)?;
    line(&format!("{}: upload it within {DAYS} days; it proves {}", out.display(), authority.subject()));
    Ok(ExitCode::SUCCESS)
}
