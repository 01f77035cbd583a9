//! `cloud forward`: readings from a hub's built-in endpoint on to an MQTT broker, an InfluxDB, or a Prometheus that asks.
//!
//! ```text
//!  Tap ── messages ──▶ a batch of items ──▶ Sink, until it has acknowledged all of them ──▶ Cursor: offsets, in a file
//! ```
//!
//! At least once: what the sink has acknowledged is written down after it has, and what was not comes again, which is said.

mod credentials;
mod cursor;
mod influx;
mod mqtt;
mod mqtt_wire;
mod open;
mod options;
mod prometheus;
mod sink;
mod trust;

use std::time::{Duration, Instant};

use anyhow::bail;
use chrono::TimeDelta;

use super::amqp::{Position, Tap};
use super::target::Target;
use crate::cli::terminal::stopping::Stop;
use crate::platform::clock::system_time;
use crate::platform::stderr::tell;
use credentials::Credentials;
use cursor::Cursor;
pub(super) use options::ForwardCommand;
use sink::{Item, Sink, Trouble};

/// Items that are sent together.
const MOST: usize = 500;
/// How long more is waited for, once something has come.
const GATHER: Duration = Duration::from_millis(250);
/// How often is looked at other things while nothing comes.
const TICK: Duration = Duration::from_secs(1);
/// The first wait after a failure, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_mins(1)];
/// How often is said that it still fails.
const REMIND: Duration = Duration::from_mins(5);
/// After a wait like this, the hub is connected anew.
const LONG: Duration = Duration::from_secs(20);

impl ForwardCommand {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<()> {
        let credentials = self.credentials.as_deref().map(Credentials::read).transpose()?;
        let mut sink = open::open(&self, credentials)?;
        let hub = match &self.devices[..] {
            [one] => target.hub_of(one)?,
            _ => target.hub()?,
        };
        if !hub.has_amqp() {
            bail!(
                "this emulator speaks no AMQP, over which messages are read; `container-tracker emulator` does"
            );
        }
        let stop = Stop::listen();
        let mut cursor = if sink.has_memory() {
            let path = self.cursor.clone().unwrap_or_else(|| cursor::default_path(sink.name()));
            Cursor::open(&path, hub.name(), &self.consumer_group, sink.name(), self.restart)?
        } else {
            Cursor::none()
        };
        let from = self.position(&cursor, sink.has_memory());
        cursor.begin(&from);
        let mut tap = Tap::knowing(hub.over_amqp()?, &self.consumer_group, from, cursor.marks());
        tap.join()?;
        tell!("{} on to {}, {}; Ctrl-C ends", hub.name(), sink.name(), cursor.words());
        // Where it begins is where it goes on, even if nothing comes meanwhile.
        cursor.write(tap.marks(), false)?;
        let (sink, cursor) = (&mut *sink, &mut cursor);
        let mut forward = Forward { sink, cursor, stop: &stop, count: 0, hub_is_away: false };
        let ended = forward.run(&self, &mut tap);
        let count = forward.count;
        // What is at rest has nothing on its way.
        if matches!(ended, Ok(Ended::InOrder)) {
            forward.cursor.rest()?;
        }
        tell!("{count} messages were forwarded");
        ended.map(drop)
    }

    fn position(&self, cursor: &Cursor, has_memory: bool) -> Position {
        match cursor.since().or(self.since) {
            Some(time) => Position::After(time),
            None if has_memory => Position::Latest,
            // Gauges are of now; what was told before is shown all the same.
            None => Position::After(system_time() - TimeDelta::days(1)),
        }
    }
}

/// How it has ended.
enum Ended {
    /// All that was sent is acknowledged, and written down.
    InOrder,
    /// Something is on its way.
    Amid,
}

struct Forward<'a> {
    sink: &'a mut dyn Sink,
    cursor: &'a mut Cursor,
    stop: &'a Stop,
    count: u64,
    hub_is_away: bool,
}

impl Forward<'_> {
    fn run(&mut self, command: &ForwardCommand, tap: &mut Tap) -> anyhow::Result<Ended> {
        let mut heard = Instant::now();
        while !self.stop.is_asked() {
            let items = self.gather(command, tap)?;
            self.tell_of_hub(tap);
            let Some(items) = items else {
                if command.idle_timeout > 0 && heard.elapsed() >= Duration::from_secs(command.idle_timeout) {
                    return Ok(Ended::InOrder);
                }
                if let Err(Trouble::ForGood(why)) = self.sink.tend() {
                    bail!("{why}");
                }
                continue;
            };
            heard = Instant::now();
            let missed = tap.take_missed();
            if missed > 0 {
                tell!(
                    "{missed} messages were gone before they were read: a hub keeps them for a day, or up to seven as it is set"
                );
            }
            if !self.deliver(&items, tap)? {
                return Ok(Ended::Amid);
            }
            self.count += items.len() as u64;
            self.cursor.write(tap.marks(), false)?;
            heard = heard.max(Instant::now());
        }
        Ok(Ended::InOrder)
    }

    /// Says when the hub goes, and when it is back.
    fn tell_of_hub(&mut self, tap: &Tap) {
        match (tap.trouble(), self.hub_is_away) {
            (Some(why), false) => tell!("{why}; the hub is called again"),
            (None, true) => tell!("the hub is back"),
            _ => {}
        }
        self.hub_is_away = tap.trouble().is_some();
    }

    /// What has come, rendered; `None` if nothing has. Messages of which nothing is forwarded are passed over.
    fn gather(&mut self, command: &ForwardCommand, tap: &mut Tap) -> anyhow::Result<Option<Vec<Item>>> {
        let (mut items, mut until) = (Vec::new(), None);
        while items.len() < MOST && !self.stop.is_asked() {
            let now = Instant::now();
            let wait = until.map_or(TICK, |until: Instant| until.saturating_duration_since(now));
            let Some(message) = tap.next(wait)? else { break };
            until.get_or_insert(now + GATHER);
            if command.devices.is_empty() || command.devices.contains(&message.device_id) {
                self.sink.render(&message, &mut items);
            }
        }
        Ok(until.map(|_| items))
    }

    /// Delivers until all are acknowledged. False if it was asked to stop before.
    fn deliver(&mut self, items: &[Item], tap: &mut Tap) -> anyhow::Result<bool> {
        let (mut left, mut pause) = (items.to_vec(), PAUSES[0]);
        let mut away: Option<(Instant, Instant)> = None;
        loop {
            let sent = self.sink.deliver(&mut left);
            match sent {
                Ok(()) => {
                    if let Some((since, _)) = away {
                        tell!("{} is back after {}", self.sink.name(), words(since.elapsed()));
                    }
                    return Ok(true);
                }
                Err(Trouble::ForGood(why)) => {
                    bail!(
                        "{why}; {} messages wait, and it goes on with them when it is started again",
                        left.len()
                    )
                }
                Err(Trouble::Away { why, on_the_way }) => {
                    let now = Instant::now();
                    let (since, told) = away.unwrap_or((now, now - REMIND));
                    let is_first = away.is_none();
                    away = Some((since, told));
                    if on_the_way > 0 {
                        tell!("{on_the_way} messages were on their way, and may come twice");
                    }
                    if is_first {
                        tell!("{why}; messages wait at the hub, and it is tried again");
                    } else if now - told >= REMIND {
                        tell!("{why}; away for {} now, and tried again", words(now - since));
                    }
                    if is_first || now - told >= REMIND {
                        away = Some((since, now));
                    }
                    // Not all clients of a broker that comes back at the same moment.
                    let part = 0.75 + 0.5 * rand::random::<f64>();
                    if pause > LONG {
                        tap.rest();
                    }
                    if !self.stop.sleep(pause.mul_f64(part)) {
                        tell!(
                            "{} messages were not acknowledged; they are sent when it is started again",
                            left.len()
                        );
                        return Ok(false);
                    }
                    pause = (pause * 2).min(PAUSES[1]);
                }
            }
        }
    }
}

/// A time for people.
fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
