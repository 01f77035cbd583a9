//! A public key infrastructure made with the OpenSSL command line, as a factory would.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const EXTENSIONS: &str = "
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
";

/// Root, intermediate, and the leaves asked for, in a directory of their own.
pub struct Factory {
    directory: tempfile::TempDir,
}

/// A device's files.
pub struct Device {
    pub chain: PathBuf,
    pub key: PathBuf,
}

impl Factory {
    pub fn new() -> Self {
        let factory = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(factory.path("extensions.cnf"), EXTENSIONS).unwrap();
        factory.ec_key("root");
        factory.openssl(&[
            "req",
            "-new",
            "-key",
            "root.key",
            "-subj",
            "/O=Cheese/CN=Cheese Root CA",
            "-out",
            "root.csr",
        ]);
        factory.openssl(&[
            "x509",
            "-req",
            "-in",
            "root.csr",
            "-signkey",
            "root.key",
            "-days",
            "3650",
            "-sha256",
            "-extfile",
            "extensions.cnf",
            "-extensions",
            "ca",
            "-out",
            "root.pem",
        ]);
        factory.ec_key("intermediate");
        factory.sign("intermediate", "/O=Cheese/CN=Cheese Intermediate CA", "root", "ca", 1825);
        factory
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn pem(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.pem"))).unwrap()
    }

    /// Makes an EC P-256 key.
    pub fn ec_key(&self, name: &str) {
        self.openssl(&[
            "genpkey",
            "-algorithm",
            "EC",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-out",
            &format!("{name}.key"),
        ]);
    }

    /// Has the request of `name` signed by `issuer`.
    pub fn sign(&self, name: &str, subject: &str, issuer: &str, extensions: &str, days: i32) {
        let file = |suffix: &str| format!("{name}.{suffix}");
        self.openssl(&["req", "-new", "-key", &file("key"), "-subj", subject, "-out", &file("csr")]);
        self.sign_request(name, issuer, extensions, days);
    }

    /// Has a request signed that is there already; its key may be elsewhere.
    pub fn sign_request(&self, name: &str, issuer: &str, extensions: &str, days: i32) {
        let file = |suffix: &str| format!("{name}.{suffix}");
        self.openssl(&[
            "x509",
            "-req",
            "-in",
            &file("csr"),
            "-CA",
            &format!("{issuer}.pem"),
            "-CAkey",
            &format!("{issuer}.key"),
            "-CAcreateserial",
            "-days",
            &days.to_string(),
            "-sha256",
            "-extfile",
            "extensions.cnf",
            "-extensions",
            extensions,
            "-out",
            &file("pem"),
        ]);
    }

    /// A device with an EC key, its chain leaf first.
    pub fn device(&self, common_name: &str) -> Device {
        self.ec_key(common_name);
        self.device_with_key(common_name, common_name, 365)
    }

    /// A device whose key is already there.
    pub fn device_with_key(&self, file: &str, common_name: &str, days: i32) -> Device {
        self.sign(file, &format!("/CN={common_name}"), "intermediate", "leaf", days);
        let chain = self.path(&format!("{file}-chain.pem"));
        fs::write(&chain, self.pem(file) + &self.pem("intermediate")).unwrap();
        Device { chain, key: self.path(&format!("{file}.key")) }
    }

    pub fn openssl(&self, arguments: &[&str]) {
        let output = Command::new("openssl").args(arguments).current_dir(self.directory.path()).output();
        let output = output.expect("the openssl command line is installed");
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }

    pub fn directory(&self) -> &Path {
        self.directory.path()
    }
}
