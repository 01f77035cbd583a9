//! Seeded voyages: whatever becomes of power, clock and network, the events at the hub are those of the plain model, every one
//! once.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tracker_sensors::gps::{Fix, GpsState, Position};
use tracker_sensors::health::{Health, State};

use super::alarm_desk::AlarmDesk;
use super::signals::{Signals, Sources};
use crate::alarms::plain_model::{GAP, INTERVAL, Line, Sample, plain};
use crate::alarms::rule::Severity;
use crate::alarms::schema::Alarms;
use crate::event::Events;
use crate::instruments::fields::Fields;
use crate::instruments::health::SensorHealth;
use crate::journal::{Entry, Journal, JournalOptions};
use crate::link::roots::RootEnd;
use crate::platform::clock::Clock;
use crate::reading::{Reading, Stamp};

const ZERO: i64 = 1_790_000_000_000;
const MINUTE: Duration = Duration::from_mins(1);

/// A machine's clock, moved by hand.
#[derive(Debug)]
pub(super) struct ManualClock {
    pub(super) boot: String,
    /// Monotonic time, and UTC where it is known.
    pub(super) now: Mutex<(Duration, Option<DateTime<Utc>>)>,
}

impl Clock for ManualClock {
    fn utc(&self) -> Option<DateTime<Utc>> {
        self.now.lock().unwrap().1
    }

    fn monotonic(&self) -> Duration {
        self.now.lock().unwrap().0
    }

    fn boot(&self) -> &str {
        &self.boot
    }
}

fn sources(journal: &Arc<Journal>) -> Sources {
    Sources {
        sensors: Vec::new(),
        position: None,
        here: watch::Sender::new(Some(Vec::new())).subscribe(),
        certificate: "/nowhere".into(),
        first_root_end: watch::channel(None).1,
        journal: journal.clone(),
    }
}

/// A device with its disk.
struct Device {
    disk: TempDir,
    clock: Arc<ManualClock>,
    journal: Arc<Journal>,
    desk: AlarmDesk,
    rules: watch::Sender<Alarms>,
}

impl Device {
    async fn start(
        disk: TempDir,
        boot: String,
        alarms: &Alarms,
        at: (Duration, Option<DateTime<Utc>>),
    ) -> Self {
        let clock = Arc::new(ManualClock { boot: boot.clone(), now: Mutex::new(at) });
        let events = Events::to("test", Arc::new(|_| {}));
        let directory = disk.path().into();
        let options = JournalOptions { directory, size_bound: 1 << 26, waiting_room: None, boot };
        let journal = Arc::new(Journal::open(options, events.clone()).unwrap());
        let rules = watch::Sender::new(alarms.clone());
        let desk = AlarmDesk::new(sources(&journal), clock.clone(), events, rules.subscribe());
        desk.begin(journal.states().unwrap().await.unwrap());
        Self { disk, clock, journal, desk, rules }
    }

    fn take(&self, value: Option<f64>) {
        let stamp = Stamp::now(&*self.clock);
        let mut fields = Fields::default();
        fields.number("temperature", value, 2);
        self.desk.take(stamp, MINUTE, fields, None, |fields, _| {
            Some(Reading { stamp, fields: fields.into_json(), alerts: Vec::new() })
        });
    }

    /// As a power cut leaves the disk at this moment.
    async fn cut(&self) -> TempDir {
        self.journal.commit().await;
        let copy = tempfile::tempdir().unwrap();
        for name in ["journal.db", "journal.db-wal"] {
            let from: &Path = &self.disk.path().join(name);
            if from.exists() {
                std::fs::copy(from, copy.path().join(name)).unwrap();
            }
        }
        copy
    }

    /// Sends so much; what is acknowledged is, unless the link breaks before.
    async fn send(&self, limit: usize, breaks: bool, hub: &mut Hub) {
        let lease = self.journal.lease(limit, Stamp::now(&*self.clock)).await;
        let entries: Vec<Entry> = lease.newest.into_iter().chain(lease.backlog).collect();
        for entry in &entries {
            hub.take(entry);
        }
        if breaks {
            self.journal.release().await;
        } else {
            let mut seqs = entries.iter().map(|entry| entry.seq).collect();
            while let Err(again) = self.journal.acknowledge(seqs) {
                seqs = again;
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Events by message ID, as often as they came.
#[derive(Default)]
struct Hub(BTreeMap<String, (u64, Value)>);

impl Hub {
    fn take(&mut self, entry: &Entry) {
        let Some(head) = &entry.event else { return };
        let text = format!("{{{}\"time\":{}}}", head.members(entry.time), json!(entry.time));
        let mut body: Value = serde_json::from_str(&text).unwrap();
        body["fields"] = serde_json::from_str(&entry.fields).unwrap();
        let same = self.0.entry(entry.message_id()).or_insert((entry.seq, body.clone()));
        assert_eq!(same.1, body, "sent again it is the same");
    }

    fn lines(&self) -> Vec<(i64, String, String, i64, f64, i64)> {
        let mut all: Vec<_> = self.0.values().collect();
        all.sort_by_key(|(seq, _)| *seq);
        let line = |(_, body): &(u64, Value)| {
            let at = |member: &str| {
                let time = body[member].as_str().and_then(|text| DateTime::parse_from_rfc3339(text).ok());
                time.unwrap_or_else(|| panic!("{member} of {body}")).timestamp_millis() - ZERO
            };
            let word = |member: &str| body["fields"][member].as_str().unwrap().to_owned();
            let extreme = body["fields"]["extreme"].as_f64().unwrap();
            (at("time"), word("state"), word("severity"), at("begin"), extreme, at("extremeTime"))
        };
        all.into_iter().map(line).collect()
    }
}

fn alarms() -> Alarms {
    let value = json!({"bounds": {"cargo": {
        "field": "temperature", "hysteresis": 0.5, "clear": 600,
        "warning": {"low": 1, "high": 7, "delay": 900}, "critical": {"low": 0, "high": 10, "delay": 1800},
    }}});
    Alarms::read(&value).unwrap()
}

/// Temperatures that go up and down for hours.
fn temperature(chance: &mut ChaCha8Rng, last: f64) -> f64 {
    let drift = (4.0 - last) * 0.01 + chance.random_range(-0.9..0.9);
    ((last + drift) * 100.0).round() / 100.0
}

async fn voyage(seed: u64) -> (Vec<Sample>, Hub) {
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    let alarms = alarms();
    let (mut at, mut boot_at, mut unknown) = (0, -20_000, 0);
    let (mut device, mut knows) = (None, false);
    let (mut samples, mut hub, mut value) = (Vec::new(), Hub::default(), 4.0);
    for number in 0..400 {
        at += INTERVAL;
        let mut rebooted = false;
        // What began in a boot that never learned the time is dated by the next one, as well as it can.
        if chance.random_bool(0.02) && knows {
            // Without power: a moment with a clock that is set at once, or hours and one that wakes in 1970.
            unknown = if chance.random() { 0 } else { chance.random_range(1..40) };
            at += if unknown == 0 { chance.random_range(0..20) } else { chance.random_range(60..600) }
                * INTERVAL;
            boot_at = at - 20_000;
            rebooted = true;
        } else if chance.random_bool(0.01) {
            at += chance.random_range(1..100) * INTERVAL;
        }
        let utc = (unknown == 0).then(|| DateTime::from_timestamp_millis(ZERO + at).unwrap());
        (knows, unknown) = (utc.is_some(), (unknown - 1).max(0));
        let now = (Duration::from_millis((at - boot_at) as u64), utc);
        device = match device.take() {
            None => Some(Device::start(tempfile::tempdir().unwrap(), "boot".into(), &alarms, now).await),
            Some(device) if rebooted => {
                let device: Device = device;
                let disk = device.cut().await;
                Some(Device::start(disk, format!("boot {number}"), &alarms, now).await)
            }
            Some(device) => Some(device),
        };
        let Some(device) = &device else { unreachable!() };
        *device.clock.now.lock().unwrap() = now;
        value = temperature(&mut chance, value);
        let sample = chance.random_bool(0.97).then_some(value);
        device.take(sample);
        samples.push((at, sample));
        if chance.random_bool(0.3) {
            device.send(chance.random_range(1..30), chance.random_bool(0.3), &mut hub).await;
        }
    }
    let device = device.unwrap();
    // It arrives, and everything is sent.
    let (monotonic, _) = *device.clock.now.lock().unwrap();
    *device.clock.now.lock().unwrap() = (monotonic, DateTime::from_timestamp_millis(ZERO + at));
    device.journal.release().await;
    while device.journal.stats().backlog > 0 {
        device.send(100, false, &mut hub).await;
    }
    (samples, hub)
}

#[tokio::test]
async fn a_hundred_voyages_tell_what_the_plain_model_tells() {
    let rule = alarms().rules()[0].clone();
    let (mut told, mut reboots_matter) = (0, 0);
    for seed in 0..100 {
        let (samples, hub) = voyage(seed).await;
        let expected: Vec<_> = plain(&rule, &samples, GAP).into_iter().map(in_words).collect();
        assert_eq!(hub.lines(), expected, "seed {seed}");
        told += expected.len();
        reboots_matter += usize::from(expected.len() > 2);
    }
    assert!(told > 300 && reboots_matter > 50, "{told} events, {reboots_matter} eventful voyages");
}

fn in_words(line: Line) -> (i64, String, String, i64, f64, i64) {
    let (at, kind, severity, begin, extreme, extreme_at) = line;
    (at, kind.word().into(), severity.word().into(), begin, extreme, extreme_at)
}

#[tokio::test]
async fn an_acknowledgement_is_kept_and_alarms_that_are_switched_off_end() {
    let at = |minute: i64| {
        let utc = DateTime::from_timestamp_millis(ZERO + minute * INTERVAL);
        (Duration::from_mins(minute as u64), utc)
    };
    let on =
        Alarms::read(&json!({"bounds": {"hot": {"field": "temperature", "warning": {"high": 8}}}})).unwrap();
    let device = Device::start(tempfile::tempdir().unwrap(), "boot".into(), &on, at(1)).await;
    assert_eq!(device.desk.acknowledge("hot"), Err(vec![]));
    device.take(Some(9.0));
    let active = device.desk.active().borrow().clone();
    assert_eq!((active["hot"].severity, active["hot"].acknowledged), ("warning", false));
    assert_eq!(active["hot"].since.unwrap().0.timestamp_millis(), ZERO + INTERVAL);
    assert_eq!(device.desk.acknowledge("cold"), Err(vec!["hot".into()]));
    assert!(device.desk.acknowledge("hot").unwrap().acknowledged);
    assert!(device.desk.active().borrow()["hot"].acknowledged);
    let device = Device::start(device.cut().await, "boot 2".into(), &on, at(2)).await;
    assert!(device.desk.active().borrow()["hot"].acknowledged, "over a power cut, too");
    device.take(Some(9.0));
    device.rules.send_replace(Alarms::NONE);
    *device.clock.now.lock().unwrap() = at(3);
    device.take(Some(9.0));
    assert!(device.desk.active().borrow().is_empty() && device.desk.is_used());
    let mut hub = Hub::default();
    device.send(100, false, &mut hub).await;
    let states: Vec<_> = hub.lines().into_iter().map(|line| line.1).collect();
    assert_eq!(states, ["raised", "cleared"]);
    assert!(hub.0.values().any(|(_, body)| body["fields"]["removed"] == true));
}

#[tokio::test]
async fn readings_from_before_the_state_is_known_are_looked_at_then() {
    let on = Alarms::read(
        &json!({"bounds": {"hot": {"field": "temperature", "warning": {"high": 8, "delay": 120}}}}),
    );
    let at = |minute: i64| {
        (Duration::from_mins(minute as u64), DateTime::from_timestamp_millis(ZERO + minute * INTERVAL))
    };
    let Device { disk, clock, journal, rules, .. } =
        Device::start(tempfile::tempdir().unwrap(), "boot".into(), &on.unwrap(), at(1)).await;
    let events = Events::to("test", Arc::new(|_| {}));
    let desk = AlarmDesk::new(sources(&journal), clock.clone(), events, rules.subscribe());
    let device = Device { disk, clock, journal, desk, rules };
    for minute in 1..=4 {
        *device.clock.now.lock().unwrap() = at(minute);
        device.take(Some(9.0));
    }
    assert!(device.desk.active().borrow().is_empty());
    device.desk.begin(BTreeMap::new());
    let mut hub = Hub::default();
    device.send(100, false, &mut hub).await;
    let lines = hub.lines();
    assert_eq!((lines.len(), lines[0].0, lines[0].3), (1, 3 * INTERVAL, INTERVAL), "{lines:?}");
    device.desk.acknowledge("hot").unwrap();
}

#[tokio::test]
async fn without_alarms_nothing_is_kept_or_sent_for_them() {
    let at = (Duration::from_mins(1), DateTime::from_timestamp_millis(ZERO));
    let device = Device::start(tempfile::tempdir().unwrap(), "boot".into(), &Alarms::NONE, at).await;
    device.take(Some(99.0));
    device.take(None);
    assert!(!device.desk.is_used());
    device.journal.flush().await;
    assert!(device.journal.states().unwrap().await.unwrap().is_empty());
    assert_eq!(device.journal.stats().taken, 2);
}

fn fix(latitude: f64, longitude: f64) -> GpsState {
    let fix = Fix {
        time: chrono::NaiveTime::MIN,
        date: None,
        position: Position { latitude, longitude },
        altitude_m: None,
        speed_kn: None,
        course_deg: None,
        quality: Some(1),
        satellites: None,
        hdop: None,
        sources: Vec::new(),
        spread_m: 0.0,
        end: 0,
        received_at: Duration::ZERO,
    };
    GpsState { fix: Some(fix), ..GpsState::default() }
}

/// States and names told since the last time.
async fn told(device: &Device, hub: &mut Hub) -> Vec<(String, String)> {
    let before = hub.0.len();
    device.send(100, false, hub).await;
    let mut all: Vec<_> = hub.0.values().collect();
    all.sort_by_key(|(seq, _)| *seq);
    let word = |body: &Value, name: &str| body["fields"][name].as_str().unwrap().to_owned();
    all[before..].iter().map(|(_, body)| (word(body, "alarm"), word(body, "state"))).collect()
}

#[tokio::test]
async fn what_is_built_in_is_seen() {
    // Four in the afternoon in Greenwich, an hour after midnight in Tokyo.
    let zero = DateTime::parse_from_rfc3339("2026-09-21T16:00:00Z").unwrap().to_utc();
    let at =
        |minute: i64| (Duration::from_mins(minute as u64), Some(zero + chrono::TimeDelta::minutes(minute)));
    let on = json!({
        "sensorFailed": true, "gpsGone": {"delay": 120}, "doorOpened": {"from": 22, "to": 6}, "moved": {"delay": 0},
    });
    let first = Device::start(tempfile::tempdir().unwrap(), "boot".into(), &Alarms::NONE, at(0)).await;
    let health = watch::Sender::new(Health::default());
    let position = watch::Sender::new(fix(35.60, 139.75));
    let sources = |journal: &Arc<Journal>| Sources {
        sensors: vec![("bme280", SensorHealth::of(health.subscribe()))],
        position: Some(position.subscribe()),
        ..sources(journal)
    };
    let begin = async |device: &mut Device| {
        let events = Events::to("test", Arc::new(|_| {}));
        device.rules = watch::Sender::new(Alarms::read(&on).unwrap());
        device.desk =
            AlarmDesk::new(sources(&device.journal), device.clock.clone(), events, device.rules.subscribe());
        device.desk.begin(device.journal.states().unwrap().await.unwrap());
    };
    let take = |device: &Device, minute: i64, door: Option<(bool, u64)>| {
        *device.clock.now.lock().unwrap() = at(minute);
        let mut fields = Fields::default();
        if let Some((open, openings)) = door {
            fields.count("doorOpenings", openings);
            fields.note(Fields::DOOR_OPEN, f64::from(u8::from(open)));
        }
        let stamp = Stamp::now(&*device.clock);
        let reading =
            |fields: Fields, _| Some(Reading { stamp, fields: fields.into_json(), alerts: Vec::new() });
        device.desk.take(stamp, MINUTE, fields, None, reading);
    };
    let pair = |name: &str, state: &str| (name.to_owned(), state.to_owned());
    let (mut device, mut hub) = (first, Hub::default());
    begin(&mut device).await;
    take(&device, 1, Some((false, 3)));
    assert_eq!(told(&device, &mut hub).await, []);
    // Opened and shut between two readings.
    take(&device, 2, Some((false, 4)));
    take(&device, 3, Some((false, 4)));
    assert_eq!(told(&device, &mut hub).await, [pair("doorOpened", "raised"), pair("doorOpened", "cleared")]);
    // Here it is day.
    position.send_replace(fix(51.95, 4.05));
    take(&device, 4, Some((true, 5)));
    assert_eq!(told(&device, &mut hub).await, [pair("moved", "raised")]);
    // Where it stood is known after a power cut.
    let mut device = Device::start(device.cut().await, "boot 2".into(), &Alarms::NONE, at(5)).await;
    // The desk that was made first ends all alarms in its own memory; another one begins from the disk.
    begin(&mut device).await;
    position.send_replace(fix(35.6005, 139.75));
    take(&device, 5, None);
    assert_eq!(told(&device, &mut hub).await, [pair("moved", "cleared")]);
    position.send_replace(GpsState::default());
    health.send_modify(|health| health.state = State::Failed);
    for minute in 6..17 {
        take(&device, minute, None);
    }
    assert_eq!(told(&device, &mut hub).await, [pair("gpsGone", "raised"), pair("bme280Failed", "raised")]);
    health.send_modify(|health| health.state = State::Ok);
    take(&device, 17, None);
    assert_eq!(told(&device, &mut hub).await, [pair("bme280Failed", "cleared")]);
}

#[tokio::test]
async fn a_door_may_open_where_it_is_allowed() {
    let at = |minute: u64| (Duration::from_mins(minute), None);
    let device = Device::start(tempfile::tempdir().unwrap(), "boot".into(), &Alarms::NONE, at(0)).await;
    let here = watch::Sender::new(None);
    let tell = |outside: &str, opened: &[(Option<&[&str]>, Option<f64>)]| {
        let mut signals = Signals::new(Sources { here: here.subscribe(), ..sources(&device.journal) });
        let rules = Alarms::read(&json!({"doorOpened": {"outside": outside}})).unwrap().rules();
        for (number, (names, expected)) in (1..).zip(opened) {
            here.send_replace(names.map(|names| names.iter().map(|name| Arc::from(*name)).collect()));
            let mut fields = Fields::default();
            fields.count("doorOpenings", number);
            fields.note(Fields::DOOR_OPEN, 1.0);
            let value = signals.value(&rules[0], Stamp::now(&*device.clock), &fields);
            assert_eq!(value, *expected, "{outside}: {names:?}");
        }
    };
    let (out, yard, gate): (&[&str], &[&str], &[&str]) = (&[], &["ramp", "yard"], &["gate"]);
    tell("fences", &[(None, None), (Some(yard), Some(0.0)), (Some(gate), Some(0.0)), (Some(out), Some(1.0))]);
    tell("yard", &[(None, None), (Some(yard), Some(0.0)), (Some(gate), Some(1.0)), (Some(out), Some(1.0))]);
}

#[tokio::test]
async fn the_first_root_to_end_is_counted_down_in_days() {
    let zero = DateTime::parse_from_rfc3339("2037-06-01T00:00:00Z").unwrap().to_utc();
    let at = |day: i64| (Duration::ZERO, Some(zero + chrono::TimeDelta::days(day)));
    let device = Device::start(tempfile::tempdir().unwrap(), "boot".into(), &Alarms::NONE, at(0)).await;
    let roots = watch::Sender::new(None);
    let sources = || Sources { first_root_end: roots.subscribe(), ..sources(&device.journal) };
    let rules = Alarms::read(&json!({"rootsEnd": true})).unwrap().rules();
    let value = || Signals::new(sources()).value(&rules[0], Stamp::now(&*device.clock), &Fields::default());
    assert_eq!(value(), None, "no roots are in use yet");
    let not_after = zero + chrono::TimeDelta::days(181);
    roots.send_replace(Some(RootEnd { name: "CN=Root".into(), not_after }));
    assert_eq!(value(), Some(181.0));
    assert_eq!(rules[0].level(Severity::Warning).unwrap().low, Some(180.0));
    *device.clock.now.lock().unwrap() = at(190);
    assert_eq!(value(), Some(-9.0));
    *device.clock.now.lock().unwrap() = (Duration::ZERO, None);
    assert_eq!(value(), None, "the time is not known");
    let set = Alarms::read(&json!({"rootsEnd": {"days": 365, "severity": "critical"}})).unwrap().rules();
    assert_eq!(set[0].level(Severity::Critical).unwrap().low, Some(365.0));
}

#[cfg(feature = "lab")]
#[tokio::test]
async fn an_issuer_that_ends_before_the_leaf_is_an_end_too() {
    use std::io::Write as _;

    use tracker_emulator::pki::{CertificateAuthority, Validity};

    use crate::platform::plain_file;

    let pki = CertificateAuthority::root("root", Validity::always()).unwrap();
    let now = DateTime::parse_from_rfc3339("2026-06-01T00:00:00Z").unwrap().to_utc();
    let until = |days: i64| Validity {
        not_before: now - chrono::TimeDelta::days(300),
        not_after: now + chrono::TimeDelta::days(days),
    };
    let device = Device::start(
        tempfile::tempdir().unwrap(),
        "boot".into(),
        &Alarms::NONE,
        (Duration::ZERO, Some(now)),
    )
    .await;
    let directory = tempfile::tempdir().unwrap();
    for (issuer, leaf, rule, expected) in [
        (400, 300, json!(true), 0.0),
        (20, 300, json!(true), 1.0),
        (400, 20, json!(true), 1.0),
        (40, 300, json!({"days": 60}), 1.0),
        (40, 50, json!({"days": 30}), 0.0),
    ] {
        let chain =
            pki.intermediate("issuer", until(issuer)).unwrap().device("box", until(leaf)).unwrap().chain_pem;
        let certificate = directory.path().join("chain.pem");
        plain_file::create(&certificate, 0o644).unwrap().write_all(chain.as_bytes()).unwrap();
        let rules = Alarms::read(&json!({"certificateEnds": rule})).unwrap().rules();
        let mut signals = Signals::new(Sources { certificate, ..sources(&device.journal) });
        let value = signals.value(&rules[0], Stamp::now(&*device.clock), &Fields::default());
        assert_eq!(value, Some(expected), "{issuer} {leaf} {rule}");
    }
}
