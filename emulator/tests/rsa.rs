//! Clients that take RSA certificates and no others.

use std::sync::Arc;

use crate::common::{Dial, HUB, Lab, event, tls};
use rustls::{
    CipherSuite, ClientConfig, SignatureScheme,
    client::WebPkiServerVerifier,
    crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring},
    pki_types::{CertificateDer, SignatureVerificationAlgorithm, pem::PemObject as _},
    version::{TLS12, TLS13},
};
use tracker_emulator::{Emulator, EventKind};

static ALL: [&dyn SignatureVerificationAlgorithm; 2] =
    [webpki::ring::RSA_PKCS1_2048_8192_SHA256, webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY];
static PKCS1: [&dyn SignatureVerificationAlgorithm; 1] = [webpki::ring::RSA_PKCS1_2048_8192_SHA256];
static PSS: [&dyn SignatureVerificationAlgorithm; 1] = [webpki::ring::RSA_PSS_2048_8192_SHA256_LEGACY_KEY];
static MAPPING: [(SignatureScheme, &[&dyn SignatureVerificationAlgorithm]); 2] =
    [(SignatureScheme::RSA_PSS_SHA256, &PSS), (SignatureScheme::RSA_PKCS1_SHA256, &PKCS1)];

/// The client side of TLS that knows RSA alone, in certificates and in the suites of TLS 1.2.
fn rsa_only(emulator: &Emulator, version: &'static rustls::SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut provider = ring::default_provider();
    provider.signature_verification_algorithms = WebPkiSupportedAlgorithms { all: &ALL, mapping: &MAPPING };
    provider.cipher_suites.retain(|suite| {
        !matches!(
            suite.suite(),
            CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
                | CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
        )
    });
    let provider: Arc<CryptoProvider> = Arc::new(provider);
    let mut roots = rustls::RootCertStore::empty();
    for ca in CertificateDer::pem_slice_iter(emulator.server_ca_pem().as_bytes()) {
        roots.add(ca.expect("a certificate")).expect("a CA certificate");
    }
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(&[version]);
    let config =
        config.expect("a version that ring has").with_webpki_verifier(verifier.build().expect("roots"));
    Arc::new(config.with_no_client_auth())
}

#[tokio::test]
async fn a_client_that_takes_rsa_alone_connects_and_others_go_on_with_ecdsa() {
    let directory = tempfile::tempdir().expect("a directory");
    let start = async || {
        let emulator = Emulator::builder().rsa().state_directory(directory.path()).start().await;
        emulator.expect("it starts")
    };
    let emulator = start().await;
    let trusted = emulator.server_ca_pem();
    assert_eq!(trusted.matches("BEGIN CERTIFICATE").count(), 2, "both authorities");
    emulator.shutdown().await;

    let emulator = start().await;
    assert_eq!(emulator.server_ca_pem(), trusted, "both outlive a restart");
    let reaches = async |emulator: &Emulator, tls: Arc<ClientConfig>| {
        let user_name = Some(format!("{HUB}/nobody/?api-version=2021-04-12"));
        let dial = Dial { client_id: "nobody".into(), user_name, tls, ..Dial::new(emulator, None) };
        matches!(dial.connect().await, Err(rumqttc::ConnectionError::ConnectionRefused(_)))
    };
    for version in [&TLS12, &TLS13] {
        assert!(reaches(&emulator, rsa_only(&emulator, version)).await, "{version:?}");
        assert!(reaches(&emulator, tls(&emulator, None, &[version])).await, "{version:?}");
    }
    emulator.shutdown().await;
    // Without RSA it is not there, and the operator is told what is missing.
    let lab = Lab::start().await;
    let mut events = lab.emulator.events();
    for version in [&TLS12, &TLS13] {
        assert!(!reaches(&lab.emulator, rsa_only(&lab.emulator, version)).await);
        let reason = event(&mut events, |kind| match kind {
            EventKind::HandshakeFailed { reason, .. } => Some(reason.clone()),
            _ => None,
        });
        let reason = reason.await;
        assert!(reason.contains("EmulatorBuilder::rsa"), "{reason}");
    }
}
