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

/// A message that was read, by its partition: there reading goes on.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::cli) struct Mark {
    /// As Azure counts.
    pub offset: String,
    /// The messages of a partition are numbered without a gap.
    pub sequence_number: i64,
}

/// What a partition had when it was looked at.
#[derive(Debug)]
struct Extent {
    offset: String,
    last: i64,
    enqueued_ms: i64,
    is_empty: bool,
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
    /// The number of the message that was read last, by partition.
    numbers: BTreeMap<String, i64>,
    /// Messages that were gone before they were read.
    missed: u64,
    /// Whether extents are looked at.
    looks: bool,
    /// What partitions had when they were seen first.
    extents: BTreeMap<String, Extent>,
    /// Why it is not connected now.
    trouble: Option<String>,
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
            numbers: BTreeMap::new(),
            missed: 0,
            looks: false,
            extents: BTreeMap::new(),
            trouble: None,
        }
    }

    /// A reader that knows what there is: when it has all that there was at its beginning, what it has missed, and whether the
    /// endpoint is still the one where these marks were made, behind which it goes on.
    pub(in crate::cli) fn knowing(
        caller: Caller,
        group: &str,
        from: Position,
        marks: &BTreeMap<String, Mark>,
    ) -> Self {
        let offsets = marks.iter().map(|(partition, mark)| (partition.clone(), mark.offset.clone()));
        let numbers = marks.iter().map(|(partition, mark)| (partition.clone(), mark.sequence_number));
        Self {
            offsets: offsets.collect(),
            numbers: numbers.collect(),
            looks: true,
            ..Self::new(caller, group, from)
        }
    }

    /// Whether it has all that there was when it was connected first.
    pub(in crate::cli) fn has_all(&self) -> bool {
        let is_read = |(partition, extent): (&String, &Extent)| {
            let too_old = match &self.from {
                Position::Latest => true,
                Position::After(time) => extent.enqueued_ms <= time.timestamp_millis(),
            };
            extent.is_empty || self.numbers.get(partition).map_or(too_old, |number| *number >= extent.last)
        };
        self.has_begun && self.extents.iter().all(is_read)
    }

    /// What was read last, by partition.
    pub(in crate::cli) fn marks(&self) -> BTreeMap<String, Mark> {
        let mark = |(partition, offset): (&String, &String)| {
            let sequence_number = *self.numbers.get(partition)?;
            Some((partition.clone(), Mark { offset: offset.clone(), sequence_number }))
        };
        self.offsets.iter().filter_map(mark).collect()
    }

    /// Why it is not connected, while it tries to be again.
    pub(in crate::cli) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Lets the connection go; the next call makes one anew.
    pub(in crate::cli) fn rest(&mut self) {
        self.joined = None;
    }

    /// How many messages the hub had let go before they were read, since this was asked last.
    pub(in crate::cli) fn take_missed(&mut self) -> u64 {
        std::mem::take(&mut self.missed)
    }

    /// Connects, if it is not connected. What is said of it then is for good or not: a first time that fails is told.
    pub(in crate::cli) fn join(&mut self) -> Result<(), AmqpError> {
        if self.joined.is_none() {
            self.joined = Some(self.connect()?);
            self.has_begun = true;
            self.trouble = None;
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
                    self.trouble = Some(error.to_string());
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
                    let before = self.numbers.insert(partition.clone(), telemetry.sequence_number);
                    let gap = before.map_or(0, |before| telemetry.sequence_number - before - 1);
                    self.missed += u64::try_from(gap).unwrap_or_default();
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
            let is_new = matches!(self.from, Position::Latest) && !self.offsets.contains_key(&partition);
            if is_new || self.looks {
                let extent = extent(&mut wire, &mut management, &path, &partition)?;
                if self.looks && self.numbers.get(&partition).is_some_and(|number| *number > extent.last) {
                    return Err(AmqpError::Anew { host: self.caller.host().to_owned() });
                }
                if is_new {
                    self.offsets.insert(partition.clone(), extent.offset.clone());
                    self.numbers.insert(partition.clone(), extent.last);
                }
                self.extents.entry(partition.clone()).or_insert(extent);
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

/// What a partition has.
fn extent(wire: &mut Wire, management: &mut Pair, path: &str, partition: &str) -> Result<Extent, AmqpError> {
    let what = read_what(path, "com.microsoft:partition", Some(partition));
    let answer = management.ask(wire, what, Body::Value(Value::Null))?;
    let map = match answer.body {
        Body::Value(Value::Map(map)) => map,
        _ => Map::default(),
    };
    let number = |name: &str| get(&map, name).and_then(Value::as_i64);
    let (begin, last) = (number("begin_sequence_number"), number("last_enqueued_sequence_number"));
    Ok(Extent {
        offset: get(&map, "last_enqueued_offset").and_then(Value::as_str).unwrap_or("-1").to_owned(),
        last: last.unwrap_or(-1),
        enqueued_ms: number("last_enqueued_time_utc").unwrap_or(i64::MIN),
        is_empty: matches!(get(&map, "is_partition_empty"), Some(Value::Bool(true)))
            || begin.zip(last).is_some_and(|(begin, last)| last < begin),
    })
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
