//! A configuration for tests, of a device whose certificate leads to a root of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use tracker_emulator::pki::{CertificateAuthority, Validity};

use super::Config;
use crate::platform::plain_file;

/// Key, chain of two and root are files in this directory.
pub(crate) fn of_device(directory: &Path) -> Config {
    let root = CertificateAuthority::root("root", Validity::always()).unwrap();
    let line = root.intermediate("line 1", Validity::always()).unwrap();
    let device = line.device("sensor-thl-001", Validity::always()).unwrap();
    let file = |name: &str, text: &str| -> PathBuf {
        let path = directory.join(name);
        plain_file::create(&path, 0o600).unwrap().write_all(text.as_bytes()).unwrap();
        path
    };
    let text = format!(
        "[dps]\nid_scope = \"0ne00A1B2C3\"\n[identity]\ncertificate = {:?}\nkey = {:?}\n[connection]\nroots = {:?}\n\
         [state]\ndirectory = {:?}\n",
        file("device.pem", &device.chain_pem),
        file("device.key", &device.key_pem),
        file("roots.pem", &root.certificate_pem()),
        directory.join("state"),
    );
    Config::parse(Path::new("tracker.toml"), &text).unwrap()
}
