//! Certificates as a factory makes them: with the OpenSSL command line, in its plain and in its old-fashioned forms.

mod common;

use std::{path::Path, process::Command};

use common::Lab;
use serde_json::json;
use tracker_emulator::{AttestationMechanism, EnrollmentGroup, pki::DeviceCredentials};

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
