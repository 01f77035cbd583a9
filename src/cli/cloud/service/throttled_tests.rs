//! A service that asks to wait, as callers see it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;
use ureq::tls::Certificate;

use super::client::{Call, Client, Service};
use super::connection_string::ConnectionString;
use super::service_error::ServiceError;
use crate::cli::cloud::amqp::HubPlace;

/// A hub that gives these answers, a connection each.
fn hub(answers: &'static [&'static str]) -> Client {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("localhost:{}", listener.local_addr().unwrap().port());
    let config = Arc::new(config);
    std::thread::spawn(move || {
        for answer in answers {
            let (socket, _) = listener.accept().unwrap();
            let mut stream =
                BufReader::new(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), socket));
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                stream.read_line(&mut line).unwrap();
            }
            stream.get_mut().write_all(answer.as_bytes()).unwrap();
            stream.get_mut().conn.send_close_notify();
            let _ = stream.get_mut().flush();
            let _ = stream.read(&mut [0; 64]);
        }
    });
    let connection = ConnectionString { host, policy: "iothubowner".into(), key: b"key1".to_vec() };
    let root = Certificate::from_der(cert.der()).to_owned();
    Client::new(connection, false, Service::Hub, &[root], String::new(), HubPlace::default())
}

const WAIT: &str =
    "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
const WELL: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 8\r\n\r\n{\"a\": 1}";

#[test]
fn who_is_patient_waits_and_calls_again() {
    let hub = hub(&[WAIT, WAIT, WELL]).patient();
    assert_eq!(hub.call(Call::get(&["devices", "x"])).unwrap(), json!({"a": 1}));
    assert!(!hub.is_waiting());
}

#[test]
fn who_is_not_is_told_how_long() {
    let error = hub(&[WAIT]).call(Call::get(&["devices", "x"])).unwrap_err();
    let refusal = error.downcast_ref::<ServiceError>().unwrap();
    assert_eq!((refusal.status, refusal.retry_after), (429, Some(std::time::Duration::ZERO)));
}
