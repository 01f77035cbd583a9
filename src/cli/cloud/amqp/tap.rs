//! The built-in endpoint, read: all partitions, from a position on, over broken connections.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tracker_amqp::{Attach, Body, Error, Event, LinkId, Map, SenderSettleMode, Source, Target, Value, get};

use super::AmqpError;
use super::caller::{Caller, TOKEN_LIFE};
use super::claims::{Pair, put_token, show};
use super::telemetry::Telemetry;
use super::wire::Wire;

/// Where an endpoint is asked for at the hub's name.
const AT_HUB: &str = "messages/events/$management";

/// Filters have this name, and this descriptor.
const SELECTOR: &str = "apache.org:selector-filter:string";

/// Messages that may come before more is asked for, from each partition.
const CREDIT: u32 = 300;

/// The first wait after a connection that broke off, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(30)];

/// Where reading begins.
#[derive(Debug, Clone)]
pub(in crate::cli) enum Position {
    /// With what comes from now on.
    Latest,
    /// With what was enqueued after this.
    After(DateTime<Utc>),
}

/// A reader of all partitions.
pub(in crate::cli) struct Tap {
    caller: Caller,
    group: String,
    from: Position,
    /// Behind the message of which offset it goes on, by partition.
    offsets: BTreeMap<String, String>,
    joined: Option<Joined>,
    pause: Duration,
    /// Whether it was connected at all.
    has_begun: bool,
}

/// A connection with its receivers.
struct Joined {
    wire: Wire,
    claims: Pair,
    audience: String,
    renewal: Instant,
    receivers: BTreeMap<LinkId, (String, u32)>,
}

impl Tap {
    pub(in crate::cli) fn new(caller: Caller, group: &str, from: Position) -> Self {
        Self {
            caller,
            group: group.to_owned(),
            from,
            offsets: BTreeMap::new(),
            joined: None,
            pause: PAUSES[0],
            has_begun: false,
        }
    }

    /// Connects, if it is not connected. What is said of it then is for good or not: a first time that fails is told.
    pub(in crate::cli) fn join(&mut self) -> Result<(), AmqpError> {
        if self.joined.is_none() {
            self.joined = Some(self.connect()?);
            self.has_begun = true;
        }
        Ok(())
    }

    /// The next message; `None` when none has come for so long. A connection that breaks off is made anew, and reading goes on
    /// behind the message that was read last; what can't be mended by that is an error.
    pub(in crate::cli) fn next(&mut self, patience: Duration) -> Result<Option<Telemetry>, AmqpError> {
        let until = Instant::now() + patience;
        loop {
            let tried = self.join().and_then(|()| self.read(until));
            match tried {
                Ok(found) => {
                    if found.is_some() {
                        self.pause = PAUSES[0];
                    }
                    return Ok(found);
                }
                Err(error) if error.is_for_good() || !self.has_begun => return Err(error),
                Err(error) => {
                    tracing::debug!(%error, "the built-in endpoint is connected anew");
                    self.joined = None;
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    thread::sleep(self.pause.min(left));
                    self.pause = (self.pause * 2).min(PAUSES[1]);
                }
            }
        }
    }

    fn read(&mut self, until: Instant) -> Result<Option<Telemetry>, AmqpError> {
        let Some(joined) = &mut self.joined else { return Ok(None) };
        loop {
            if Instant::now() >= joined.renewal {
                let token = self.caller.token(&joined.audience);
                show(&mut joined.wire, &mut joined.claims, &joined.audience, &token)?;
                joined.renewal = Instant::now() + TOKEN_LIFE / 2;
            }
            match joined.wire.next(until.min(joined.renewal))? {
                Some(Event::Message { link, delivery, settled, message, .. }) => {
                    let Some((partition, left)) = joined.receivers.get_mut(&link) else { continue };
                    if !settled {
                        joined.wire.engine().settle(link, delivery, tracker_amqp::Outcome::Accepted);
                    }
                    *left = left.saturating_sub(1);
                    if *left <= CREDIT / 2 {
                        joined.wire.engine().add_credit(link, CREDIT - *left);
                        *left = CREDIT;
                    }
                    let telemetry = Telemetry::read(partition, &message);
                    self.offsets.insert(partition.clone(), telemetry.offset.clone());
                    return Ok(Some(telemetry));
                }
                Some(Event::Detached { error, .. } | Event::Ended { error, .. }) => {
                    return Err(joined.wire.refused(error));
                }
                None if Instant::now() >= until => return Ok(None),
                Some(_) | None => {}
            }
        }
    }

    fn connect(&mut self) -> Result<Joined, AmqpError> {
        let (host, path) = self.redirection()?;
        let mut wire = self.caller.at_endpoint(&host)?;
        let audience = format!("sb://{host}/{path}");
        let token = self.caller.token(&audience);
        let claims = put_token(&mut wire, &audience, &token)?;
        let mut management = Pair::open(&mut wire, "$management")?;
        let mut receivers = BTreeMap::new();
        for partition in partitions(&mut wire, &mut management, &path)? {
            if matches!(self.from, Position::Latest) && !self.offsets.contains_key(&partition) {
                let last = last_offset(&mut wire, &mut management, &path, &partition)?;
                self.offsets.insert(partition.clone(), last);
            }
            let selector = self.selector(&partition);
            let address =
                format!("amqps://{host}/{path}/ConsumerGroups/{}/Partitions/{partition}", self.group);
            let filter = Value::described(Value::symbol(SELECTOR), Value::String(selector));
            let source = Source { filter: vec![(Value::symbol(SELECTOR), filter)], ..Source::at(address) };
            let name = wire.name("events");
            let attach = Attach {
                snd_settle_mode: SenderSettleMode::Settled,
                ..Attach::receiver(name.clone(), source, Target::at(name))
            };
            let link = wire.attach(attach)?;
            wire.engine().add_credit(link, CREDIT);
            receivers.insert(link, (partition, CREDIT));
        }
        Ok(Joined { wire, claims, audience, renewal: Instant::now() + TOKEN_LIFE / 2, receivers })
    }

    /// Host and path of the endpoint, which the hub tells by sending away who asks at its own name.
    fn redirection(&self) -> Result<(String, String), AmqpError> {
        let mut hub = self.caller.at_hub()?;
        let address = format!("amqps://{}/{AT_HUB}", hub.host());
        let name = hub.name("events");
        let asked = hub.attach(Attach::receiver(name.clone(), Source::at(address), Target::at(name)));
        let error = match asked {
            Ok(_) => None,
            Err(error) => match error.redirection() {
                Some(found) => Some(found.clone()),
                None => return Err(error),
            },
        };
        let found = error.as_ref().and_then(elsewhere);
        found.ok_or_else(|| {
            let what = Error::new("amqp:not-found", "it does not say where its built-in endpoint is");
            hub.refused(Some(what))
        })
    }

    /// What a partition is asked for.
    fn selector(&self, partition: &str) -> String {
        match (self.offsets.get(partition), &self.from) {
            (Some(offset), _) => format!("amqp.annotation.x-opt-offset > '{offset}'"),
            (None, Position::Latest) => "amqp.annotation.x-opt-offset > '@latest'".into(),
            (None, Position::After(time)) => {
                format!("amqp.annotation.x-opt-enqueued-time > '{}'", time.timestamp_millis())
            }
        }
    }
}

/// Where a redirection leads: host, and path of the event hub.
fn elsewhere(error: &Error) -> Option<(String, String)> {
    let text = |name: &str| get(&error.info, name).and_then(Value::as_str);
    let host = text("hostname").or_else(|| text("network-host"))?;
    let address = text("address")?;
    let path = address
        .split_once("://")
        .map_or(address, |(_scheme, rest)| rest.split_once('/').map_or("", |(_, p)| p));
    let path = path.trim_matches('/').split('/').next().filter(|path| !path.is_empty())?;
    Some((host.to_owned(), path.to_owned()))
}

fn read_what(path: &str, kind: &str, partition: Option<&str>) -> Map {
    let text = |text: &str| Value::String(text.to_owned());
    let mut properties =
        vec![(text("operation"), text("READ")), (text("name"), text(path)), (text("type"), text(kind))];
    properties.extend(partition.map(|partition| (text("partition"), text(partition))));
    properties
}

/// The partitions that there are.
fn partitions(wire: &mut Wire, management: &mut Pair, path: &str) -> Result<Vec<String>, AmqpError> {
    let what = read_what(path, "com.microsoft:eventhub", None);
    let answer = management.ask(wire, what, Body::Value(Value::Null))?;
    let ids = match &answer.body {
        Body::Value(Value::Map(map)) => get(map, "partition_ids"),
        _ => None,
    };
    let Some(Value::Array(ids) | Value::List(ids)) = ids else {
        let what = Error::new("amqp:decode-error", "it does not say which partitions it has");
        return Err(wire.refused(Some(what)));
    };
    Ok(ids.iter().filter_map(|id| id.as_str().map(str::to_owned)).collect())
}

/// The offset of the newest message of a partition.
fn last_offset(
    wire: &mut Wire,
    management: &mut Pair,
    path: &str,
    partition: &str,
) -> Result<String, AmqpError> {
    let what = read_what(path, "com.microsoft:partition", Some(partition));
    let answer = management.ask(wire, what, Body::Value(Value::Null))?;
    let offset = match &answer.body {
        Body::Value(Value::Map(map)) => get(map, "last_enqueued_offset").and_then(Value::as_str),
        _ => None,
    };
    Ok(offset.unwrap_or("-1").to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_says_host_and_event_hub() {
        for address in [
            "amqps://ns.servicebus.windows.net/hub-1",
            "amqps://ns.servicebus.windows.net:5671/hub-1/",
            "amqps://ns.servicebus.windows.net/hub-1/$management",
            "hub-1",
        ] {
            let info = vec![
                (Value::symbol("hostname"), Value::String("ns.servicebus.windows.net".into())),
                (Value::symbol("address"), Value::String(address.into())),
            ];
            let error = Error { info, ..Error::new("amqp:link:redirect", "elsewhere") };
            let found = elsewhere(&error);
            assert_eq!(found, Some(("ns.servicebus.windows.net".into(), "hub-1".into())), "{address}");
        }
        assert_eq!(elsewhere(&Error::new("amqp:link:redirect", "")), None);
    }
}
