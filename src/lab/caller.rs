//! Calls of the emulator over HTTPS by somebody who is no service: a device with its certificate, or whoever has a signature.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tracker_emulator::Emulator;
use ureq::http::{Request, Response};
use ureq::tls::{Certificate, ClientCert, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};
use ureq::{Agent, Body};

use crate::platform::user_agent::user_agent;

const API_VERSION: &str = "2021-04-12";
const PATIENCE: Duration = Duration::from_mins(1);
/// More is read of no answer.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Who calls.
pub(crate) struct Caller {
    agent: Agent,
    /// With its port.
    host: String,
}

impl Caller {
    /// The device whose `device.pem` and `device.key` are in this directory.
    pub(crate) fn device(emulator: &Emulator, directory: &Path) -> anyhow::Result<Self> {
        let mut certificates = Vec::new();
        let mut key = None;
        for name in ["device.pem", "device.key"] {
            let path = directory.join(name);
            let pem = std::fs::read(&path).with_context(|| format!("can't read {}", path.display()))?;
            for item in parse_pem(&pem) {
                match item.with_context(|| format!("{} is not PEM", path.display()))? {
                    PemItem::Certificate(certificate) => certificates.push(certificate),
                    PemItem::PrivateKey(found) => key = Some(found),
                    _ => {}
                }
            }
        }
        let key = key.with_context(|| format!("there is no key in {}", directory.display()))?;
        Self::new(emulator, Some(ClientCert::new_with_certs(&certificates, key)))
    }

    /// Somebody who shows nothing.
    pub(crate) fn nobody(emulator: &Emulator) -> anyhow::Result<Self> {
        Self::new(emulator, None)
    }

    fn new(emulator: &Emulator, client: Option<ClientCert>) -> anyhow::Result<Self> {
        let address = emulator.service_address().context("the emulator has no port for services")?;
        let ca = emulator.server_ca_pem();
        let root = Certificate::from_pem(ca.as_bytes()).context("the emulator's authority is unreadable")?;
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&[root]))
            .client_cert(client)
            .build();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .https_only(true)
            .proxy(None)
            .user_agent(user_agent())
            .timeout_global(Some(PATIENCE))
            .tls_config(tls)
            .build()
            .new_agent();
        Ok(Self { agent, host: format!("localhost:{}", address.port()) })
    }

    /// A call of a hub's device API: JSON there, and JSON back, or null.
    pub(crate) fn json(&self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let (status, answer) = self.answer(method, path, None, body)?;
        if !(200..300).contains(&status) {
            let text: String = answer.to_string().chars().take(300).collect();
            bail!("{path} is refused with {status}: {text}");
        }
        Ok(answer)
    }

    /// The same, refusals included: the status, and JSON or null. `token` says who calls.
    pub(crate) fn answer(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        self.answer_with(method, path, token, &[], body)
    }

    /// The same with headers.
    pub(crate) fn answer_with(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> anyhow::Result<(u16, Value)> {
        let uri = format!("https://{}{path}?api-version={API_VERSION}", self.host);
        let mut request =
            Request::builder().method(method).uri(uri).header("content-type", "application/json");
        let token = token.map(|token| ("authorization", token));
        for (name, value) in headers.iter().copied().chain(token) {
            request = request.header(name, value);
        }
        let answered = if body.is_null() {
            self.agent.run(request.body(())?)
        } else {
            self.agent.run(request.body(body.to_string())?)
        };
        let mut answer = answered.with_context(|| format!("can't call {path} at {}", self.host))?;
        let text = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
        let text = text.with_context(|| format!("the answer of {path} was cut off"))?;
        let status = answer.status().as_u16();
        if text.is_empty() {
            return Ok((status, Value::Null));
        }
        let json = serde_json::from_slice(&text);
        // A refusal may say in words what is wrong.
        match json {
            Ok(json) => Ok((status, json)),
            Err(_) if status >= 400 => Ok((status, String::from_utf8_lossy(&text).into_owned().into())),
            Err(error) => Err(error).with_context(|| format!("{path} did not answer with JSON")),
        }
    }

    /// Writes a blob. The path ends with a signature.
    pub(crate) fn put_blob(&self, path: &str, content: &[u8]) -> anyhow::Result<()> {
        let uri = format!("https://{}{path}", self.host);
        let request =
            Request::builder().method("PUT").uri(uri).header("x-ms-blob-type", "BlockBlob").body(content)?;
        self.done(self.agent.run(request), path).map(drop)
    }

    /// What is there. The path may end with a signature.
    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let request = Request::builder().uri(format!("https://{}{path}", self.host)).body(())?;
        self.done(self.agent.run(request), path)
    }

    fn done(&self, answered: Result<Response<Body>, ureq::Error>, path: &str) -> anyhow::Result<Vec<u8>> {
        // What follows may be a signature, and is nobody's business.
        let path = path.split('?').next().unwrap_or_default();
        let mut answer = answered.with_context(|| format!("can't call {path} at {}", self.host))?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(LARGEST).read_to_vec();
        let body = body.with_context(|| format!("the answer of {path} was cut off"))?;
        if !status.is_success() {
            bail!(
                "{path} is refused with {status}: {}",
                String::from_utf8_lossy(&body[..body.len().min(300)])
            );
        }
        Ok(body)
    }
}
