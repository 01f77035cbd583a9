//! A device and what its hub receives: a real journal, real messages, and simulated time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use ring::digest::{SHA256, digest};
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};
use tracker_protocol::hub::DeviceTopic;

use super::super::input::{Received, read};
use super::super::record::Record;
use super::super::signatures::Roots;
use super::super::verdict::Verdict;
use crate::config::DeliveryMode;
use crate::event::Events;
use crate::event_message::{EventMessage, When};
use crate::journal::{Bundle, Entry, Journal, JournalOptions, Lease};
use crate::reading::{Reading, Stamp};
use crate::trip::{Limits, Terms};
use crate::uplink::delivery;
use tracker_evidence::{PROPERTY, Statement, base64, to_sign};

pub(super) const DEVICE: &str = "sensor-thl-001";
pub(super) const COMPACT: DeliveryMode =
    DeliveryMode { batch_backlog: true, gzip: true, full_properties: false, compact: true };
pub(super) const GZIP: DeliveryMode = DeliveryMode { compact: false, ..COMPACT };
pub(super) const PLAIN: DeliveryMode = DeliveryMode { gzip: false, ..GZIP };
pub(super) const SINGLE: DeliveryMode = DeliveryMode { batch_backlog: false, ..PLAIN };

/// Whoever can sign.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
    chain: Vec<Vec<u8>>,
    pub(super) thumbprint: String,
}

/// A CA, of which devices have their certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn roots(&self) -> Roots {
        Roots::of(vec![CertificateDer::from(self.0.der().to_vec())])
    }

    pub(crate) fn signer(&self, name: &str) -> Signer {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        let leaf = params.signed_by(&key, &self.0).unwrap().der().to_vec();
        let random = ring::rand::SystemRandom::new();
        let key =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der(), &random).unwrap();
        let thumbprint = digest(&SHA256, &leaf).as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Signer { key, chain: vec![leaf, self.0.der().to_vec()], thumbprint }
    }
}

impl Signer {
    pub(super) fn leaf(&self) -> Vec<u8> {
        self.chain[0].clone()
    }

    pub(crate) fn certificate(&self) -> Statement {
        Statement::certificate(&self.thumbprint, self.chain.iter().map(Vec::as_slice))
    }

    pub(crate) fn signature(&self, up_to: u64, head: tracker_evidence::Hash) -> Statement {
        let message = to_sign(up_to, head, &self.thumbprint);
        let random = ring::rand::SystemRandom::new();
        let signature = self.key.sign(&random, message.as_bytes()).unwrap();
        Statement::Signature {
            up_to,
            head,
            certificate: self.thumbprint.clone(),
            scheme: "ECDSA_NISTP256_SHA256".into(),
            signature: base64::encode(signature.as_ref()),
        }
    }
}

/// A device that measures every minute of simulated time.
pub(super) struct Scene {
    directory: tempfile::TempDir,
    journal: Option<Arc<Journal>>,
    size_bound: u64,
    boot: u32,
    pub(super) now: DateTime<Utc>,
    booted: DateTime<Utc>,
    pub(super) knows_time: bool,
    n: u32,
    /// Every seventh reading comes with an event.
    pub(super) tells: bool,
    pub(super) lines: Vec<String>,
}

pub(super) fn terms() -> Terms {
    let bounds =
        [("temperature".to_owned(), Limits { low: Some(2.0), high: Some(8.0), ..Limits::default() })];
    Terms { by: "provisioning".into(), gap_after: 900, bounds: bounds.into(), ..Terms::default() }
}

impl Scene {
    pub(super) fn new(size_bound: u64) -> Self {
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
        let mut scene = Self {
            directory: tempfile::tempdir().unwrap(),
            journal: None,
            size_bound,
            boot: 0,
            now,
            booted: now,
            knows_time: true,
            n: 0,
            tells: false,
            lines: Vec::new(),
        };
        scene.start(true);
        scene
    }

    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn journal(&self) -> &Arc<Journal> {
        self.journal.as_ref().unwrap()
    }

    fn options(&self) -> JournalOptions {
        JournalOptions {
            directory: self.directory.path().into(),
            size_bound: self.size_bound,
            waiting_room: Some(self.directory.path().join("room")),
            boot: format!("boot-{}", self.boot),
        }
    }

    pub(super) fn start(&mut self, evidence: bool) {
        let journal = Arc::new(Journal::open(self.options(), Events::log(DEVICE)).unwrap());
        assert!(journal.set_evidence(evidence.then(terms)));
        self.journal = Some(journal);
    }

    pub(super) fn stamp(&self) -> Stamp {
        let monotonic = (self.now - self.booted).to_std().unwrap();
        Stamp { utc: self.knows_time.then_some(self.now), monotonic }
    }

    /// The agent ends; what others need who open its journal.
    pub(super) async fn leave(&mut self) -> (JournalOptions, Stamp) {
        self.journal().close().await;
        self.journal = None;
        std::thread::sleep(Duration::from_millis(50));
        (self.options(), self.stamp())
    }

    /// The machine starts anew, in good order or not.
    pub(super) async fn reboot(&mut self, in_good_order: bool) {
        if in_good_order {
            self.journal().close().await;
        } else {
            self.journal().commit().await;
        }
        self.journal = None;
        // The thread has let go of its file.
        std::thread::sleep(Duration::from_millis(50));
        (self.boot, self.booted) = (self.boot + 1, self.now);
        self.start(true);
    }

    pub(super) fn measure(&mut self, times: u32) {
        for _ in 0..times {
            self.now += TimeDelta::seconds(60);
            self.n += 1;
            let n = self.n;
            let mut fields = json!({
                "temperature": (f64::from(n) / 9.0).sin() * 6.0 + 5.0, "humidity": f64::from(n % 90) + 0.25, "fix": "gps",
                "location": {"lat": 52.0 + f64::from(n) / 1e3, "lon": 4.0, "alt": -0.5}, "door": "closed", "doorOpenings": n / 50,
            });
            fields["temperature"] =
                ((fields["temperature"].as_f64().unwrap() * 100.0).round() / 100.0).into();
            let alerts = if n.is_multiple_of(40) { vec!["temperatureHigh".to_owned()] } else { Vec::new() };
            let stamp = self.stamp();
            let reading = Reading { stamp, fields: fields.to_string(), alerts };
            if self.tells && n.is_multiple_of(7) {
                let fields = json!({"alarm": "cargo", "state": "raised", "limit": 8.0, "extreme": fields["temperature"]});
                let mut event = EventMessage::new("alarm", "cargo", "raised", fields.to_string());
                event.moment("begin", When::Ago(90_000));
                let bundle =
                    Bundle { stamp, events: vec![event], reading: Some(reading), states: Vec::new() };
                self.journal().append_bundle(bundle);
            } else {
                self.journal().append(reading);
            }
        }
    }

    pub(super) fn state(&self, statement: &Statement) {
        let reading = Reading { stamp: self.stamp(), fields: statement.to_fields(), alerts: Vec::new() };
        self.journal().append(reading);
    }

    pub(super) async fn sign(&mut self, signer: &Signer) {
        let (up_to, head) = self.journal().head().await.unwrap();
        self.state(&signer.signature(up_to, head));
    }

    /// What waits goes out, so many readings at a time at the most; every third message comes twice.
    pub(super) async fn deliver(&mut self, mode: DeliveryMode, limit: usize) {
        loop {
            let lease: Lease = self.journal().lease(limit, self.stamp()).await;
            if lease.is_empty() {
                return;
            }
            for delivery::Message { seqs, publish } in delivery::messages(lease, DEVICE, mode) {
                let line = line(&publish.topic, &publish.payload);
                if self.lines.len().is_multiple_of(3) {
                    self.lines.push(line.clone());
                }
                self.lines.push(line);
                self.journal().acknowledge(seqs).unwrap();
            }
        }
    }

    /// Everything taken, as the hub would get it, one reading a message.
    pub(super) async fn entries(&self) -> Vec<Entry> {
        let lease = self.journal().lease(100_000, self.stamp()).await;
        let mut entries: Vec<Entry> = lease.newest.into_iter().chain(lease.backlog).collect();
        self.journal().release().await;
        entries.sort_by_key(|entry| entry.seq);
        entries
    }
}

/// A message as `cloud monitor` prints it.
pub(super) fn line(topic: &str, payload: &[u8]) -> String {
    let DeviceTopic::Telemetry { device_id, properties } = topic.parse().unwrap() else { panic!("{topic}") };
    let mut message = json!({"deviceId": device_id, "properties": {}});
    if let Some(chain) = properties.get(PROPERTY) {
        message["properties"][PROPERTY] = chain.into();
    }
    match serde_json::from_slice::<Value>(payload) {
        Ok(body) => message["body"] = body,
        Err(_) => {
            use ::base64::Engine as _;
            message["bodyBase64"] = ::base64::engine::general_purpose::STANDARD.encode(payload).into();
        }
    }
    message.to_string()
}

/// What verify makes of lines.
pub(super) fn verdict(lines: &[String], roots: Option<&Roots>) -> Verdict {
    of_messages(read(&lines.join("\n")).unwrap(), roots)
}

pub(super) fn of_messages(messages: Vec<Received>, roots: Option<&Roots>) -> Verdict {
    let mut record = Record::default();
    for message in messages {
        record.add(message);
    }
    Verdict::of(DEVICE, &record, roots)
}
