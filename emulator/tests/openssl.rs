//! Certificates as a factory makes them: with the OpenSSL command line, in its plain and in its old-fashioned forms.

use std::{path::Path, process::Command};

use crate::common::{Lab, event};
use serde_json::json;
use tracker_emulator::{AttestationMechanism, EnrollmentGroup, EventKind, pki::DeviceCredentials};

/// Runs `openssl` in a directory.
fn openssl(directory: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split_whitespace())
        .current_dir(directory)
        .output()
        .expect("the openssl command line is installed");
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(directory: &Path, name: &str, text: &str) {
    use std::io::Write as _;
    let mut file = std::fs::File::create(directory.join(name)).expect("a temporary file");
    file.write_all(text.as_bytes()).expect("room for it");
}

fn read(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).expect("openssl wrote it")
}

const CA_EXTENSIONS: &str = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n\
                             subjectKeyIdentifier=hash\n";

const LEAF_EXTENSIONS: &str = "basicConstraints=CA:FALSE\nkeyUsage=digitalSignature\n";

/// Root, intermediate, and a leaf whose extensions are in the file `leaf.ext`; all keys made with `new_key`.
fn chain(directory: &Path, new_key: &str, leaf_extensions: Option<&str>) -> DeviceCredentials {
    write(directory, "ca.ext", CA_EXTENSIONS);
    for name in ["root", "factory", "leaf"] {
        openssl(directory, &format!("genpkey {new_key} -out {name}.key"));
    }
    openssl(directory, "req -new -key root.key -subj /O=Lab/CN=root -out root.csr");
    openssl(
        directory,
        "x509 -req -in root.csr -signkey root.key -days 30 -sha256 -extfile ca.ext -out root.pem",
    );
    openssl(directory, "req -new -key factory.key -subj /O=Lab/CN=factory -out factory.csr");
    let sign = "-CAcreateserial -days 30 -sha256";
    openssl(
        directory,
        &format!(
            "x509 -req -in factory.csr -CA root.pem -CAkey root.key {sign} -extfile ca.ext -out factory.pem"
        ),
    );
    openssl(directory, "req -new -key leaf.key -subj /CN=sensor-thl-001 -out leaf.csr");
    let extensions = leaf_extensions.map_or("", |extensions| {
        write(directory, "leaf.ext", extensions);
        "-extfile leaf.ext"
    });
    openssl(
        directory,
        &format!(
            "x509 -req -in leaf.csr -CA factory.pem -CAkey factory.key {sign} {extensions} -out leaf.pem"
        ),
    );
    DeviceCredentials {
        certificate_pem: read(directory, "leaf.pem"),
        chain_pem: read(directory, "leaf.pem") + &read(directory, "factory.pem"),
        key_pem: read(directory, "leaf.key"),
    }
}

/// Enrolls the intermediate CA of a chain and takes its device to the hub.
async fn provision(directory: &Path, credentials: &DeviceCredentials) {
    let lab = Lab::start().await;
    let dps = lab.emulator.dps();
    dps.certificates()
        .upload_verified("openssl-root", &read(directory, "root.pem"))
        .expect("a CA certificate");
    let attestation = AttestationMechanism::signing_certificate(read(directory, "factory.pem"));
    dps.groups().create(EnrollmentGroup::new("openssl", attestation)).expect("a group");
    let (status, body) = lab.register("sensor-thl-001", credentials).await;
    assert_eq!((status, &body["status"]), (200, &json!("assigned")), "{body}");
    let mut client = lab.to_hub("sensor-thl-001", credentials).connect().await.expect("the hub lets in");
    client.publish("devices/sensor-thl-001/messages/events/", "{}").await;
}

const EC: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";

#[tokio::test]
async fn an_ec_chain_is_accepted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let extensions = format!("{LEAF_EXTENSIONS}extendedKeyUsage=clientAuth\n");
    let credentials = chain(directory.path(), EC, Some(&extensions));
    provision(directory.path(), &credentials).await;
}

#[tokio::test]
async fn an_rsa_chain_whose_leaf_has_no_extended_key_usage_is_accepted() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let credentials = chain(directory.path(), RSA, Some(LEAF_EXTENSIONS));
    provision(directory.path(), &credentials).await;
}

#[tokio::test]
async fn a_leaf_without_extensions_is_accepted_at_dps() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let credentials = chain(directory.path(), EC, None);
    provision(directory.path(), &credentials).await;
}

#[tokio::test]
async fn the_openssl_client_is_served_with_either_version_of_tls() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let credentials = chain(directory.path(), RSA, None);
    let lab = Lab::start().await;
    write(directory.path(), "chain.pem", &credentials.chain_pem);
    write(directory.path(), "server-ca.pem", &lab.emulator.server_ca_pem());
    for version in ["-tls1_2", "-tls1_3"] {
        let arguments = format!(
            "s_client -connect {} -servername global.azure-devices-provisioning.net {version} -CAfile server-ca.pem \
             -verify_return_error -verify_hostname global.azure-devices-provisioning.net \
             -cert leaf.pem -key leaf.key -cert_chain chain.pem",
            lab.emulator.address()
        );
        let path = directory.path().to_owned();
        // Its standard input is empty, so it leaves when the handshake is done.
        let output = tokio::task::spawn_blocking(move || {
            Command::new("openssl")
                .args(arguments.split_whitespace())
                .current_dir(path)
                .stdin(std::process::Stdio::null())
                .output()
        });
        let output = output.await.expect("it ends").expect("the openssl command line is installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(text.contains("Verify return code: 0 (ok)") || text.contains("Verification: OK"), "{text}");
    }
}

/// Makes a key, and a certificate for it, signed by `issuer` or by itself. `config` has the sections `req`, `dn` and `ext`.
fn certify(directory: &Path, name: &str, key: &str, config: &str, issuer: Option<&str>, options: &str) {
    openssl(directory, &format!("genpkey {key} -out {name}.key"));
    write(directory, "config", &format!("[req]\ndistinguished_name=dn\nprompt=no\n{config}"));
    openssl(directory, &format!("req -new -config config -key {name}.key -out {name}.csr"));
    let signer = match issuer {
        Some(issuer) => format!("-CA {issuer}.pem -CAkey {issuer}.key -CAcreateserial"),
        None => format!("-signkey {name}.key"),
    };
    openssl(
        directory,
        &format!(
            "x509 -req -in {name}.csr {signer} -days 30 {options} -extfile config -extensions ext -out {name}.pem"
        ),
    );
}

fn ca(name: &str, constraints: &str) -> String {
    format!("[dn]\nCN={name}\n[ext]\nbasicConstraints=critical,{constraints}\n")
}

const LEAF: &str = "[dn]\nCN=sensor-thl-001\n[ext]\nbasicConstraints=CA:FALSE\n";

/// What the operator is told about a device that presents these certificates, with a group on the root.
async fn refusal(directory: &Path, presented: &[&str]) -> String {
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    let dps = lab.emulator.dps();
    dps.certificates()
        .upload_verified("openssl-root", &read(directory, "root.pem"))
        .expect("a CA certificate");
    let attestation = AttestationMechanism::signing_certificate(read(directory, "root.pem"));
    dps.groups().create(EnrollmentGroup::new("openssl", attestation)).expect("a group");
    let chain_pem = presented.iter().map(|name| read(directory, &format!("{name}.pem"))).collect();
    let credentials =
        DeviceCredentials { certificate_pem: String::new(), chain_pem, key_pem: read(directory, "leaf.key") };
    let (status, body) = lab.register("sensor-thl-001", &credentials).await;
    if status == 200 {
        return body["status"].as_str().unwrap_or_default().to_owned();
    }
    event(&mut events, |kind| match kind {
        EventKind::RegistrationRefused { reason, .. } => Some(reason.clone()),
        _ => None,
    })
    .await
}

#[tokio::test]
async fn the_reason_why_a_chain_leads_nowhere_is_the_true_one() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    let p521 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-521";
    let any = "CA:TRUE";
    certify(directory, "root", p521, &ca("root", any), None, "-sha256");
    certify(directory, "leaf", EC, LEAF, Some("root"), "-sha256");
    let why = refusal(directory, &["leaf"]).await;
    let known = "no enrollment for this device: \"CN=sensor-thl-001\" names \"CN=root\" as its issuer, which is known, but";
    assert_eq!(why, format!("{known} its signature can't be checked here: the key that made it is P-521"));

    certify(directory, "root", EC, &ca("root", any), None, "-sha256");
    certify(directory, "leaf", EC, LEAF, Some("root"), "-sha512");
    let why = refusal(directory, &["leaf"]).await;
    assert_eq!(why, format!("{known} its signature can't be checked here: it is ecdsa-with-SHA512"));

    certify(directory, "leaf", EC, LEAF, Some("root"), "-sha256");
    assert_eq!(refusal(directory, &["leaf"]).await, "assigned");
    certify(directory, "root", EC, &ca("root", any), None, "-sha256");
    let why = refusal(directory, &["leaf"]).await;
    assert_eq!(why, format!("{known} its signature is not made with the key of that certificate"));

    certify(directory, "root", EC, &ca("root", "CA:TRUE,pathlen:0"), None, "-sha256");
    certify(directory, "factory", EC, &ca("factory", any), Some("root"), "-sha256");
    certify(directory, "leaf", EC, LEAF, Some("factory"), "-sha256");
    let why = refusal(directory, &["leaf", "factory"]).await;
    assert!(why.ends_with("but its path length of 0 allows no CA that far below it"), "{why}");

    certify(directory, "root", EC, &ca("root", any), None, "-sha256");
    certify(directory, "factory", EC, &ca("factory", "CA:FALSE"), Some("root"), "-sha256");
    certify(directory, "leaf", EC, LEAF, Some("factory"), "-sha256");
    let why = refusal(directory, &["leaf", "factory"]).await;
    assert!(why.ends_with("but it is no CA: its basic constraints do not say CA:TRUE"), "{why}");
}

/// A CA may write its own name otherwise into what it signs, and OpenSSL writes underscores as `T61String`.
#[tokio::test]
async fn names_mean_the_same_in_whatever_type_of_string() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    let named = |mask: &str| format!("string_mask={mask}\n{}", ca("Agent I", "CA:TRUE"));
    certify(directory, "root", EC, &named("MASK:0x2"), None, "-sha256");
    let leaf = format!("string_mask=MASK:0x4\n{LEAF}");
    certify(directory, "leaf", EC, &leaf, Some("root"), "-sha256");
    // The same key under the same name, in the other type.
    let config = format!("[req]\ndistinguished_name=dn\nprompt=no\n{}", named("utf8only"));
    write(directory, "config", &config);
    openssl(directory, "req -new -config config -key root.key -out root.csr");
    openssl(
        directory,
        "x509 -req -in root.csr -signkey root.key -days 30 -extfile config -extensions ext -out root.pem",
    );
    assert_eq!(refusal(directory, &["leaf"]).await, "assigned");
}

#[tokio::test]
async fn a_proof_of_possession_that_can_not_be_checked_says_why() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let directory = directory.path();
    certify(directory, "root", EC, &ca("root", "CA:TRUE"), None, "-sha256");
    let lab = Lab::start().await;
    let certificates = lab.emulator.dps().certificates();
    certificates.upload("mine", &read(directory, "root.pem")).expect("a CA certificate");
    let code = certificates.generate_verification_code("mine").expect("a code");
    let leaf = format!("[dn]\nCN={code}\n[ext]\nbasicConstraints=CA:FALSE\n");
    certify(directory, "proof", EC, &leaf, Some("root"), "-sha512");
    let error = certificates.verify("mine", &read(directory, "proof.pem")).expect_err("unknown");
    let error = error.to_string();
    assert!(
        error.ends_with("signed by this CA: its signature can't be checked here: it is ecdsa-with-SHA512"),
        "{error}"
    );
    certify(directory, "proof", EC, &leaf, Some("root"), "-sha256");
    certificates.verify("mine", &read(directory, "proof.pem")).expect("verified");
}
