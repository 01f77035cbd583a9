//! Messages that a hub has taken, as far as it still has them, or as `cloud monitor` has printed them: collected in memory, since
//! they come in no order and more than once.

use std::collections::{BTreeMap, HashSet};
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;
use tracker_console::history::{Exported, Key};
use tracker_protocol::printable;

use super::message::{More, said};
use crate::cli::cloud::amqp::{Position, Tap};
use crate::cli::cloud::service::client::Client;
use crate::platform::plain_file;

/// Readings that are held at most; some 300 bytes each.
const MOST: usize = 1_000_000;
/// No message as a line is longer.
const LONGEST_LINE: u64 = 4 * 1024 * 1024;
/// An endpoint that has said nothing for so long has no more, whatever it says that it has.
const SILENCE: Duration = Duration::from_secs(20);

/// What is wanted.
pub(super) struct Wanted<'a> {
    pub(super) devices: &'a [String],
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
}

/// Readings of one device, each with the members that are no fields.
type Readings = Vec<(Exported, More)>;

/// What was collected.
#[derive(Debug, Default)]
pub(super) struct Collected {
    /// By device, in the order of their times, each once.
    pub(super) readings: BTreeMap<String, Readings>,
    /// Messages that are no readings.
    pub(super) others: usize,
    /// Readings that came again.
    pub(super) again: usize,
    count: usize,
}

impl Collected {
    fn take(
        &mut self,
        wanted: &Wanted<'_>,
        device: &str,
        body: &[u8],
        properties: &BTreeMap<String, String>,
        enqueued: DateTime<Utc>,
    ) -> anyhow::Result<()> {
        if !wanted.devices.is_empty() && !wanted.devices.iter().any(|wanted| wanted == device) {
            return Ok(());
        }
        let said = said(body, properties, enqueued);
        self.others += usize::from(said.readings.is_empty());
        for (reading, more) in said.readings {
            if reading.time() < wanted.from || reading.time() >= wanted.to {
                continue;
            }
            self.count += 1;
            if self.count > MOST {
                bail!(
                    "there are more than {MOST} readings, which is more than is held in memory: narrow it with -d, --since and \
                     --until, or have a console keep a history and read that with --history"
                );
            }
            match self.readings.get_mut(device) {
                Some(readings) => readings.push((reading, more)),
                None => drop(self.readings.insert(device.to_owned(), vec![(reading, more)])),
            }
        }
        Ok(())
    }

    fn sorted(mut self) -> Self {
        for readings in self.readings.values_mut() {
            readings.sort_by_key(|(reading, _)| reading.key());
            let mut known: HashSet<Key> = HashSet::with_capacity(readings.len());
            let before = readings.len();
            readings.retain(|(reading, _)| known.insert(reading.key()));
            self.again += before - readings.len();
        }
        self
    }
}

/// Reads the built-in endpoint up to what it has now.
pub(super) fn endpoint(
    hub: &Client,
    group: &str,
    wanted: &Wanted<'_>,
    is_over: impl Fn() -> bool,
) -> anyhow::Result<Collected> {
    if !hub.has_amqp() {
        bail!(
            "this emulator speaks no AMQP, over which readings are read; give the directory of a console's history with --history, \
             or a file of `cloud monitor` with --capture"
        );
    }
    // What was taken before cannot have a later time, but by a clock that is wrong.
    let from = Position::After(wanted.from);
    let mut tap = Tap::knowing(hub.over_amqp()?, group, from, &BTreeMap::new());
    tap.join()?;
    let (mut collected, mut heard) = (Collected::default(), Instant::now());
    while !tap.has_all() {
        if is_over() {
            bail!("stopped; nothing was written");
        }
        match tap.next(Duration::from_secs(1))? {
            Some(message) => {
                heard = Instant::now();
                let (device, body) = (&message.device_id, message.body());
                collected.take(wanted, device, body, message.properties(), message.enqueued)?;
            }
            None if heard.elapsed() > SILENCE => {
                bail!("{} says that it has more messages than it hands on; try again", hub.host())
            }
            None => {}
        }
    }
    Ok(collected.sorted())
}

/// Reads a file of lines as `cloud monitor` prints them; `-` is standard input.
pub(super) fn file(path: &Path, wanted: &Wanted<'_>) -> anyhow::Result<Collected> {
    let named = || format!("can't read {}", path.display());
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(std::io::stdin())
    } else {
        Box::new(plain_file::open(path).with_context(named)?)
    };
    let mut input = BufReader::new(input);
    let (mut collected, mut line, mut number) = (Collected::default(), Vec::new(), 0);
    loop {
        line.clear();
        number += 1;
        let length =
            input.by_ref().take(LONGEST_LINE + 1).read_until(b'\n', &mut line).with_context(named)?;
        if length == 0 {
            return Ok(collected.sorted());
        }
        if length as u64 > LONGEST_LINE {
            bail!("line {number} of {} is longer than any message of a hub", path.display());
        }
        let text = line.trim_ascii();
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        if text.is_empty() {
            continue;
        }
        let message: Line<'_> = serde_json::from_slice(text).map_err(|error| {
            anyhow::anyhow!(
                "line {number} of {} is no message as `cloud monitor` prints it ({})",
                path.display(),
                printable(error.to_string())
            )
        })?;
        let body = match (message.body, message.body_text, message.body_base64) {
            (Some(body), ..) => body.get().as_bytes().to_vec(),
            (None, Some(text), _) => text.into_bytes(),
            (None, None, Some(packed)) => BASE64_STANDARD.decode(packed).unwrap_or_default(),
            (None, None, None) => Vec::new(),
        };
        let properties = &message.properties;
        collected.take(wanted, &message.device_id, &body, properties, message.enqueued_time)?;
    }
}

/// A message as `cloud monitor` prints it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    device_id: String,
    enqueued_time: DateTime<Utc>,
    #[serde(default)]
    properties: BTreeMap<String, String>,
    #[serde(borrow, default)]
    body: Option<&'a RawValue>,
    body_text: Option<String>,
    body_base64: Option<String>,
}
