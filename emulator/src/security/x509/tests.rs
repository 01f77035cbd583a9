//! Certificates as OpenSSL makes them, odd ones among them, and what is read from them.

use std::{fs::File, io::Write as _, path::Path, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use tempfile::TempDir;
use tracker_certificates::{NotIssued, SignatureError};

use super::{Certificate, CertificateError};

const P256: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-256";
const P384: &str = "-algorithm EC -pkeyopt ec_paramgen_curve:P-384";
const RSA: &str = "-algorithm RSA -pkeyopt rsa_keygen_bits:2048";

fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("the openssl command line is installed");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(directory: &Path, name: &str, text: &str) {
    let mut file = File::create(directory.join(name)).expect("a temporary file");
    file.write_all(text.as_bytes()).expect("room for it");
}

/// A certificate for `subject` with a new key, signed by that key.
fn self_signed(key: &str, subject: &str, options: &str) -> Certificate {
    let directory = TempDir::new().expect("a temporary directory");
    let mut make = vec!["genpkey", "-out", "key"];
    make.extend(key.split(' '));
    openssl(directory.path(), &make);
    let config = "[req]\ndistinguished_name=dn\n[dn]\n";
    write(directory.path(), "config", config);
    let mut sign = vec!["req", "-x509", "-new", "-utf8", "-multivalue-rdn", "-config", "config"];
    sign.extend(["-key", "key", "-subj", subject, "-days", "30", "-out", "certificate"]);
    sign.extend(options.split_whitespace());
    openssl(directory.path(), &sign);
    let pem = std::fs::read_to_string(directory.path().join("certificate")).expect("openssl wrote it");
    Certificate::from_text(&pem).expect("a certificate")
}

#[test]
fn names_are_told_in_the_order_of_the_certificate() {
    let plain = self_signed(P256, "/C=NL/ST=Zuid-Holland/O=Käse, Inc./OU=a/OU=b/CN=cheese-001", "");
    assert_eq!(plain.info.subject_name, "C=NL, ST=Zuid-Holland, O=Käse, Inc., OU=a, OU=b, CN=cheese-001");
    assert_eq!(plain.info.issuer_name, plain.info.subject_name);
    assert_eq!(plain.common_name.as_deref(), Some("cheese-001"));

    let odd = "/CN=first/CN=second/emailAddress=a@b.example/DC=x/UID=u/serialNumber=42/SN=s/pseudonym=p";
    let odd = self_signed(P256, odd, "");
    assert_eq!(
        odd.info.subject_name,
        "CN=first, CN=second, Email=a@b.example, DC=x, uid=u, serialNumber=42, surname=s, OID(2.5.4.65)=p"
    );
    assert_eq!(odd.common_name.as_deref(), Some("first"));

    let several_in_a_set = self_signed(P256, "/C=NL/CN=b+O=a+OU=c/L=z", "");
    assert_eq!(several_in_a_set.info.subject_name, "C=NL, CN=b + O=a + OU=c, L=z");
    assert_eq!(self_signed(P256, "/", "").common_name, None);
}

#[test]
fn serial_numbers_are_told_as_they_are_encoded() {
    let serial =
        |number: &str| self_signed(P256, "/CN=serial", &format!("-set_serial {number}")).info.serial_number;
    assert_eq!(serial("0x7faa11"), "7FAA11");
    assert_eq!(serial("0xffaa11"), "00FFAA11");
    assert_eq!(serial("0"), "00");
    assert_eq!(serial("-5"), "FB");
    let long = "ff".repeat(26);
    assert_eq!(serial(&format!("0x{long}")), format!("00{}", long.to_uppercase()));
}

#[test]
fn bytes_after_the_end_are_counted() {
    let certificate = self_signed(P256, "/CN=long", "");
    let mut der = STANDARD.decode(certificate.base64()).expect("base64");
    der.extend([0, 0]);
    let error = Certificate::from_der(der.into()).expect_err("not the certificate alone");
    assert_eq!(error, CertificateError::Unreadable(tracker_certificates::CertificateError::Trailing(2)));
    assert_eq!(error.to_string(), "the certificate cannot be read: 2 bytes after its end");
}

#[test]
fn constraints_and_usage_make_an_authority() {
    let authority = |extensions: &str| self_signed(P256, "/CN=ca", extensions);
    let ca = "-addext basicConstraints=critical,CA:TRUE";
    assert!(authority(ca).is_authority());
    assert!(authority(&format!("{ca} -addext keyUsage=keyCertSign")).is_authority());
    assert!(!authority(&format!("{ca} -addext keyUsage=digitalSignature,cRLSign")).is_authority());
    assert!(!authority("-addext basicConstraints=CA:FALSE").is_authority());
    assert!(!authority("-addext keyUsage=keyCertSign").is_authority());

    let short = authority(&format!("{ca},pathlen:1"));
    assert_eq!(short.may_have_issued(&short, 1), Ok(()));
    assert_eq!(short.may_have_issued(&short, 2), Err(NotIssued::PathLength(1)));
    let long = authority(&format!("{ca},pathlen:300"));
    assert_eq!(long.may_have_issued(&long, 300), Ok(()));
    assert_eq!(long.may_have_issued(&long, 301), Err(NotIssued::PathLength(300)));
}

#[test]
fn signatures_of_every_usual_kind_are_checked() {
    let pss = |hash: &str| format!("{hash} -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest");
    let kinds = [
        (P256, "-sha256".to_owned()),
        (P256, "-sha384".to_owned()),
        (P384, "-sha256".to_owned()),
        (P384, "-sha384".to_owned()),
        ("-algorithm ED25519", String::new()),
        (RSA, "-sha256".to_owned()),
        (RSA, "-sha512".to_owned()),
        (RSA, pss("-sha256")),
        (RSA, pss("-sha384")),
    ];
    let signed = kinds.map(|(key, options)| (self_signed(key, "/CN=same", &options), key, options));
    for (position, (child, key, options)) in signed.iter().enumerate() {
        for (other, (issuer, ..)) in signed.iter().enumerate() {
            let found = child.check_signature(issuer);
            let wrong = Err(NotIssued::Signature(SignatureError::Wrong));
            let right = if position == other { Ok(()) } else { wrong };
            assert_eq!(found, right, "{key} {options}, key of {other}");
        }
    }
}

#[test]
fn sha_1_does_not_count() {
    for key in [RSA, P256] {
        let certificate = self_signed(key, "/CN=old", "-sha1");
        let why = certificate.check_signature(&certificate).expect_err(key).to_string();
        assert!(why.contains("can't be checked here") && why.to_lowercase().contains("sha1"), "{key}: {why}");
    }
}

#[test]
fn dates_before_1970_and_after_2049_are_read() {
    let directory = TempDir::new().expect("a temporary directory");
    write(directory.path(), "index", "");
    write(
        directory.path(),
        "config",
        "[req]\ndistinguished_name=p\n[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\n\
         rand_serial=yes\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n",
    );
    let run = |arguments: &str| openssl(directory.path(), &arguments.split(' ').collect::<Vec<_>>());
    run(&format!("genpkey -out key {P256}"));
    run("req -new -config config -key key -subj /CN=dates -out request");
    run("ca -batch -config config -in request -keyfile key -selfsign -notext -out certificate \
         -startdate 19600229120001Z -enddate 20500101000000Z");
    let pem = std::fs::read_to_string(directory.path().join("certificate")).expect("openssl wrote it");
    let info = Certificate::from_text(&pem).expect("a certificate").info;
    assert_eq!(info.version, 1);
    assert_eq!(info.not_before_utc.to_rfc3339(), "1960-02-29T12:00:01+00:00");
    assert_eq!(info.not_after_utc.to_rfc3339(), "2050-01-01T00:00:00+00:00");
}

#[test]
fn what_can_not_be_checked_is_named() {
    let p521 = "-algorithm EC -pkeyopt ec_paramgen_curve:P-521";
    let pss = "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:10";
    let small = "-algorithm RSA -pkeyopt rsa_keygen_bits:1024";
    for (key, options, name) in [
        (P256, "-sha512", "it is ecdsa-with-SHA512"),
        (p521, "-sha256", "the key that made it is P-521"),
        (RSA, pss, "it is RSA-PSS with a salt that is not as long as its hash"),
        (small, "-sha256", "the key that made it is RSA of 1024 bits"),
        ("-algorithm ED448", "", "it is Ed448"),
    ] {
        let certificate = self_signed(key, "/CN=odd", options);
        let why = certificate.check_signature(&certificate).expect_err(key).to_string();
        assert!(why.starts_with(&format!("its signature can't be checked here: {name}")), "{why}");
    }
}

/// OpenSSL 3.0 writes `T61String` with `string_mask = default` as soon as a name has an underscore.
#[test]
fn a_common_name_counts_in_whatever_type_of_string() {
    for (mask, name) in
        [("MASK:0x04", "container_7"), ("MASK:0x800", "container_7"), ("utf8only", "container_7")]
    {
        let directory = TempDir::new().expect("a temporary directory");
        let config =
            format!("[req]\ndistinguished_name=dn\nprompt=no\nstring_mask={mask}\n[dn]\nCN={name}\n");
        write(directory.path(), "config", &config);
        let run = |arguments: &str| openssl(directory.path(), &arguments.split(' ').collect::<Vec<_>>());
        run(&format!("genpkey -out key {P256}"));
        run("req -x509 -new -config config -key key -days 30 -out certificate");
        let pem = std::fs::read_to_string(directory.path().join("certificate")).expect("openssl wrote it");
        let certificate = Certificate::from_text(&pem).expect("a certificate");
        assert_eq!(certificate.common_name.as_deref(), Some(name), "{mask}");
        assert_eq!(certificate.info.subject_name, format!("CN={name}"), "{mask}");
    }
}
