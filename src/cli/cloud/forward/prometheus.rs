//! For Prometheus, which asks: the newest reading of each device at `/metrics`, in its text format 0.0.4.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, ToSocketAddrs};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use tracker_console::history::{Cell, Exported};
use ureq::http::Uri;

use super::sink::{Item, Sink, Trouble};
use crate::cli::cloud::amqp::Telemetry;
use crate::cli::cloud::readings::said;

/// Who asks has so long to do so, and to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// No request is longer.
const LONGEST: u64 = 8192;
/// Devices that are kept; more are left out.
const MOST: usize = 100_000;

/// Fields that have a unit, which Prometheus wants in their names.
const UNITS: [(&str, &str); 9] = [
    ("temperature", "temperature_celsius"),
    ("humidity", "humidity_percent"),
    ("pressure", "pressure_hectopascals"),
    ("light", "light_lux"),
    ("speed", "speed_kilometers_per_hour"),
    ("course", "course_degrees"),
    ("location.alt", "altitude_meters"),
    ("location.lat", "latitude_degrees"),
    ("location.lon", "longitude_degrees"),
];

type Newest = Arc<Mutex<BTreeMap<String, Exported>>>;

/// What is served.
pub(super) struct Prometheus {
    name: String,
    newest: Newest,
}

impl Prometheus {
    /// Listens, and answers until the program ends.
    pub(super) fn listen(uri: &Uri) -> anyhow::Result<Self> {
        let (host, port) = (uri.host().unwrap_or_default().trim_matches(['[', ']']), uri.port_u16());
        let Some(port) = port else {
            bail!("--to prometheus:// wants a port to listen at, like prometheus://127.0.0.1:9465")
        };
        let address = (host, port).to_socket_addrs().ok().and_then(|mut all| all.next());
        let address = address.with_context(|| format!("--to: {host} is no address of this computer"))?;
        let listener = TcpListener::bind(address).with_context(|| format!("can't listen at {address}"))?;
        let name = format!("http://{}/metrics", listener.local_addr().unwrap_or(address));
        let newest = Newest::default();
        let served = newest.clone();
        // It ends with the program.
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Who asks and goes away harms nobody.
                let _ = answer(stream, &served);
            }
        });
        Ok(Self { name, newest })
    }
}

fn answer(mut stream: TcpStream, newest: &Newest) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut lines = BufReader::new(stream.try_clone()?.take(LONGEST));
    let mut first = String::new();
    lines.read_line(&mut first)?;
    let mut line = String::new();
    while lines.read_line(&mut line)? > 0 && !line.trim_end().is_empty() {
        line.clear();
    }
    let mut words = first.split(' ');
    let path = (words.next() == Some("GET")).then(|| words.next().unwrap_or_default());
    let (status, body) = match path.and_then(|path| path.split('?').next()) {
        Some("/metrics") => ("200 OK", text(&newest.lock().unwrap_or_else(PoisonError::into_inner))),
        _ => ("404 Not Found", "There is /metrics.\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())
}

/// All that is known, a family of metrics for each field.
fn text(newest: &BTreeMap<String, Exported>) -> String {
    let mut out = String::new();
    let mut family = |name: &str, help: &str, value: &dyn Fn(&Exported) -> Option<String>| {
        let mut has_head = false;
        for (device, reading) in newest {
            let Some(value) = value(reading) else { continue };
            if !std::mem::replace(&mut has_head, true) {
                let _ = writeln!(
                    out,
                    "# HELP container_tracker_{name} {help}\n# TYPE container_tracker_{name} gauge"
                );
            }
            let _ = writeln!(out, "container_tracker_{name}{{device=\"{}\"}} {value}", label(device));
        }
    };
    for (number, field) in Exported::fields().enumerate() {
        let name = UNITS
            .iter()
            .find(|(of, _)| *of == field)
            .map_or_else(|| snake(field), |(_, name)| (*name).to_owned());
        let help = format!("{field} of the newest reading");
        family(&name, &help, &|reading| match reading.cell(number)? {
            Cell::Number(number) => {
                let mut text = String::new();
                number.put(&mut text);
                Some(text)
            }
            Cell::Word("open") => Some("1".into()),
            Cell::Word("closed") => Some("0".into()),
            Cell::Word(_) => None,
        });
    }
    family("reading_timestamp_seconds", "time of the newest reading", &|reading| {
        let ms = reading.milliseconds();
        Some(format!("{}.{:03}", ms.div_euclid(1000), ms.rem_euclid(1000)))
    });
    out
}

/// `doorOpenings` as `door_openings`.
fn snake(name: &str) -> String {
    let mut out = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '_' });
    }
    out
}

fn label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

impl Sink for Prometheus {
    fn name(&self) -> &str {
        &self.name
    }

    fn has_memory(&self) -> bool {
        false
    }

    fn render(&self, message: &Telemetry, items: &mut Vec<Item>) {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        for (reading, _) in said(message.body(), message.properties(), message.enqueued).readings {
            let is_newer = newest.get(&message.device_id).is_none_or(|known| known.key() < reading.key());
            if is_newer && (newest.len() < MOST || newest.contains_key(&message.device_id)) {
                newest.insert(message.device_id.clone(), reading);
            }
            items.push(Item { topic: String::new(), payload: String::new() });
        }
    }

    fn deliver(&mut self, _: &mut Vec<Item>) -> Result<(), Trouble> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn the_newest_reading_of_each_device_has_a_line_for_each_field() {
        let reading = |body: &str| {
            Exported::read(body.as_bytes(), &BTreeMap::new(), DateTime::UNIX_EPOCH).unwrap().remove(0)
        };
        let newest = BTreeMap::from([
            (
                "a\"b".to_owned(),
                reading(r#"{"temperature":4.5,"door":"open","time":"2026-11-28T12:00:00.250Z"}"#),
            ),
            ("c".to_owned(), reading(r#"{"temperature":-4,"doorOpenings":3,"time":"2026-11-28T12:00:00Z"}"#)),
        ]);
        let text = text(&newest);
        for line in [
            "# TYPE container_tracker_temperature_celsius gauge",
            "container_tracker_temperature_celsius{device=\"a\\\"b\"} 4.5",
            "container_tracker_temperature_celsius{device=\"c\"} -4",
            "container_tracker_door{device=\"a\\\"b\"} 1",
            "container_tracker_door_openings{device=\"c\"} 3",
            "container_tracker_reading_timestamp_seconds{device=\"a\\\"b\"} 1795867200.250",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in {text}");
        }
    }
}
