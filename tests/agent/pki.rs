//! `container-tracker pki` beside OpenSSL: each verifies what the other has made.

#![cfg(all(feature = "lab", unix))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use container_tracker::identity::Identity;
use serde_json::Value;

/// A directory in which both are used.
pub struct Workshop(tempfile::TempDir);

impl Workshop {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub fn run(&self, program: &str, arguments: &str) -> Output {
        let output = Command::new(program).args(arguments.split(' ')).current_dir(self.0.path()).output();
        output.expect("the program is installed")
    }

    /// What it prints, on either output; it ends well.
    pub fn pki(&self, arguments: &str) -> String {
        let output = self.run(env!("CARGO_BIN_EXE_container-tracker"), &format!("pki {arguments}"));
        assert!(output.status.success(), "{arguments}: {}", told(&output));
        told(&output)
    }

    /// Why it ends with 1.
    fn refused(&self, arguments: &str) -> String {
        let output = self.run(env!("CARGO_BIN_EXE_container-tracker"), &format!("pki {arguments}"));
        assert_eq!(output.status.code(), Some(1), "{arguments}: {}", told(&output));
        told(&output)
    }

    fn openssl(&self, arguments: &str) -> String {
        let output = self.run("openssl", arguments);
        assert!(output.status.success(), "openssl {arguments}: {}", told(&output));
        told(&output)
    }

    /// A request that OpenSSL makes, with a new key or that of another.
    pub fn request(&self, file: &str, name: &str, more: &str) {
        if !self.path(&format!("{file}.key")).exists() {
            self.openssl(&format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out {file}.key"));
        }
        self.openssl(&format!("req -new -key {file}.key -subj /CN={name} -out {file}.csr{more}"));
    }

    pub fn files(&self, directory: &str) -> usize {
        fs::read_dir(self.path(directory)).map_or(0, Iterator::count)
    }
}

pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn openssl_verifies_what_pki_makes_and_the_agent_takes_it() {
    let shop = Workshop::new();
    shop.pki("init --name Cheese --organization Example");
    assert_eq!((mode(&shop.path("pki/root.key")), mode(&shop.path("pki/root.pem"))), (0o600, 0o644));
    shop.write("password", "geheim 1\n");
    shop.pki("leaf sensor-thl-001 --pfx --password-file password");
    let strict =
        "verify -x509_strict -purpose sslclient -CAfile pki/root.pem -untrusted pki/intermediate.pem";
    assert!(shop.openssl(&format!("{strict} pki/devices/sensor-thl-001.pem")).contains(": OK"));
    assert!(shop.openssl("verify -x509_strict -CAfile pki/root.pem pki/intermediate.pem").contains(": OK"));
    let pfx = shop.openssl("pkcs12 -in pki/devices/sensor-thl-001.pfx -passin file:password -nodes");
    assert_eq!(pfx.matches("BEGIN CERTIFICATE").count(), 2, "leaf and intermediate");
    assert!(pfx.contains("BEGIN PRIVATE KEY"), "and the key");
    let wrong = shop.run("openssl", "pkcs12 -in pki/devices/sensor-thl-001.pfx -passin pass:other -noout");
    assert!(!wrong.status.success(), "the password counts");

    let file = |suffix: &str| shop.path(&format!("pki/devices/sensor-thl-001{suffix}"));
    let identity = Identity::load(&file("-chain.pem"), &file(".key").into(), shop.0.path()).unwrap();
    assert_eq!(identity.registration_id.as_str(), "sensor-thl-001");
    let register = fs::read_to_string(shop.path("pki/issued.csv")).unwrap();
    assert!(register.contains(&format!("\nsensor-thl-001,{},", identity.thumbprint)), "{register}");

    let key = fs::read(file(".key")).unwrap();
    assert!(shop.pki("leaf sensor-thl-001").contains("is there already"));
    assert_eq!(fs::read(file(".key")).unwrap(), key, "nothing is replaced without a word");
    assert!(shop.refused("init").contains("pki/root.key is there already"));

    shop.pki("proof 0A1B2C3D4E5F --out proof.pem");
    assert!(shop.openssl("verify -CAfile pki/root.pem proof.pem").contains(": OK"));
    assert!(shop.openssl("x509 -in proof.pem -noout -subject").contains("0A1B2C3D4E5F"));
    assert!(shop.refused("proof 0A1B --out proof.pem").contains("--force replaces it"));
    assert!(shop.refused("proof a/b").contains("no verification code"));
    assert!(shop.refused("leaf box-2 --days 9999").contains("outlive its CA"));
}

#[test]
fn lists_are_looked_at_whole_and_a_run_that_was_killed_goes_on() {
    let shop = Workshop::new();
    shop.pki("init");
    shop.write("bad.txt", "box-1\r\nBad Name\r\nbox-1\r\n\r\nBOX-3");
    let told = shop.refused("leaves bad.txt");
    for row in ["row 2: \"Bad Name\"", "row 3: \"box-1\" stands in row 1", "row 5: \"BOX-3\" has capitals"] {
        assert!(told.contains(row), "{told}");
    }
    assert_eq!(shop.files("pki/devices"), 0);
    assert!(shop.refused("leaves bad.txt --skip-bad").contains("1 made, 0 were there, 3 rows passed over"));

    shop.write("serials.csv", "mac;serial\r\n01;box-1\r\n02;box-2\r\n03;box-3\r\n");
    assert!(shop.pki("leaves serials.csv").contains("2 made, 1 were there"));
    // As a power cut may leave it: half a row, and a device with its key alone.
    let register = fs::read_to_string(shop.path("pki/issued.csv")).unwrap();
    let whole = register.lines().filter(|line| !line.starts_with("box-3")).map(|line| format!("{line}\n"));
    let cut: String = whole.filter(|line| !line.starts_with("box-2")).collect();
    shop.write("pki/issued.csv", &(cut + "box-2,12ab"));
    let key = fs::read(shop.path("pki/devices/box-2.key")).unwrap();
    fs::remove_file(shop.path("pki/devices/box-2-chain.pem")).unwrap();
    assert!(shop.pki("leaves serials.csv").contains("1 made, 2 were there"));
    assert_eq!(fs::read(shop.path("pki/devices/box-2.key")).unwrap(), key);
    let register = fs::read_to_string(shop.path("pki/issued.csv")).unwrap();
    assert_eq!(register.lines().count(), 4, "{register}");
    assert!(shop.pki("leaves serials.csv").contains("0 made, 3 were there"));
}

#[test]
fn requests_are_judged_before_one_is_signed() {
    let shop = Workshop::new();
    shop.pki("init");
    shop.request("good", "box-1", "");
    fs::copy(shop.path("good.csr"), shop.path("twice.csr")).unwrap();
    fs::copy(shop.path("good.key"), shop.path("copied.key")).unwrap();
    shop.request("copied", "box-2", "");
    shop.request("ca", "box-3", " -addext basicConstraints=CA:TRUE");
    shop.request("foreign", "box-4", "");
    shop.request("name", "Box_", "");
    shop.openssl("req -new -newkey rsa:1024 -nodes -keyout weak.key -subj /CN=box-5 -out weak.csr");
    shop.request("changed", "box-6", "");
    shop.openssl("req -in changed.csr -outform DER -out changed.der");
    let mut request = fs::read(shop.path("changed.der")).unwrap();
    *request.last_mut().unwrap() ^= 1;
    fs::write(shop.path("changed.csr"), request).unwrap();
    fs::copy(shop.path("good.key"), shop.path("key.csr")).unwrap();
    shop.write("serials.txt", "box-1\nbox-2\nbox-3\nbox-5\nbox-6\n");
    let all = "good.csr twice.csr copied.csr ca.csr foreign.csr name.csr weak.csr changed.csr key.csr";
    let told = shop.refused(&format!("sign {all} --serials serials.txt"));
    for why in [
        "twice.csr: box-1 is asked for by good.csr too",
        "copied.csr: its key is that of good.csr",
        "ca.csr: it asks for the certificate of a CA",
        "foreign.csr: its common name, box-4, does not stand in the list",
        "name.csr: its common name (CN) won't do",
        "weak.csr: its RSA key has 1024 bits",
        "changed.csr: it is not signed with the key",
        "key.csr: there is a private key in it",
        "8 of 9 requests are refused, and nothing was signed",
    ] {
        assert!(told.contains(why), "{why} is not in\n{told}");
    }
    assert_eq!(shop.files("pki/devices"), 0);
    shop.refused(&format!("sign {all} --serials serials.txt --skip-bad"));
    let verified = shop.openssl(
        "verify -x509_strict -CAfile pki/root.pem -untrusted pki/intermediate.pem pki/devices/box-1.pem",
    );
    assert!(verified.contains(": OK"));
    assert_eq!(shop.files("pki/devices"), 2, "leaf and chain of one");
    assert!(shop.pki("sign good.csr").contains("1 were signed before"));
    assert!(shop.refused("sign copied.csr").contains("its key is that of box-1"));
    fs::remove_file(shop.path("good.key")).unwrap();
    shop.request("good", "box-1", "");
    assert!(shop.refused("sign good.csr").contains("--force issues another"), "a new key for an old name");
    assert!(shop.pki("sign good.csr --force").contains("1 signed"));
}

/// Names and extensions of the script of Azure's training lab.
const LAB: &str = "
[req]
distinguished_name = name
[name]
[v3_ca]
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid:always,issuer
basicConstraints = critical, CA:true
keyUsage = critical, digitalSignature, cRLSign, keyCertSign
[usr_cert]
basicConstraints = CA:FALSE
nsCertType = client, email
nsComment = \"OpenSSL Generated Client Certificate\"
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid,issuer
keyUsage = critical, nonRepudiation, digitalSignature, keyEncipherment
extendedKeyUsage = clientAuth, emailProtection
";

#[test]
fn a_ca_of_the_training_lab_is_read_and_signs() {
    let shop = Workshop::new();
    shop.write("lab.cnf", LAB);
    let subject = |name: &str| name.replace(' ', "\u{a0}");
    // Arguments are parted at blanks here, so blanks in names are hard ones, as some editors write them.
    shop.openssl(&format!(
        "req -x509 -newkey rsa:2048 -nodes -keyout root.key -config lab.cnf -extensions v3_ca -days 30 -out root.pem -utf8 -subj /CN={}",
        subject("Azure IoT Hub CA Cert Test Only")
    ));
    let issue = |name: &str, file: &str, ca: &str, extensions: &str| {
        shop.openssl(&format!(
            "req -new -newkey rsa:2048 -nodes -keyout {file}.key -config lab.cnf -out {file}.csr -utf8 -subj /CN={name}"
        ));
        shop.openssl(&format!(
            "x509 -req -in {file}.csr -CA {ca}.pem -CAkey {ca}.key -CAcreateserial -days 29 -sha256 -extfile lab.cnf -extensions {extensions} -out {file}.pem"
        ));
    };
    issue(&subject("Azure IoT Hub Intermediate Cert Test Only"), "intermediate", "root", "v3_ca");
    issue("sensor-thl-001", "new-device", "intermediate", "usr_cert");
    let chain = ["new-device", "intermediate", "root"]
        .map(|name| fs::read_to_string(shop.path(&format!("{name}.pem"))).unwrap());
    shop.write("full-chain.pem", &chain.concat());

    let shown: Value = serde_json::from_str(&shop.pki("show --json full-chain.pem")).unwrap();
    let items = shown["items"].as_array().unwrap();
    assert_eq!(items.len(), 3);
    for item in items {
        assert_eq!(item["problems"], Value::Array(vec![]), "{item}");
    }
    for item in &items[..2] {
        assert_eq!(item["chain"], "issued by the next one, whose signature it carries", "{item}");
    }
    assert_eq!(items[0]["extendedKeyUsage"], serde_json::json!(["clientAuth", "emailProtection"]));
    assert_eq!((&items[0]["what"], &items[2]["what"]), (&"certificate".into(), &"root CA".into()));

    shop.pki("leaf sensor-thl-002 --days 20 --ca intermediate.pem --ca-key intermediate.key");
    let verified = shop.openssl(
        "verify -x509_strict -CAfile root.pem -untrusted intermediate.pem pki/devices/sensor-thl-002.pem",
    );
    assert!(verified.contains(": OK"));
    shop.pki("proof ABCDEF --ca root.pem --ca-key root.key --out proof.pem");
    assert!(shop.openssl("verify -x509_strict -CAfile root.pem proof.pem").contains(": OK"));
    let told = shop.refused("leaf sensor-thl-003 --days 20 --ca new-device.pem --ca-key new-device.key");
    assert!(told.contains("it is no CA"), "{told}");
    let told = shop.refused("leaf sensor-thl-003 --days 20 --ca root.pem --ca-key intermediate.key");
    assert!(told.contains("is not the key of"), "{told}");
}

#[test]
fn show_names_what_azure_refuses_and_no_secret() {
    let shop = Workshop::new();
    shop.pki("init");
    let shown = shop.pki("show pki/root.key");
    assert!(shown.contains("private key") && shown.contains("EC P-256"), "{shown}");
    let secret = fs::read_to_string(shop.path("pki/root.key")).unwrap();
    assert!(!secret.lines().any(|line| shown.contains(line)), "{shown}");
    shop.openssl("req -x509 -newkey rsa:1024 -nodes -keyout bad.key -subj /O=No -days 1 -sha1 -out bad.pem");
    let shown = shop.pki("show bad.pem");
    for what in ["an RSA key of less than 2048 bits"] {
        assert!(shown.contains(&format!("! Azure refuses {what}")), "{shown}");
    }
    shop.write("text", "hello");
    assert!(shop.refused("show text").contains("no certificate, no request and no key"));
    shop.openssl("ecparam -name prime256v1 -genkey -noout -out sec1.key");
    shop.openssl("pkcs8 -topk8 -in sec1.key -passout pass:x -out locked.key");
    assert!(shop.pki("show locked.key").contains("encrypted private key"));
}
