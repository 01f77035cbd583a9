//! `pki show`: what is in a file, and what Azure would say of it. Of keys the kind alone, of nothing a secret.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};
use tracker_certificates::{Document, Fields, Key, Name, Request, issued_by, same_name};
use tracker_protocol::{printable, printable_json};
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::BitStringRef;
use x509_cert::ext::pkix::ExtendedKeyUsage;

use super::authority::now;
use super::rules::{Role, broken, is_known_key};
use crate::platform::plain_file;
use crate::platform::stdout::line;

/// Chains and lists of CAs are smaller.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Bits of the key usage, from the left.
const USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

const PURPOSES: [(&str, &str); 5] = [
    ("1.3.6.1.5.5.7.3.1", "serverAuth"),
    ("1.3.6.1.5.5.7.3.2", "clientAuth"),
    ("1.3.6.1.5.5.7.3.3", "codeSigning"),
    ("1.3.6.1.5.5.7.3.4", "emailProtection"),
    ("2.5.29.37.0", "any"),
];

#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// PEM or DER.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Print one JSON object a file.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ShowArgs) -> anyhow::Result<ExitCode> {
    for (index, path) in args.files.iter().enumerate() {
        let items = items(path).with_context(|| path.display().to_string())?;
        if args.json {
            line(&printable_json(json!({ "file": path.to_string_lossy(), "items": items })));
            continue;
        }
        if index > 0 {
            line("");
        }
        line(&printable(format!("{}: {}", path.display(), of(items.len()))));
        for item in &items {
            for text in text(item).lines() {
                line(&printable(text));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn of(count: usize) -> String {
    if count == 1 { "one block".into() } else { format!("{count} blocks") }
}

/// Each thing in a file.
fn items(path: &Path) -> anyhow::Result<Vec<Value>> {
    let bytes = plain_file::read(path, LARGEST).context("it can't be read")?;
    let now = now()?;
    // The tag of a DER sequence.
    if bytes.first() == Some(&0x30) {
        if Fields::read(&bytes).is_ok() {
            return Ok(vec![certificate(&bytes, None, now)?]);
        }
        if let Ok(request) = Request::read(&bytes) {
            return Ok(vec![self::request(&request)]);
        }
        if let Ok(key) = Key::read(&bytes, &[]) {
            return Ok(vec![self::key(&key)]);
        }
    }
    let document = Document::read(&bytes)?;
    let labels: Vec<_> = document.labels().collect();
    if labels.is_empty() && document.instead().contains("PKCS#12") {
        let what =
            "PFX file (PKCS#12), under a password; more of it: openssl pkcs12 -info -noenc -nokeys -in FILE";
        return Ok(vec![json!({ "what": what })]);
    }
    if labels.is_empty() {
        bail!("there is no certificate, no request and no key in it{}", document.instead());
    }
    let (certificates, requests, keys) = (document.certificates()?, document.requests()?, document.keys()?);
    let known = certificates.len() + requests.len() + keys.len();
    let mut items = Vec::new();
    for (index, der) in certificates.iter().enumerate() {
        let position = index + 1;
        let item = certificate(der, certificates.get(position).map(|next| &**next), now);
        items.push(item.with_context(|| format!("certificate {position}"))?);
    }
    for der in &requests {
        items.push(request(&Request::read(der)?));
    }
    for der in &keys {
        items.push(
            match Key::read(
                der,
                certificates
                    .first()
                    .map_or(&[], |leaf| Fields::read(leaf).map_or(&[][..], |leaf| leaf.public_key_info)),
            ) {
                Ok(key) => self::key(&key),
                Err(why) => json!({ "what": "private key", "problems": [why.to_string()] }),
            },
        );
    }
    if known < labels.len() {
        let others: Vec<_> = labels.iter().filter(|label| !is_read(label)).collect();
        items.extend(others.into_iter().map(|label| json!({ "what": label.to_lowercase() })));
    }
    Ok(items)
}

fn is_read(label: &str) -> bool {
    matches!(
        label,
        "CERTIFICATE"
            | "X509 CERTIFICATE"
            | "CERTIFICATE REQUEST"
            | "NEW CERTIFICATE REQUEST"
            | "PRIVATE KEY"
            | "EC PRIVATE KEY"
            | "RSA PRIVATE KEY"
    )
}

fn certificate(der: &[u8], next: Option<&[u8]>, now: DateTime<Utc>) -> anyhow::Result<Value> {
    let fields = Fields::read(der)?;
    let is_ca = matches!(fields.says_ca(), Ok(Some(true)));
    let time = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or_default();
    let stamp = |seconds| time(seconds).to_rfc3339_opts(SecondsFormat::Secs, true);
    let role = if is_ca { Role::Authority } else { Role::Device };
    let issuer = match next.map(Fields::read) {
        None => None,
        Some(Err(_)) => Some("the next certificate can't be read".to_owned()),
        Some(Ok(next)) => Some(match issued_by(&fields, &next, 0) {
            Ok(()) => "issued by the next one, whose signature it carries".to_owned(),
            Err(why) => format!("not issued by the next one: {why}"),
        }),
    };
    let self_signed = same_name(fields.subject, fields.issuer);
    Ok(json!({
        "what": if is_ca { if self_signed { "root CA" } else { "CA" } } else { "certificate" },
        "subject": name(fields.subject),
        "issuer": name(fields.issuer),
        "selfSigned": self_signed,
        "serialNumber": hex(fields.serial),
        "notBefore": stamp(fields.not_before),
        "notAfter": stamp(fields.not_after),
        "daysLeft": (time(fields.not_after) - now).num_days(),
        "key": kind(fields.kind(), fields.rsa_bits()),
        "keyUsage": usages(&fields),
        "extendedKeyUsage": purposes(&fields),
        "subjectKeyIdentifier": fields.subject_key_identifier().ok().flatten().map(hex),
        "sha256": hex(digest(&SHA256, der).as_ref()),
        "sha1": hex(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref()),
        "chain": issuer,
        "problems": broken(&fields, role, now).iter().map(|what| format!("Azure refuses {what}")).collect::<Vec<_>>(),
    }))
}

fn request(request: &Request<'_>) -> Value {
    let mut problems = Vec::new();
    if let Err(why) = request.verify() {
        problems.push(why.to_string());
    }
    if !is_known_key(request.kind()) {
        problems.push("Azure refuses a key of another kind than EC P-256, EC P-384 and RSA".into());
    }
    match request.asks_for_ca() {
        Ok(false) => {}
        Ok(true) => problems.push("it asks for the certificate of a CA".into()),
        Err(why) => problems.push(why.to_string()),
    }
    json!({
        "what": "request",
        "subject": name(request.subject),
        "key": kind(request.kind(), request.rsa_bits()),
        "problems": problems,
    })
}

fn key(key: &Key) -> Value {
    let signer = rustls::crypto::ring::sign::any_supported_type(&key.der).ok();
    let public = signer.as_ref().and_then(|signer| signer.public_key());
    // A certificate's reader knows the kinds of keys, and this is none.
    let kind = match signer.as_ref().map(|signer| signer.algorithm()) {
        Some(rustls::SignatureAlgorithm::RSA) => "RSA",
        Some(rustls::SignatureAlgorithm::ECDSA) if public.as_ref().is_some_and(|key| key.len() > 100) => {
            "EC P-384"
        }
        Some(rustls::SignatureAlgorithm::ECDSA) => "EC P-256",
        Some(rustls::SignatureAlgorithm::ED25519) => "Ed25519",
        _ => "of an unknown kind",
    };
    json!({ "what": "private key", "key": kind, "publicKeySha256": public.map(|key| hex(digest(&SHA256, &key).as_ref())) })
}

fn name(der: &[u8]) -> String {
    Name::read(der).ok().and_then(|name| name.text(&[])).unwrap_or_else(|| "a name that is no text".into())
}

fn kind(kind: &str, rsa_bits: Option<usize>) -> String {
    match (kind, rsa_bits) {
        (_, Some(bits)) => format!("RSA {bits}"),
        ("", None) => "of an unknown kind".into(),
        (kind, None) if kind.starts_with("P-") => format!("EC {kind}"),
        (kind, None) => kind.into(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn usages(fields: &Fields<'_>) -> Option<Vec<&'static str>> {
    let value = fields.extension_value("2.5.29.15").ok()??;
    let bits = BitStringRef::from_der(value).ok()?.raw_bytes();
    let is_set = |index: usize| bits.get(index / 8).is_some_and(|byte| byte & (0x80 >> (index % 8)) != 0);
    Some(USAGES.iter().enumerate().filter(|(index, _)| is_set(*index)).map(|(_, name)| *name).collect())
}

fn purposes(fields: &Fields<'_>) -> Option<Vec<String>> {
    let value = fields.extension_value("2.5.29.37").ok()??;
    let usage = ExtendedKeyUsage::from_der(value).ok()?;
    let name =
        |id: String| PURPOSES.iter().find(|(of, _)| *of == id).map_or(id, |(_, name)| (*name).to_owned());
    Some(usage.0.iter().map(|id| name(id.to_string())).collect())
}

/// What is shown of an item, as a person reads it.
fn text(item: &Value) -> String {
    const ROWS: [(&str, &str); 13] = [
        ("subject", "subject"),
        ("issuer", "issuer"),
        ("serialNumber", "serial number"),
        ("notBefore", "from"),
        ("notAfter", "until"),
        ("daysLeft", "days left"),
        ("key", "key"),
        ("keyUsage", "key usage"),
        ("extendedKeyUsage", "purposes"),
        ("subjectKeyIdentifier", "key identifier"),
        ("sha256", "SHA-256"),
        ("sha1", "SHA-1"),
        ("chain", "chain"),
    ];
    let mut text = format!("{}\n", item["what"].as_str().unwrap_or_default());
    for (member, label) in ROWS {
        let value = match &item[member] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
            other => other.to_string(),
        };
        let _ = writeln!(text, "  {label:<15} {value}");
    }
    for problem in item["problems"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        let _ = writeln!(text, "  ! {problem}");
    }
    text
}
