//! Requests that devices have made, looked at before a CA signs them.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use tracker_certificates::{Document, Name, Request};

use super::rules::{count_common_names, is_known_key, registration_id};
use crate::platform::plain_file;

/// Larger files are no requests.
const LARGEST: u64 = 64 * 1024;
/// TLS here takes no larger ones.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// What a good request asks for.
#[derive(Debug)]
pub(in crate::cli) struct Wish {
    pub(in crate::cli) path: PathBuf,
    /// Common name and registration ID.
    pub(in crate::cli) id: String,
    /// `SubjectPublicKeyInfo`.
    pub(super) public_key: Vec<u8>,
}

impl Wish {
    /// `SubjectPublicKeyInfo`.
    pub(in crate::cli) fn public_key(&self) -> &[u8] {
        &self.public_key
    }
}

/// Reads a request and judges all of it that can be judged without knowing the others.
pub(in crate::cli) fn read(path: &Path, with_capitals: bool) -> anyhow::Result<Wish> {
    let bytes = plain_file::read(path, LARGEST).context("it can't be read")?;
    let der = der(&bytes)?;
    let request = Request::read(&der)?;
    let kind = request.kind();
    if !is_known_key(kind) {
        let kind = if kind.is_empty() { "an unknown kind" } else { kind };
        bail!("its key is of {kind}, and Azure takes EC P-256, EC P-384 and RSA");
    }
    if let Some(bits) = request.rsa_bits().filter(|bits| !RSA_BITS.contains(&bits.next_multiple_of(8))) {
        bail!("its RSA key has {bits} bits, and 2048 to 4096 are taken");
    }
    request.verify().context("it is not signed with the key that it asks a certificate for")?;
    if request.asks_for_ca()? {
        bail!("it asks for the certificate of a CA (CA:TRUE), and devices are none");
    }
    if count_common_names(request.subject) > 1 {
        bail!("it has more than one common name");
    }
    let name = Name::read(request.subject).context("its subject can't be read")?;
    let name =
        name.common_name().context("it has no common name (CN): the registration ID is wanted there")?;
    let id = registration_id(&name, with_capitals)
        .map_err(anyhow::Error::msg)
        .context("its common name (CN) won't do")?;
    Ok(Wish { path: path.into(), id: id.to_string(), public_key: request.public_key_info.to_vec() })
}

/// The one request of a file, in PEM or DER.
fn der(bytes: &[u8]) -> anyhow::Result<Vec<u8>> {
    // The tag of a DER sequence.
    if bytes.first() == Some(&0x30) {
        return Ok(bytes.to_vec());
    }
    let document = Document::read(bytes)?;
    if document.holds_key() {
        bail!("there is a private key in it, which should have stayed on the device: make a new key there");
    }
    let mut requests = document.requests()?;
    match (requests.pop(), requests.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), more) => bail!("it holds {} requests, and one a file is taken", more + 1),
        (None, _) => bail!(
            "it holds no request in PEM form (-----BEGIN CERTIFICATE REQUEST-----){}",
            document.instead()
        ),
    }
}
