//! Identities as factories make them, and the sentences about those that can't be used.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use container_tracker::identity::{Chain, Identity, IdentityError};
use container_tracker::link::tls::{client_config, roots};
use container_tracker::platform::clock::{SystemClock, TimeSource, system_time};
use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use support::openssl::{Device, Factory};
use tracker_certificates::{NotIssued, SignatureError};

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
    assert_eq!(identity.certified_key().unwrap().cert.len(), 2);
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

/// Writes a file readable by its owner alone.
fn write(factory: &Factory, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = factory.path(name);
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn run(factory: &Factory, arguments: &str) {
    factory.openssl(&arguments.split(' ').collect::<Vec<_>>());
}

/// Bytes of a text in UTF-16 with a byte order mark, as Windows' shell writes files.
fn utf16(text: &str) -> Vec<u8> {
    [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

type Form = fn(&str) -> String;

#[test]
fn every_form_of_pem_that_is_clear_is_read_whole() {
    let factory = Factory::new();
    let good = factory.device("sensor-thl-001");
    let [chain, key] = [&good.chain, &good.key].map(|path| fs::read_to_string(path).unwrap());
    let forms: [(&str, Form); 7] = [
        ("a byte order mark", |text| format!("\u{feff}{text}")),
        ("glued", |text| text.replace("-----\n-----BEGIN", "----------BEGIN")),
        ("DOS", |text| text.replace('\n', "\r\n")),
        ("old Macintosh", |text| text.replace('\n', "\r")),
        ("one line", |text| text.replace('\n', " ")),
        ("indented, with words around", |text| format!("subject=me\n  {}bye", text.replace('\n', "\n  "))),
        ("no line feed at the end", |text| text.trim_end().to_owned()),
    ];
    for (name, form) in forms {
        let device = Device {
            chain: write(&factory, "form.pem", form(&chain)),
            key: write(&factory, "form.key", form(&key)),
        };
        let identity = load(&device).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(identity.certified_key().unwrap().cert.len(), 2, "{name}");
    }
    // Labels say little of what is in a block; a certificate and another's key are in the file as well.
    let other = fs::read_to_string(factory.device("other").key).unwrap();
    let mixed = chain + &other + &key.replace("PRIVATE KEY", "EC PRIVATE KEY");
    load(&Device { chain: good.chain, key: write(&factory, "mixed.key", mixed) }).unwrap();
}

#[test]
fn every_form_of_pem_that_is_not_clear_is_named() {
    let factory = Factory::new();
    let good = factory.device("sensor-thl-001");
    let [chain, key] = [&good.chain, &good.key].map(|path| fs::read_to_string(path).unwrap());
    run(
        &factory,
        "pkcs12 -export -in sensor-thl-001.pem -inkey sensor-thl-001.key -passout pass: -out device.pfx",
    );
    run(&factory, "crl2pkcs7 -nocrl -certfile sensor-thl-001.pem -out device.p7b");
    run(&factory, "crl2pkcs7 -nocrl -certfile sensor-thl-001.pem -outform DER -out der.p7b");
    run(&factory, "x509 -in sensor-thl-001.pem -trustout -out trusted.pem");
    run(&factory, "ec -in sensor-thl-001.key -aes128 -passout pass:secret -out encrypted.key");
    let empty = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
    let cut = |text: &str| text[..text.len() - 40].to_owned();
    let of = |name: &str| fs::read(factory.path(name)).unwrap();
    let chains: [(Vec<u8>, &str); 9] = [
        (
            chain.replace('\n', "\\n").into(),
            "its line feeds are written as \\n, two characters each; mend it: printf",
        ),
        (utf16(&chain), "it is written in UTF-16; convert it: iconv"),
        (empty.into(), "the block CERTIFICATE in line 1 is empty"),
        (cut(&chain).into(), "the block CERTIFICATE that begins in line 12 has no end"),
        (
            chain.replacen("-----BEGIN CERTIFICATE-----", "", 1).into(),
            "a block ends in line 11 that does not begin",
        ),
        (of("device.pfx"), "it is PKCS#12 (.pfx, .p12), convert it: openssl pkcs12 -nodes"),
        (of("device.p7b"), "it is PKCS#7, convert it: openssl pkcs7 -print_certs"),
        (of("der.p7b"), "it is PKCS#7 (.p7b), convert it: openssl pkcs7 -inform DER"),
        (of("trusted.pem"), "TRUSTED CERTIFICATE in line 1 is OpenSSL's own form; convert it: openssl x509"),
    ];
    for (content, sentence) in chains {
        let lines = good_chain(&factory).lines().position(|line| line.starts_with("-----END")).unwrap() + 1;
        let sentence = sentence.replace("line 12", &format!("line {}", lines + 1));
        let sentence = sentence.replace("line 11", &format!("line {lines}"));
        let device = Device { chain: write(&factory, "form.pem", content), key: good.key.clone() };
        let text = refusal(&device);
        assert!(text.contains(&sentence) && text.contains("form.pem"), "{sentence}: {text}");
    }
    let keys: [(Vec<u8>, &str); 6] = [
        (key.replace('\n', "\\n").into(), "its line feeds are written as \\n"),
        (utf16(&key), "it is written in UTF-16"),
        (cut(&key).into(), "the block PRIVATE KEY that begins in line 1 has no end"),
        (key.replacen('M', "*", 1).into(), "the block PRIVATE KEY that begins in line 1 is damaged"),
        (of("encrypted.key"), "; it is encrypted, decrypt it: openssl pkey"),
        (of("device.pfx"), "it is PKCS#12"),
    ];
    for (content, sentence) in keys {
        let text = refusal(&Device { chain: good.chain.clone(), key: write(&factory, "form.key", content) });
        assert!(text.contains(sentence) && text.contains("form.key"), "{sentence}: {text}");
        assert!(!text.contains("it holds a private key"), "{text}");
    }
}

#[test]
fn root_certificates_are_read_by_the_same_rules() {
    let factory = Factory::new();
    let [root, intermediate] = ["root", "intermediate"].map(|name| factory.pem(name));
    let found = |content: &[u8]| {
        let roots = roots(Some(&write(&factory, "roots.pem", content)));
        roots.map(|roots| roots.len()).map_err(|error| error.to_string())
    };
    let glued = format!("\u{feff}{}{intermediate}", root.trim_end());
    assert_eq!(found(glued.as_bytes()), Ok(2));
    let key = fs::read_to_string(factory.path("root.key")).unwrap();
    for (content, sentence) in [
        (root.replace('\n', "\\n"), "as PEM: its line feeds are written as \\n"),
        (
            key.clone(),
            "has no root certificate to check servers against; it holds a private key; connection.roots",
        ),
        (
            String::new(),
            "has no root certificate to check servers against; the file is empty; connection.roots",
        ),
        (root.clone() + &root[..200], "has no end"),
    ] {
        let error = found(content.as_bytes()).unwrap_err();
        assert!(error.contains(sentence) && error.contains("roots.pem"), "{error}");
    }
}

/// Keys as other tools write them, with OpenSSL standing in for those.
#[test]
fn keys_that_the_library_does_not_read_are_brought_into_its_form() {
    let factory = Factory::new();
    for curve in ["P-256", "P-384"] {
        run(&factory, &format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out box.key"));
        run(&factory, "ec -in box.key -no_public -out bare.key");
        run(&factory, "ec -in box.key -conv_form compressed -out compressed.key");
        run(&factory, "pkcs8 -topk8 -nocrypt -in compressed.key -out compressed.p8");
        for name in ["bare.key", "compressed.key", "compressed.p8"] {
            fs::set_permissions(factory.path(name), fs::Permissions::from_mode(0o600)).unwrap();
        }
        let device = factory.device_with_key("box", "box", 365);
        let with = |key: &str| Device { chain: device.chain.clone(), key: factory.path(key) };
        load(&with("bare.key")).unwrap();
        load(&with("compressed.key")).unwrap();
        load(&with("compressed.p8")).unwrap();
        // The same point in another form is the same key.
        let compressed = factory.device_with_key("compressed", "box", 365);
        load(&Device { chain: compressed.chain.clone(), key: factory.path("box.key") }).unwrap();
        let text = refusal(&Device { chain: compressed.chain, key: factory.path("bare.key") });
        assert!(
            text.contains("its public half is missing or compressed; mend it: openssl ec -in FILE"),
            "{text}"
        );
        // Another's key without its public half is still another's.
        run(&factory, &format!("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:{curve} -out other.key"));
        let other = factory.device_with_key("other", "other", 365);
        let text = refusal(&Device { chain: other.chain, key: factory.path("bare.key") });
        assert!(text.contains("is not the key of the certificate"), "{text}");
    }
}

#[test]
fn keys_that_can_not_be_used_are_named_with_what_to_do() {
    let factory = Factory::new();
    let good = factory.device("sensor-thl-001");
    for (arguments, sentence) in [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024", "it is an RSA key of 1024 bits, and 2048"),
        (
            "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_keygen_pubexp:3",
            "its public exponent is too small or too large, 65537 is the usual one; make a new key",
        ),
        (
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521",
            "it is a key of the kind P-521, and EC P-256, EC P-384 and RSA can be used; make a new",
        ),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:secp256k1", "it is a key of the kind secp256k1"),
        ("genpkey -algorithm ED448", "it is a key of the kind Ed448"),
        ("genpkey -algorithm X25519", "it is a key of the kind X25519"),
        (
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -pkeyopt ec_param_enc:explicit",
            "written out in parameters in place of its name; mend it: openssl ec -in FILE -param_enc named_curve",
        ),
    ] {
        let key = converted(&factory, "odd.key", &arguments.split(' ').collect::<Vec<_>>());
        let text = refusal(&Device { chain: good.chain.clone(), key });
        assert!(text.contains(sentence), "{text}");
    }
    // The command that is named mends it.
    run(&factory, "ec -in odd.key -param_enc named_curve -out mended.key");
    fs::set_permissions(factory.path("mended.key"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::rename(factory.path("mended.key"), factory.path("box.key")).unwrap();
    load(&factory.device_with_key("box", "box", 365)).unwrap();
}

/// As a CA does that writes its own name as `PrintableString` into certificates, and has it as `UTF8String`.
#[test]
fn names_are_compared_by_what_they_mean() {
    let factory = Factory::new();
    factory.ec_key("ca");
    let config = |mask: &str, name: &str| {
        let extensions = "basicConstraints=critical,CA:TRUE";
        let text = format!(
            "[req]\ndistinguished_name=dn\nprompt=no\nstring_mask={mask}\nx509_extensions=ca\n[dn]\nO=Agent\nCN={name}\n[ca]\n{extensions}\n"
        );
        fs::write(factory.path("names.cnf"), text).unwrap();
    };
    config("MASK:0x2", "Agent I");
    run(&factory, "req -x509 -new -config names.cnf -key ca.key -days 30 -out ca.pem");
    let device = {
        factory.ec_key("box");
        factory.sign("box", "/CN=box", "ca", "leaf", 30);
        |ca: &str| {
            let chain = factory.pem("box") + &factory.pem(ca);
            Device { chain: write(&factory, "box-chain.pem", chain), key: factory.path("box.key") }
        }
    };
    for (mask, name) in [
        ("utf8only", "Agent I"),
        ("utf8only", "AGENT  i"),
        ("MASK:0x800", "agent I"),
        ("MASK:0x4", "Agent I"),
    ] {
        config(mask, name);
        run(&factory, "req -x509 -new -config names.cnf -key ca.key -days 30 -out same.pem");
        load(&device("same")).unwrap_or_else(|error| panic!("{mask} {name}: {error}"));
    }
    config("utf8only", "AgentI");
    run(&factory, "req -x509 -new -config names.cnf -key ca.key -days 30 -out other.pem");
    let text = refusal(&device("other"));
    assert!(
        text.contains("was issued by O=Agent, CN=Agent I, but certificate 2 is O=Agent, CN=AgentI;"),
        "{text}"
    );
}

#[test]
fn a_long_serial_number_is_named_for_what_it_is() {
    let factory = Factory::new();
    factory.device("sensor-thl-001");
    let with_serial = |bytes: usize| {
        let serial = format!("0x7f{}", "11".repeat(bytes - 1));
        run(
            &factory,
            &format!(
                "x509 -req -in sensor-thl-001.csr -CA intermediate.pem -CAkey intermediate.key -set_serial {serial} -days 30 -out long.pem"
            ),
        );
        Device { chain: factory.path("long.pem"), key: factory.path("sensor-thl-001.key") }
    };
    load(&with_serial(20)).unwrap();
    load(&with_serial(21)).unwrap();
    let text = refusal(&with_serial(22));
    assert!(text.contains("certificate 1 in ") && text.contains("has a serial number of 22 bytes"), "{text}");
    assert!(text.contains("have it issued anew"), "{text}");
}

/// `rustls` refuses such a leaf of one's own where it is asked to hold it, and not where a resolver shows it. Which leafs are
/// good is the other side's to say.
#[test]
fn a_leaf_that_the_tls_library_does_not_know_in_full_is_shown_all_the_same() {
    let factory = Factory::new();
    factory.device("sensor-thl-001");
    fs::write(factory.path("odd.ext"), "1.3.6.1.4.1.55555.1=critical,ASN1:NULL\n").unwrap();
    run(
        &factory,
        "x509 -req -in sensor-thl-001.csr -CA intermediate.pem -CAkey intermediate.key -days 30 -extfile odd.ext -out odd.pem",
    );
    let device = Device { chain: factory.path("odd.pem"), key: factory.path("sensor-thl-001.key") };
    let identity = load(&device).unwrap();
    let trusted = roots(Some(&factory.path("root.pem"))).unwrap();
    let clock = Arc::new(SystemClock::new(true));
    client_config(trusted.clone(), &identity, clock).unwrap();

    let chain = identity.certified_key().unwrap().cert.clone();
    let key = PrivateKeyDer::from_pem_slice(&fs::read(&device.key).unwrap()).unwrap();
    let held = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(trusted)
        .with_client_auth_cert(chain, key);
    assert!(held.is_err(), "the library has learnt it: the resolver and its row in docs/libraries.md may go");
}

#[test]
fn signatures_are_checked_along_a_chain() {
    let factory = Factory::new();
    factory.device("sensor-thl-001");
    let why = |parts: &[&str]| {
        let chain = parts.iter().map(|part| factory.pem(part)).collect::<String>();
        Chain::read(&write(&factory, "chain.pem", chain)).unwrap().check_signatures()
    };
    assert_eq!(why(&["sensor-thl-001", "intermediate", "root"]), Ok(()));

    factory.ec_key("namesake");
    factory.sign("namesake", "/O=Cheese/CN=Cheese Intermediate CA", "root", "ca", 365);
    let wrong = Err((1, NotIssued::Signature(SignatureError::Wrong)));
    assert_eq!(why(&["sensor-thl-001", "namesake", "root"]), wrong);

    // What is above is judged too.
    factory.ec_key("other-root");
    factory.sign("other-root", "/O=Cheese/CN=Cheese Root CA", "root", "ca", 365);
    let wrong = Err((2, NotIssued::Signature(SignatureError::Wrong)));
    assert_eq!(why(&["sensor-thl-001", "intermediate", "other-root"]), wrong);

    factory.sign("namesake", "/O=Cheese/CN=Cheese Intermediate CA", "root", "leaf", 365);
    assert_eq!(why(&["sensor-thl-001", "namesake"]), Err((1, NotIssued::NoAuthority)));
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
