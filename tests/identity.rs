//! Identities as factories make them, and the sentences about those that can't be used.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};
use container_tracker::identity::{Identity, IdentityError};
use container_tracker::platform::clock::{TimeSource, system_time};
use support::openssl::{Device, Factory};

fn load(device: &Device) -> Result<Identity, IdentityError> {
    Identity::load(&device.chain, &device.key.clone().into(), Path::new("/nowhere"))
}

fn refusal(device: &Device) -> String {
    load(device).unwrap_err().to_string()
}

/// The key in another form, in a file readable by its owner alone.
fn converted(factory: &Factory, name: &str, arguments: &[&str]) -> PathBuf {
    let path = factory.path(name);
    factory.openssl(&[arguments, &["-out", name]].concat());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn every_kind_of_key_and_container_is_taken() {
    let factory = Factory::new();
    let mut device = factory.device("sensor-thl-001");
    let identity = load(&device).unwrap();
    assert_eq!(identity.registration_id.as_str(), "sensor-thl-001");
    assert_eq!(identity.certified_key.cert.len(), 2);
    assert!(!format!("{identity:?}").contains("PRIVATE"));
    device.key = converted(&factory, "sec1.key", &["ec", "-in", "sensor-thl-001.key"]);
    assert!(fs::read_to_string(&device.key).unwrap().contains("BEGIN EC PRIVATE KEY"));
    load(&device).unwrap();

    let kinds: [(&str, &[&str]); 2] = [
        ("p384", &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]),
        ("rsa", &["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
    ];
    for (name, arguments) in kinds {
        converted(&factory, &format!("{name}.key"), arguments);
        load(&factory.device_with_key(name, "box", 365)).unwrap();
    }
    let key = converted(&factory, "pkcs1.key", &["rsa", "-in", "rsa.key", "-traditional"]);
    assert!(fs::read_to_string(&key).unwrap().contains("BEGIN RSA PRIVATE KEY"));
    load(&Device { chain: factory.path("rsa-chain.pem"), key }).unwrap();
}

#[test]
fn what_can_not_be_used_is_refused_with_a_sentence() {
    let factory = Factory::new();
    let good = factory.device("sensor-thl-001");
    let other = factory.device("sensor-thl-002");
    let with_chain = |name: &str, content: &str| {
        fs::write(factory.path(name), content).unwrap();
        Device { chain: factory.path(name), key: good.key.clone() }
    };
    let with_key = |key: PathBuf| Device { chain: good.chain.clone(), key };

    let text = refusal(&Device { chain: factory.path("nowhere.pem"), key: good.key.clone() });
    assert!(
        text.starts_with("can't read the certificate ") && text.contains("identity.certificate"),
        "{text}"
    );
    let text = refusal(&with_key(factory.path("nowhere.key")));
    assert!(text.starts_with("can't read the private key ") && text.contains("identity.key"), "{text}");

    let text = refusal(&with_chain("empty.pem", ""));
    assert!(
        text.contains("holds no certificate in PEM form") && text.contains("the file is empty"),
        "{text}"
    );
    let text =
        refusal(&with_chain("request.pem", &fs::read_to_string(factory.path("sensor-thl-001.csr")).unwrap()));
    assert!(text.contains("a certificate request, which a CA must sign first"), "{text}");
    factory.openssl(&["x509", "-in", "sensor-thl-001.pem", "-outform", "DER", "-out", "leaf.der"]);
    let text = refusal(&Device { chain: factory.path("leaf.der"), key: good.key.clone() });
    assert!(text.contains("it looks like DER, convert it"), "{text}");
    let damaged = good_chain(&factory).replacen("MII", "MIJ", 1);
    let text = refusal(&with_chain("damaged.pem", &damaged));
    assert!(text.contains("certificate 1 in ") && text.contains("is damaged"), "{text}");

    let text = refusal(&with_key(other.key.clone()));
    assert!(
        text.contains("is not the key of the certificate") && text.contains("CN=sensor-thl-001"),
        "{text}"
    );
    let text = refusal(&with_key({
        let path = factory.path("certificate.key");
        fs::copy(factory.path("sensor-thl-001.pem"), &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }));
    assert!(text.contains("holds no private key") && text.contains("; it holds a certificate"), "{text}");
    let encrypted = converted(
        &factory,
        "encrypted.key",
        &["pkcs8", "-topk8", "-in", "sensor-thl-001.key", "-passout", "pass:secret"],
    );
    let text = refusal(&with_key(encrypted));
    assert!(text.contains("it is encrypted, decrypt it"), "{text}");

    let reversed = factory.pem("intermediate") + &factory.pem("sensor-thl-001");
    let text = refusal(&with_chain("reversed.pem", &reversed));
    assert!(text.contains("out of order: certificate 1") && text.contains("leaf first"), "{text}");

    fs::set_permissions(&good.key, fs::Permissions::from_mode(0o644)).unwrap();
    let text = refusal(&good);
    assert!(text.contains("is open to others (mode 644); run: chmod 600 "), "{text}");
}

fn good_chain(factory: &Factory) -> String {
    factory.pem("sensor-thl-001") + &factory.pem("intermediate")
}

#[test]
fn a_common_name_that_azure_would_not_take_is_refused() {
    let factory = Factory::new();
    factory.ec_key("box");
    let text = refusal(&factory.device_with_key("box", "truck 7", 365));
    assert!(text.contains("the common name of the leaf") && text.contains("' ' is not allowed"), "{text}");
    factory.sign("box", "/O=Cheese", "intermediate", "leaf", 365);
    let text = refusal(&Device { chain: factory.path("box.pem"), key: factory.path("box.key") });
    assert!(text.contains("has no common name (CN)") && text.contains("O=Cheese"), "{text}");
}

#[test]
fn validity_tells_a_wrong_clock_from_a_wrong_certificate() {
    let factory = Factory::new();
    let identity = load(&factory.device("sensor-thl-001")).unwrap();
    let now = system_time();
    assert_eq!(identity.validity(now + TimeDelta::hours(1), TimeSource::Gps), Ok(()));
    let text = |time: DateTime<Utc>| identity.validity(time, TimeSource::Gps).unwrap_err().to_string();
    let late = now + TimeDelta::days(400);
    assert!(text(late).contains("the certificate of sensor-thl-001 expired on "));
    let whose = format!(", and it is {} by GPS; install a new one", late.format("%Y-%m-%d %H:%M UTC"));
    assert!(text(late).ends_with(&whose), "{}", text(late));
    assert!(text(DateTime::UNIX_EPOCH).starts_with("the clock is wrong: it says 1970-01-01 00:00 UTC"));

    let future = Identity { not_before: now + TimeDelta::days(3), ..identity };
    let text = future.validity(now + TimeDelta::hours(1), TimeSource::Kernel).unwrap_err().to_string();
    assert!(text.contains("is valid from ") && text.contains("one of the two is wrong"), "{text}");
}
