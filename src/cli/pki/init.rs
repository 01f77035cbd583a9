//! `pki init`: a root CA, whose key is kept offline, and an intermediate CA, which signs devices.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::sign::SigningKey;
use tracker_certificates::{Fields, issued_by};

use super::authority::{Validity, now};
use super::certificate::{Certificate, Profile, bits, name, of_key};
use super::der::pem;
use super::key::{Curve, PrivateKey, public};
use super::place::{Access, Place, Rank, key_location, make_directory, put, refuse_existing};
use super::rules::{Role, broken};
use crate::identity::{KeyLocation, PinSource, make_in_token};
use crate::platform::stdout::line;

/// A name of a CA has no more characters (RFC 5280), with room for what is added to it.
const LONGEST: usize = 40;

#[derive(Debug, clap::Args)]
pub(super) struct InitArgs {
    /// What the CAs are called: "NAME Root CA" and "NAME Intermediate CA". Without it a name with a random number.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Organisation (O) in their names.
    #[arg(long, value_name = "NAME")]
    organization: Option<String>,
    /// For how many days the root is good: 20 years.
    #[arg(long, value_name = "N", default_value_t = 7300, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    root_days: u32,
    /// For how many days the intermediate is good: 10 years.
    #[arg(long, value_name = "N", default_value_t = 3650, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    intermediate_days: u32,
    /// Kind of both keys.
    #[arg(long, value_enum, default_value = "p256")]
    curve: Curve,
    /// Make the root's key in a token: a pkcs11: URI with token, object and pin-source.
    #[arg(long, value_name = "URI")]
    root_key: Option<String>,
    /// Make the intermediate's key in a token.
    #[arg(long, value_name = "URI")]
    intermediate_key: Option<String>,
}

/// A key, and how it is kept.
struct Made {
    signer: Arc<dyn SigningKey>,
    path: PathBuf,
    content: String,
}

pub(super) fn run(place: &Place, args: &InitArgs) -> anyhow::Result<ExitCode> {
    if args.intermediate_days > args.root_days {
        bail!(
            "the intermediate would outlive its root: --intermediate-days is {} at the most",
            args.root_days
        );
    }
    let ranks = [Rank::Root, Rank::Intermediate];
    let files: Vec<PathBuf> = ranks
        .iter()
        .flat_map(|rank| [place.key(*rank), place.uri(*rank), place.certificate(*rank)])
        .collect();
    let mend = "a CA's key is never replaced: choose another directory (--directory)";
    refuse_existing(&files.iter().map(PathBuf::as_path).collect::<Vec<_>>(), mend)?;
    let names = names(args)?;
    let (root_validity, validity) =
        (Validity::days(args.root_days)?, Validity::days(args.intermediate_days)?);
    make_directory(place.path())?;
    let root = make(place, Rank::Root, args.curve, args.root_key.as_deref())?;
    let intermediate = make(place, Rank::Intermediate, args.curve, args.intermediate_key.as_deref())?;
    let public_key = public(&*root.signer)?;
    let certificate = Certificate {
        profile: Profile::Root,
        subject: &names[0],
        public_key: &public_key,
        issuer: &names[0],
        issuer_key: &[],
        not_before: root_validity.not_before,
        not_after: root_validity.not_after,
    };
    let root_der = certificate.signed_by(&*root.signer)?;
    let intermediate_key = public(&*intermediate.signer)?;
    let certificate = Certificate {
        profile: Profile::Intermediate,
        subject: &names[1],
        public_key: &intermediate_key,
        issuer: &names[0],
        issuer_key: &of_key(&bits(&public_key)?),
        not_before: validity.not_before,
        not_after: validity.not_after,
    };
    let intermediate_der = certificate.signed_by(&*root.signer)?;
    check(&root_der, &root_der, 1)?;
    check(&intermediate_der, &root_der, 0)?;
    let mut written = Vec::new();
    let all = write(&root, &root_der, &place.certificate(Rank::Root), &mut written).and_then(|()| {
        write(&intermediate, &intermediate_der, &place.certificate(Rank::Intermediate), &mut written)
    });
    if let Err(error) = all {
        // Half a CA is none.
        for path in written {
            let _ = fs::remove_file(path);
        }
        return Err(error);
    }
    tell(place, &root, &root_der, &intermediate_der)?;
    Ok(ExitCode::SUCCESS)
}

/// DER of both names.
fn names(args: &InitArgs) -> anyhow::Result<[Vec<u8>; 2]> {
    let of = |what: &str, text: &str| {
        if text.trim() != text
            || text.is_empty()
            || text.chars().count() > LONGEST
            || text.contains(char::is_control)
        {
            bail!("{what} is 1 to {LONGEST} characters, without blanks around it");
        }
        Ok(())
    };
    if let Some(name) = &args.name {
        of("--name", name)?;
    }
    if let Some(organization) = &args.organization {
        of("--organization", organization)?;
    }
    // Two CAs of one name are mistaken for each other.
    let base =
        args.name.clone().unwrap_or_else(|| format!("Tracker {:06x}", rand::random::<u32>() & 0x00ff_ffff));
    let organization = args.organization.as_deref();
    Ok([
        name(organization, &format!("{base} Root CA"))?,
        name(organization, &format!("{base} Intermediate CA"))?,
    ])
}

fn make(place: &Place, rank: Rank, curve: Curve, uri: Option<&str>) -> anyhow::Result<Made> {
    let Some(text) = uri else {
        let key = PrivateKey::make(curve)?;
        return Ok(Made { content: key.pem()?, signer: key.signer, path: place.key(rank) });
    };
    let option = format!("--{}-key", rank.name());
    let KeyLocation::Token(uri) = key_location(text).with_context(|| option.clone())? else {
        bail!("{option} is a pkcs11: URI; without it the key is made in {}", place.key(rank).display());
    };
    if curve != Curve::P256 {
        bail!("{option}: keys in tokens are made on the curve P-256");
    }
    if uri.object.is_none() || uri.id.is_some() {
        bail!("{option} wants the label of the new key, as object=, and no id=: the ID is the same");
    }
    if matches!(uri.pin, Some(PinSource::Value(_))) {
        bail!("{option} is kept in {}: give the PIN in a file, by pin-source=", place.uri(rank).display());
    }
    let signer = make_in_token(&uri, place.path()).context(option)?;
    Ok(Made { signer, path: place.uri(rank), content: format!("{text}\n") })
}

/// Whether a CA is issued by that one, and Azure would take it.
fn check(der: &[u8], issuer: &[u8], below: usize) -> anyhow::Result<()> {
    let (fields, issuer) = (Fields::read(der)?, Fields::read(issuer)?);
    issued_by(&fields, &issuer, below).context("the CA that was made is not as it should be")?;
    let refused = broken(&fields, Role::Authority, now()?);
    if refused.is_empty() { Ok(()) } else { bail!("Azure would refuse it: {}", refused.join("; ")) }
}

fn write(made: &Made, der: &[u8], certificate: &Path, written: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    put(&made.path, made.content.as_bytes(), Access::Secret)?;
    written.push(made.path.clone());
    put(certificate, pem("CERTIFICATE", der)?.as_bytes(), Access::Public)?;
    written.push(certificate.into());
    Ok(())
}

fn tell(place: &Place, root: &Made, root_der: &[u8], intermediate_der: &[u8]) -> anyhow::Result<()> {
    let text = |der: &[u8], rank: Rank| {
        let fields = Fields::read(der)?;
        let name = tracker_certificates::Name::read(fields.subject)?.text(&[]).unwrap_or_default();
        let end = chrono::DateTime::from_timestamp(fields.not_after, 0).unwrap_or_default();
        anyhow::Ok(format!("{}: {name}, until {}", place.certificate(rank).display(), end.format("%Y-%m-%d")))
    };
    line(&text(root_der, Rank::Root)?);
    line(&text(intermediate_der, Rank::Intermediate)?);
    if root.path == place.key(Rank::Root) {
        line(&format!(
            "take {} to a safe place: it is wanted for the next intermediate and for proofs only",
            root.path.display()
        ));
    }
    Ok(())
}
