//! The public keys of a TPM, by which an enrollment knows the device, as options say them and as the service takes them.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::attestation::ID;

/// A file with a key is much smaller.
const LARGEST: u64 = 64 * 1024;

/// Keys of a TPM.
#[derive(Debug, Default, clap::Args)]
pub(super) struct TpmOptions {
    /// The endorsement key of the device's TPM (a `TPM2B_PUBLIC`), base64, or a file with it; {id} in the file's name stands for the registration ID.
    #[arg(long, visible_alias = "ek", value_name = "KEY", conflicts_with_all = ["certificate_path", "secondary_certificate_path", "primary_key"])]
    endorsement_key: Option<String>,
    /// The storage root key of the TPM, too: then the device is refused after its TPM was cleared.
    #[arg(long, visible_alias = "srk", value_name = "KEY", conflicts_with_all = ["certificate_path", "secondary_certificate_path", "primary_key"])]
    storage_root_key: Option<String>,
}

impl TpmOptions {
    /// Whether a key is given.
    pub(super) fn is_given(&self) -> bool {
        self.endorsement_key.is_some() || self.storage_root_key.is_some()
    }

    /// Refuses what only one device can have.
    pub(super) fn fits_several(&self) -> anyhow::Result<()> {
        if [&self.endorsement_key, &self.storage_root_key].into_iter().flatten().any(|key| !key.contains(ID))
        {
            bail!(
                "the keys of a TPM are of one device: for several, name files with {ID} where the name has the ID, like keys/{ID}.pub"
            );
        }
        Ok(())
    }

    /// The attestation of a new enrollment.
    pub(super) fn create(&self, id: &str) -> anyhow::Result<Value> {
        if self.endorsement_key.is_none() {
            bail!(
                "name the endorsement key of the device's TPM: --endorsement-key KEY; `container-tracker check` tells it on the device, \
                 and tpm2_createek writes it into a file with -u"
            );
        }
        let mut attestation = json!({"type": "tpm", "tpm": {}});
        self.apply(&mut attestation, id)?;
        Ok(attestation)
    }

    /// Puts what was given into an attestation.
    pub(super) fn apply(&self, attestation: &mut Value, id: &str) -> anyhow::Result<()> {
        for (member, option, key) in [
            ("endorsementKey", "--endorsement-key", &self.endorsement_key),
            ("storageRootKey", "--storage-root-key", &self.storage_root_key),
        ] {
            let Some(key) = key else { continue };
            if attestation["type"] != "tpm" {
                bail!("{option} is for enrollments of the type tpm; this one is {}", attestation["type"]);
            }
            if !attestation["tpm"].is_object() {
                attestation["tpm"] = json!({});
            }
            attestation["tpm"][member] =
                read(&key.replace(ID, id)).with_context(|| option.to_owned())?.into();
        }
        Ok(())
    }
}

/// A key as the service takes it: of a text that is one, or of a file with it, as text or as the tools of TPMs write it.
fn read(key: &str) -> anyhow::Result<String> {
    let path = Path::new(key);
    if !path.is_file() {
        return match base64_of(key.as_bytes()) {
            Some(text) => Ok(text),
            None if key.len() > 255 => bail!("the key is not base64 of a TPM2B_PUBLIC"),
            None => bail!("\"{key}\" is neither a file nor base64 of a TPM2B_PUBLIC"),
        };
    }
    let shown = path.display();
    let mut content = Vec::new();
    let file = File::open(path).with_context(|| format!("can't read {shown}"))?;
    file.take(LARGEST + 1).read_to_end(&mut content).with_context(|| format!("can't read {shown}"))?;
    if is_public(&content) {
        return Ok(STANDARD.encode(content));
    }
    base64_of(&content).with_context(|| {
        format!(
            "{shown} is no TPM2B_PUBLIC, nor base64 of one: `tpm2_readpublic -c HANDLE -o FILE` writes one, without -f"
        )
    })
}

fn base64_of(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let bytes = STANDARD.decode(text).ok()?;
    is_public(&bytes).then(|| text.to_owned())
}

/// Whether these are a size and as many bytes. What is in them the service knows.
fn is_public(bytes: &[u8]) -> bool {
    bytes
        .split_first_chunk()
        .is_some_and(|(size, rest)| !rest.is_empty() && usize::from(u16::from_be_bytes(*size)) == rest.len())
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_text_or_a_file_of_text_or_of_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let bytes = [0, 4, 1, 2, 3, 4];
        let text = STANDARD.encode(bytes);
        assert_eq!(read(&text).unwrap(), text);
        let path = directory.path().join("key");
        for content in [&bytes[..], text.as_bytes(), format!(" {text}\n").as_bytes()] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(read(path.to_str().unwrap()).unwrap(), text);
        }
        let long = vec![7; 70_000];
        for content in [&b""[..], b"-----BEGIN PUBLIC KEY-----\n", &[0, 9, 1], &[0, 0], &long] {
            std::fs::write(&path, content).unwrap();
            let error = read(path.to_str().unwrap()).unwrap_err().to_string();
            assert!(error.contains("no TPM2B_PUBLIC"), "{error}");
        }
        for bad in ["", "?", "AAA=", "/nowhere/key", "AAkB"] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.contains("neither a file nor base64"), "{error}");
        }
    }
}
