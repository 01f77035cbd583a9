//! InfluxDB: line protocol over HTTP, for 1.x and the compatible route of 2.x. Points that come twice are the same point there.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tracker_protocol::printable;
use ureq::http::{Response, Uri};
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};
use ureq::{Agent, Body};

use super::credentials::Credentials;
use super::options::ForwardCommand;
use super::sink::{Item, Sink, Trouble};
use super::trust::roots;
use crate::cli::cloud::amqp::Telemetry;
use crate::cli::cloud::readings::{Row, said};
use crate::cli::cloud::telemetry::{LineProtocol, put_alarm};
use crate::platform::stderr::tell;
use crate::platform::user_agent::user_agent;

/// For an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Of an answer that says why not.
const LONGEST_ANSWER: u64 = 64 * 1024;

/// An InfluxDB.
pub(super) struct Influx {
    agent: Agent,
    name: String,
    authorization: Option<String>,
    lines: LineProtocol,
    /// Lines that are sent at once; fewer where the server says that it is too much.
    most: usize,
}

impl Influx {
    pub(super) fn new(
        command: &ForwardCommand,
        uri: &Uri,
        credentials: Option<Credentials>,
    ) -> anyhow::Result<Self> {
        let query = uri.query().unwrap_or_default();
        if !uri.path().ends_with("/write")
            || !query.split('&').any(|pair| pair.starts_with("db=") && pair.len() > 3)
        {
            bail!(
                "--to {}: InfluxDB takes readings at http://HOST:8086/write?db=NAME",
                printable(&command.to)
            );
        }
        if query.split('&').any(|pair| pair.starts_with("precision=")) {
            bail!("--to has precision= in it: leave it out, times are sent in nanoseconds");
        }
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(user_agent())
            .timeout_global(Some(PATIENCE));
        if uri.scheme_str() == Some("https") {
            let roots = roots(command.to_ca.as_deref())?;
            let tls = TlsConfig::builder()
                .provider(TlsProvider::Rustls)
                .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .root_certs(RootCerts::new_with_certs(&roots))
                .build();
            config = config.tls_config(tls);
        } else if credentials.is_some() && !is_here(uri) {
            tell!("http:// shows the password to everybody on the way; https:// does not");
        }
        let authorization = credentials.map(|credentials| match credentials {
            Credentials::User(user, password) => {
                format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
            }
            Credentials::Token(token) => format!("Token {token}"),
        });
        Ok(Self {
            agent: config.build().new_agent(),
            name: command.to.clone(),
            authorization,
            lines: LineProtocol::new(&command.measurement)?,
            most: usize::MAX,
        })
    }

    fn post(&self, lines: String) -> Result<Response<Body>, ureq::Error> {
        let mut request = self.agent.post(&self.name).content_type("text/plain; charset=utf-8");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        request.send(lines)
    }

    /// What an answer means; whether to send less at once.
    fn judge(&self, mut answer: Response<Body>, on_the_way: usize) -> Result<bool, Trouble> {
        let status = answer.status().as_u16();
        if matches!(status, 200..=299) {
            return Ok(false);
        }
        let body = answer.body_mut().with_config().limit(LONGEST_ANSWER).read_to_string().unwrap_or_default();
        let why = serde_json::from_str::<serde_json::Value>(&body).ok();
        let why = why.and_then(|body| body["error"].as_str().or(body["message"].as_str()).map(str::to_owned));
        let why: String = printable(why.unwrap_or(body)).chars().take(300).collect();
        let name = &self.name;
        match status {
            // What it has let go it would let go again.
            400 if why.contains("beyond retention policy") => {
                tell!("{name} has left out points that are older than its retention policy keeps: {why}");
                Ok(false)
            }
            413 if on_the_way > 1 => Ok(true),
            401 | 403 => Err(Trouble::ForGood(format!(
                "{name} does not let this user write ({status}: {why}); check --credentials"
            ))),
            404 => Err(Trouble::ForGood(format!(
                "{name} has no such database ({why}); make it: influx -execute 'CREATE DATABASE …'"
            ))),
            400..=499 if status != 408 && status != 429 => {
                Err(Trouble::ForGood(format!("{name} refuses the readings ({status}: {why})")))
            }
            _ => Err(Trouble::Away {
                why: format!("{name} does not take readings now ({status}: {why})"),
                on_the_way: 0,
            }),
        }
    }
}

/// Whether it is on this computer.
fn is_here(uri: &Uri) -> bool {
    matches!(uri.host(), Some("localhost" | "127.0.0.1" | "[::1]"))
}

impl Sink for Influx {
    fn name(&self) -> &str {
        &self.name
    }

    fn render(&self, message: &Telemetry, items: &mut Vec<Item>) {
        let said = said(message.body(), message.properties(), message.enqueued);
        for (reading, more) in &said.readings {
            let mut payload = String::new();
            self.lines.put(&Row { device: &message.device_id, reading, more: Some(more) }, &mut payload);
            if !payload.is_empty() {
                items.push(Item { topic: String::new(), payload });
            }
        }
        for other in &said.others {
            let mut payload = String::new();
            put_alarm(&message.device_id, other, message.enqueued.timestamp_millis(), &mut payload);
            if !payload.is_empty() {
                items.push(Item { topic: String::new(), payload });
            }
        }
    }

    fn deliver(&mut self, items: &mut Vec<Item>) -> Result<(), Trouble> {
        while !items.is_empty() {
            let count = items.len().min(self.most);
            let lines: String = items[..count].iter().map(|item| item.payload.as_str()).collect();
            let answer = self.post(lines).map_err(|error| Trouble::Away {
                why: format!("{} does not answer ({error})", self.name),
                // Written twice, they are one point each.
                on_the_way: 0,
            })?;
            if self.judge(answer, count)? {
                self.most = (count / 2).max(1);
            } else {
                items.drain(..count);
            }
        }
        Ok(())
    }
}
