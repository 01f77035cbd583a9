//! A symmetric key in a file: that of the device's own enrollment, or the one made for the device from its group's. The
//! group's own key is never on a device: who has it is every device of the group.

use std::path::Path;
use std::sync::Arc;

use base64ct::{Base64, Encoding};
use ring::hmac;

use super::password::{Audience, TokenSigner};
use super::{IdentityError, secret_file};

/// Bytes of a key, as DPS takes them.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

struct SymmetricKey(hmac::Key);

impl TokenSigner for SymmetricKey {
    fn sign(&self, _: Audience, text: &str) -> Result<Vec<u8>, String> {
        Ok(hmac::sign(&self.0, text.as_bytes()).as_ref().to_vec())
    }
}

/// Reads a key that is closed to others: base64 in one line. No error repeats any of it.
pub(super) fn load(path: &Path) -> Result<Arc<dyn TokenSigner>, IdentityError> {
    let read = |source| IdentityError::ReadSymmetricKey { path: path.into(), source };
    let bad = |why| IdentityError::BadSymmetricKey { path: path.into(), why };
    let text = secret_file::read(path).map_err(read)?;
    let bytes = Base64::decode_vec(text.trim()).map_err(|_| bad(instead(&text)))?;
    if bytes.is_empty() {
        return Err(bad(instead(&text)));
    }
    if !LENGTHS.contains(&bytes.len()) {
        return Err(bad("it has not 16 to 64 bytes"));
    }
    Ok(Arc::new(SymmetricKey(hmac::Key::new(hmac::HMAC_SHA256, &bytes))))
}

/// What a file may hold that is no key in base64.
fn instead(text: &str) -> &'static str {
    let text = text.trim();
    if text.is_empty() {
        "it is empty"
    } else if text.contains("-----BEGIN") {
        "it is PEM, as certificates and their keys are: those are named by identity.certificate and identity.key"
    } else if text.contains("SharedAccessKey=") {
        "it is a connection string: what stands behind SharedAccessKey= is the key"
    } else {
        "it is not base64 in one line"
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::io::Write;
    use std::os::unix::fs::OpenOptionsExt;

    use super::*;

    #[test]
    fn what_is_no_key_is_told_apart_and_not_shown() {
        let directory = tempfile::tempdir().unwrap();
        let with = |name: &str, text: &str, mode: u32| {
            let path = directory.path().join(name);
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(mode).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
            load(&path).map(drop).map_err(|error| error.to_string())
        };
        // RFC 4231 has no key of this length; what counts is that blanks around it do not.
        assert_eq!(with("good", "\u{feff}c2VjcmV0LXNlY3JldC1zZWNyZXQ=\r\n", 0o600), Ok(()));
        for (name, text, mode, why) in [
            ("short", "c2VjcmV0", 0o600, "has not 16 to 64 bytes"),
            ("long", &*"QUFB".repeat(22), 0o600, "has not 16 to 64 bytes"),
            ("empty", "\n", 0o600, "it is empty"),
            ("pem", "-----BEGIN EC PRIVATE KEY-----\ns3cret", 0o600, "identity.certificate and identity.key"),
            ("string", "HostName=h;DeviceId=d;SharedAccessKey=s3cret", 0o600, "behind SharedAccessKey="),
            ("other", "s3cret s3cret", 0o600, "not base64"),
            ("open", "c2VjcmV0LXNlY3JldC1zZWNyZXQ=", 0o644, "open to others (mode 644); run: chmod 600"),
        ] {
            let told = with(name, text, mode).unwrap_err();
            assert!(told.contains(why) && told.contains("identity.symmetric_key"), "{name}: {told}");
            assert!(!told.contains("s3cret"), "{told}");
        }
        assert!(load(&directory.path().join("none")).is_err());
    }
}
