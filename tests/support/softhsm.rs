//! SoftHSM2: tokens in a directory of their own, and a spy that writes down every call of the library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The PIN of every token here.
pub const PIN: &str = "1234";

/// Where distributions put the library, and OpenSC's spy.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
];
const SPIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/pkcs11-spy.so",
    "/usr/lib/aarch64-linux-gnu/pkcs11-spy.so",
    "/usr/lib64/pkcs11/pkcs11-spy.so",
];

pub struct SoftHsm {
    directory: tempfile::TempDir,
}

impl SoftHsm {
    /// Without a token yet.
    pub fn new() -> Self {
        let hsm = Self { directory: tempfile::tempdir().unwrap() };
        fs::create_dir(hsm.tokens()).unwrap();
        let configuration = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            hsm.tokens().display()
        );
        fs::write(hsm.configuration(), configuration).unwrap();
        hsm.write_pin(PIN);
        hsm
    }

    /// What a program that uses it must find in its environment.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        vec![
            ("SOFTHSM2_CONF", self.configuration()),
            ("PKCS11SPY", library()),
            ("PKCS11SPY_OUTPUT", self.path("calls")),
        ]
    }

    pub fn add_token(&self, label: &str) {
        self.util(&["--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin", "12345678"]);
    }

    /// Moves a private key out of its file into the token.
    pub fn take_in(&self, token: &str, id: &str, label: &str, key: &Path) {
        let key_file = key.display().to_string();
        self.util(&["--import", &key_file, "--token", token, "--id", id, "--label", label, "--pin", PIN]);
        fs::remove_file(key).unwrap();
    }

    /// A URI with the spy before the library, and the PIN's file.
    pub fn uri(&self, path: &str) -> String {
        format!("{}&pin-source=file:{}", uri_without_pin(path), self.path("token.pin").display())
    }

    pub fn write_pin(&self, pin: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path("token.pin");
        fs::write(&path, format!("{pin}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// The token does no more than this. (2.6.1 passes over a list of what it should not do.)
    pub fn allow_only(&self, mechanisms: &str) {
        let configuration = fs::read_to_string(self.configuration()).unwrap();
        fs::write(self.configuration(), format!("{configuration}slots.mechanisms = {mechanisms}\n")).unwrap();
    }

    /// How often a function of the library was called.
    pub fn calls(&self, function: &str) -> usize {
        let calls = fs::read_to_string(self.path("calls")).unwrap_or_default();
        calls.lines().filter(|line| line.ends_with(&format!(": {function}"))).count()
    }

    /// All tokens are pulled out.
    pub fn pull_out(&self) {
        fs::rename(self.tokens(), self.path("drawer")).unwrap();
        fs::create_dir(self.tokens()).unwrap();
    }

    /// They are plugged in again.
    pub fn plug_in(&self) {
        fs::remove_dir(self.tokens()).unwrap();
        fs::rename(self.path("drawer"), self.tokens()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn tokens(&self) -> PathBuf {
        self.path("tokens")
    }

    fn configuration(&self) -> PathBuf {
        self.path("softhsm2.conf")
    }

    fn util(&self, arguments: &[&str]) {
        let _ = library();
        let mut util = Command::new("softhsm2-util");
        let output = util.args(arguments).env("SOFTHSM2_CONF", self.configuration()).output();
        let output = output.unwrap_or_else(|error| panic!("softhsm2-util: {error}; apt install softhsm2"));
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A URI with the spy before the library.
pub fn uri_without_pin(path: &str) -> String {
    format!("pkcs11:{path}?module-path={}", there(&SPIES, "opensc-pkcs11").display())
}

fn library() -> PathBuf {
    there(&LIBRARIES, "softhsm2")
}

fn there(places: &[&str], package: &str) -> PathBuf {
    let place = places.iter().map(Path::new).find(|place| place.exists());
    place.unwrap_or_else(|| panic!("none of {places:?} is there; apt install {package}")).to_owned()
}
