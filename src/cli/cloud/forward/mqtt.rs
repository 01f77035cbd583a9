//! An MQTT broker: each reading a message of `QoS` 1, as JSON.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use ureq::http::Uri;

use super::credentials::Credentials;
use super::mqtt_wire::{Broker, Wire, tls};
use super::options::ForwardCommand;
use super::sink::{Item, Sink, Trouble};
use crate::cli::cloud::amqp::Telemetry;
use crate::cli::cloud::readings::{Row, said};
use crate::cli::cloud::telemetry::object;
use crate::platform::stderr::tell;

/// Messages that may be on their way.
const WINDOW: usize = 100;
/// How long an acknowledgement may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Topics have at most so many bytes.
const LONGEST_TOPIC: usize = 65_535;

/// A broker.
pub(super) struct Mqtt {
    broker: Broker,
    name: String,
    topic: String,
    retain: bool,
    wire: Option<Wire>,
}

impl Mqtt {
    pub(super) fn new(
        command: &ForwardCommand,
        uri: &Uri,
        credentials: Option<Credentials>,
    ) -> anyhow::Result<Self> {
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            bail!("--to: a broker has no path; name the topic with --topic");
        }
        let host = uri.host().context("--to has no host")?.trim_matches(['[', ']']).to_owned();
        let is_secure = uri.scheme_str() == Some("mqtts");
        let login = match credentials {
            None => None,
            Some(Credentials::User(user, password)) => Some((user, password)),
            Some(Credentials::Token(_)) => {
                bail!("--credentials: a broker wants a user on the first line and a password on the second")
            }
        };
        if login.is_some() && !is_secure && !matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1") {
            tell!("mqtt:// shows the password to everybody on the way; mqtts:// does not");
        }
        let topic = command.topic.clone();
        if topic.is_empty() || topic.contains(['+', '#', '\0']) || topic.starts_with('$') {
            bail!(
                "--topic {topic:?} is no topic to publish to: it must not have + or # in it, nor begin with $"
            );
        }
        let tls = is_secure.then(|| tls(command.to_ca.as_deref())).transpose()?;
        let port = uri.port_u16().unwrap_or(if is_secure { 8883 } else { 1883 });
        let name = format!(
            "{}://{}:{port}",
            if is_secure { "mqtts" } else { "mqtt" },
            uri.host().unwrap_or_default()
        );
        let broker = Broker { host, port, tls, login };
        Ok(Self { broker, name, topic, retain: command.retain, wire: None })
    }

    fn topic_of(&self, device: &str, kind: &str) -> String {
        // What would be a wildcard or a level of its own.
        let mut plain = String::with_capacity(device.len());
        for character in device.chars() {
            match character {
                '+' | '#' | '/' | '%' | '\0' => plain.push_str(&format!("%{:02X}", u32::from(character))),
                character => plain.push(character),
            }
        }
        self.topic.replace("{device}", &plain).replace("{kind}", kind)
    }

    fn wire(&mut self) -> Result<&mut Wire, Trouble> {
        if self.wire.is_none() {
            self.wire = Some(Wire::open(&self.broker, &self.name)?);
        }
        match &mut self.wire {
            Some(wire) => Ok(wire),
            None => Err(Trouble::Away { why: format!("{} is not connected", self.name), on_the_way: 0 }),
        }
    }

    /// Publishes, and takes away what was acknowledged, in whatever order that comes.
    fn publish(&mut self, items: &mut Vec<Item>) -> Result<(), Trouble> {
        let retain = self.retain;
        let wire = self.wire()?;
        let mut is_done = vec![false; items.len()];
        let (mut next, mut open) = (0, std::collections::BTreeMap::new());
        let mut heard = Instant::now();
        let result = 'sent: loop {
            while next < items.len() && open.len() < WINDOW {
                let item = &items[next];
                match wire.publish(&item.topic, &item.payload, retain) {
                    Ok(id) => drop(open.insert(id, next)),
                    Err(why) => break 'sent Err(why),
                }
                next += 1;
            }
            if open.is_empty() && next == items.len() {
                break Ok(());
            }
            match wire.acknowledged() {
                Ok(Some(id)) => {
                    heard = Instant::now();
                    if let Some(at) = open.remove(&id) {
                        is_done[at] = true;
                    }
                }
                Ok(None) if heard.elapsed() > PATIENCE => {
                    break Err(format!("it did not acknowledge within {} s", PATIENCE.as_secs()));
                }
                Ok(None) => {}
                Err(why) => break Err(why),
            }
        };
        let mut done = is_done.into_iter();
        items.retain(|_| !done.next().unwrap_or(false));
        result.map_err(|why| Trouble::Away { why: format!("{}: {why}", self.name), on_the_way: open.len() })
    }
}

impl Sink for Mqtt {
    fn name(&self) -> &str {
        &self.name
    }

    fn render(&self, message: &Telemetry, items: &mut Vec<Item>) {
        let said = said(message.body(), message.properties(), message.enqueued);
        let device = message.device_id.as_str();
        let mut push = |kind: &str, payload: serde_json::Value| {
            let topic = self.topic_of(device, kind);
            if topic.len() <= LONGEST_TOPIC {
                items.push(Item { topic, payload: payload.to_string() });
            }
        };
        for (reading, more) in &said.readings {
            if let Ok(payload) = object(&Row { device, reading, more: Some(more) }) {
                push("telemetry", payload);
            }
        }
        for mut other in said.others {
            if let Some(members) = other.as_object_mut() {
                members.insert("deviceId".into(), device.into());
            }
            push("event", other);
        }
    }

    fn deliver(&mut self, items: &mut Vec<Item>) -> Result<(), Trouble> {
        if items.is_empty() {
            return Ok(());
        }
        let result = self.publish(items);
        if result.is_err() {
            self.wire = None;
        }
        result
    }

    fn tend(&mut self) -> Result<(), Trouble> {
        // A connection that was lost is made anew when there is something to send.
        if let Some(wire) = &mut self.wire
            && wire.tend().is_err()
        {
            self.wire = None;
        }
        Ok(())
    }
}
