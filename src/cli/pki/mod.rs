//! `container-tracker pki`: a CA of one's own, and the certificates of devices, without OpenSSL.
//!
//! | file | job |
//! |---|---|
//! | `init.rs`, `leaf.rs`, `sign.rs`, `proof.rs`, `show.rs` | the commands |
//! | `issuer.rs` | makes a leaf, and keeps it: a CA, its terms, its register |
//! | `maker.rs` | makes leafs for a program that plays many devices, and keeps none |
//! | `authority.rs` | a CA: its certificate, and its key in a file or in a token |
//! | `register.rs` | what was issued, in `issued.csv`: a name and a key are certified once |
//! | `request.rs`, `serials.rs` | what comes in: requests, lists of serial numbers |
//! | `rules.rs` | what Azure refuses, asked before anything is written |
//! | `certificate.rs`, `pfx.rs`, `der.rs` | how certificates and PFX files are written |
//! | `key.rs` | private keys of leafs and CAs |
//! | `place.rs` | which file is where, and how one is written whole |
//!
//! Exit code 0: all was done. 1: something was refused; the sentences say what, and what was done all the same.

mod authority;
pub(super) mod certificate;
mod der;
mod init;
pub(super) mod issuer;
mod key;
pub(super) mod leaf;
pub(super) mod maker;
mod pfx;
pub(super) mod place;
mod proof;
mod register;
pub(super) mod request;
mod rules;
pub(super) mod serials;
mod show;
mod sign;

use std::path::PathBuf;
use std::process::ExitCode;

use place::Place;

/// Make and look at certificates.
#[derive(Debug, clap::Args)]
pub(super) struct PkiArgs {
    /// Where the CA is, and what it issues.
    #[arg(long, short = 'D', value_name = "DIR", default_value = "pki", global = true)]
    directory: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a root CA and an intermediate CA.
    Init(init::InitArgs),
    /// Make key and certificate of a device; its name is its registration ID.
    Leaf(leaf::LeafArgs),
    /// Make keys and certificates for a list of serial numbers.
    Leaves(leaf::LeavesArgs),
    /// Sign requests that devices have made themselves, whose keys stay where they are.
    Sign(sign::SignArgs),
    /// Make the certificate that proves to Azure that the CA is yours.
    Proof(proof::ProofArgs),
    /// Say what is in a file: certificates, requests, kinds of keys. No secret is shown.
    Show(show::ShowArgs),
}

pub(super) fn run(args: &PkiArgs) -> anyhow::Result<ExitCode> {
    let place = Place::new(&args.directory);
    match &args.command {
        Command::Init(args) => init::run(&place, args),
        Command::Leaf(args) => leaf::run(&place, args),
        Command::Leaves(args) => leaf::run_many(&place, args),
        Command::Sign(args) => sign::run(&place, args),
        Command::Proof(args) => proof::run(&place, args),
        Command::Show(args) => show::run(args),
    }
}
