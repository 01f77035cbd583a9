//! Intervals by state, in simulated time: what is reported when, and what the reports say of what was not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::{Instant, sleep_until};
use tracker_sensors::gps::{Fix, GpsState, Position};

use super::{AlarmDesk, Recorder, Reports, Sources};
use crate::alarms::schema::Alarms;
use crate::config::{Alerts, Intervals, Pace};
use crate::event::Events;
use crate::instruments::fields::Fields;
use crate::instruments::health::SensorHealth;
use crate::instruments::instrument::{Instrument, Start};
use crate::journal::{Entry, Journal, JournalOptions};
use crate::places::Fences;
use crate::platform::clock::Clock;
use crate::platform::heartbeat::Vitals;
use crate::reading::Stamp;
use crate::settings::TripTerms;
use crate::trip::{Terms, Trip};
use crate::whereabouts::{Turns, Whereabouts};

/// Follows the time of the test.
#[derive(Debug)]
struct TestClock(Instant);

impl Clock for TestClock {
    fn utc(&self) -> Option<DateTime<Utc>> {
        let passed = TimeDelta::from_std(self.monotonic()).ok()?;
        Some(DateTime::from_timestamp_millis(ZERO_MS)? + passed)
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }

    fn boot(&self) -> &'static str {
        "boot"
    }
}

/// What there is to measure at this moment.
#[derive(Clone, Default)]
struct Air(Arc<Mutex<BTreeMap<&'static str, f64>>>);

impl Air {
    fn set(&self, name: &'static str, value: f64) {
        self.0.lock().unwrap().insert(name, value);
    }
}

impl Instrument for Air {
    fn name(&self) -> &'static str {
        "air"
    }

    fn start(&mut self, _: &mut Start<'_>) -> std::io::Result<()> {
        Ok(())
    }

    fn health(&self) -> SensorHealth {
        SensorHealth::of(watch::Sender::default().subscribe())
    }

    fn read(&mut self, fields: &mut Fields) {
        for (name, value) in &*self.0.lock().unwrap() {
            fields.number(name, Some(*value), 2);
        }
    }
}

/// A recorder at work, and what is around it.
struct Scene {
    zero: Instant,
    clock: Arc<TestClock>,
    air: Air,
    pace: watch::Sender<Pace>,
    rules: watch::Sender<Alarms>,
    _position: watch::Sender<GpsState>,
    fences: watch::Sender<Arc<Fences>>,
    journal: Arc<Journal>,
    recorder: JoinHandle<()>,
    _disk: TempDir,
}

const MINUTE: Duration = Duration::from_mins(1);
const ZERO_MS: i64 = 1_790_000_000_000;

fn pace(by_state: &Value) -> Pace {
    Pace { interval: MINUTE, by_state: Intervals::read(by_state, Intervals::MEMBERS).unwrap() }
}

impl Scene {
    async fn start(by_state: &Value, alerts: Alerts, speed_kmh: f64) -> Self {
        let disk = tempfile::tempdir().unwrap();
        let events = Events::to("test", Arc::new(|_| {}));
        let options = JournalOptions {
            directory: disk.path().into(),
            size_bound: 1 << 26,
            waiting_room: None,
            boot: "boot".into(),
        };
        let journal = Arc::new(Journal::open(options, events.clone()).unwrap());
        let zero = Instant::now();
        let (clock, air) = (Arc::new(TestClock(zero)), Air::default());
        let (rules, position) = (watch::Sender::new(Alarms::NONE), watch::Sender::new(berth()));
        let (fences, pace) = (watch::Sender::new(Arc::default()), watch::Sender::new(pace(by_state)));
        air.set("temperature", 4.0);
        air.set("speed", speed_kmh);
        let turns = Turns {
            fences: watch::Sender::default().subscribe(),
            terms: TripTerms::by_hand(pace.subscribe(), &alerts),
            signs: Arc::default(),
        };
        let whereabouts =
            Whereabouts::new(fences.subscribe(), turns, Some(position.subscribe()), events.clone());
        let sources = Sources {
            sensors: Vec::new(),
            position: None,
            here: whereabouts.here(),
            certificate: "/nowhere".into(),
            first_root_end: watch::channel(None).1,
            journal: journal.clone(),
        };
        let desk = AlarmDesk::new(sources, clock.clone(), events, rules.subscribe());
        let recorder = Recorder {
            instruments: vec![Box::new(air.clone())],
            reports: Reports::new(*pace.borrow()),
            pace: pace.subscribe(),
            journal: journal.clone(),
            clock: clock.clone(),
            whereabouts,
            alerts,
            alarms: Arc::new(desk),
            sighting: watch::Sender::default(),
            heart: Vitals::default().watch("the recorder", MINUTE),
        };
        let recorder = tokio::spawn(recorder.run());
        yield_now().await;
        // The journal answers what it is asked in order, in a time that is not the test's.
        let mut answer = journal.states().unwrap();
        while answer.try_recv().is_err() {
            std::thread::sleep(Duration::from_millis(1));
            yield_now().await;
        }
        yield_now().await;
        Self { zero, clock, air, pace, rules, _position: position, fences, journal, recorder, _disk: disk }
    }

    /// Until half a minute after this minute.
    async fn until(&self, minute: u64) {
        sleep_until(self.zero + MINUTE.mul_f64(minute as f64 + 0.5)).await;
    }

    /// Ends it, and gives what was reported: the minute, and the fields.
    async fn end(self) -> Vec<(i64, Value)> {
        in_minutes(&self.end_with_entries().await)
    }

    async fn end_with_entries(self) -> Vec<Entry> {
        self.recorder.abort();
        let _ = self.recorder.await;
        let lease = self.journal.lease(10_000, Stamp::now(&*self.clock)).await;
        let mut entries: Vec<_> = lease.backlog.into_iter().chain(lease.newest).collect();
        entries.sort_by_key(|entry| entry.seq);
        entries
    }
}

fn in_minutes(entries: &[Entry]) -> Vec<(i64, Value)> {
    let told = entries.iter().map(|entry| {
        let minute = (entry.time.unwrap().timestamp_millis() - ZERO_MS) / 60_000;
        (minute, serde_json::from_str(&entry.fields).unwrap())
    });
    told.collect()
}

fn minutes(reports: &[(i64, Value)]) -> Vec<i64> {
    reports.iter().map(|(minute, _)| *minute).collect()
}

/// A fix, without motion.
fn berth() -> GpsState {
    let fix = Fix {
        time: chrono::NaiveTime::MIN,
        date: None,
        position: Position { latitude: 51.95, longitude: 4.3 },
        altitude_m: None,
        speed_kn: None,
        course_deg: None,
        quality: Some(1),
        satellites: None,
        hdop: Some(1.0),
        sources: Vec::new(),
        spread_m: 0.0,
        end: 0,
        received_at: Duration::ZERO,
    };
    GpsState { fix: Some(fix), ..GpsState::default() }
}

#[tokio::test(start_paused = true)]
async fn a_peak_between_two_reports_is_seen_in_the_next() {
    let alerts = Alerts { temperature_high: Some(8.0), ..Alerts::default() };
    let scene = Scene::start(&json!({"still": 3600}), alerts, 0.0).await;
    // It stands after five minutes, at one reading a minute.
    scene.until(29).await;
    scene.air.set("temperature", 9.5);
    scene.air.set("light", 200.0);
    scene.until(30).await;
    scene.air.set("temperature", 4.0);
    scene.until(125).await;
    let entries = scene.end_with_entries().await;
    let reports = in_minutes(&entries);
    assert_eq!(minutes(&reports), [0, 1, 2, 3, 4, 5, 65, 125]);
    assert_eq!(reports[5].1, json!({"temperature": 4.0, "speed": 0.0}), "nothing was skipped before it");
    // One of sixty measurements.
    let expected = json!({
        "speed": 0.0, "temperature": 4.0, "temperatureMin": 4.0, "temperatureMax": 9.5, "temperatureMean": 4.09, "period": 3600,
        "light": 200.0, "lightMin": 200.0, "lightMax": 200.0, "lightMean": 200.0,
    });
    assert_eq!(reports[6].1, expected);
    assert_eq!((&reports[7].1["temperatureMax"], &reports[7].1["period"]), (&json!(4.0), &json!(3600)));

    // And in the report of the trip, of which an hour is no gap.
    let mut trip = Trip::new(Terms { gap_after: 900, ..Terms::default() });
    for entry in &entries {
        trip.feed(&entry.body());
    }
    let report = trip.report();
    assert_eq!((&report["gaps"]["count"], &report["temperature"]["seconds"]), (&json!(0), &json!(7500)));
    assert_eq!(report["temperature"]["max"]["value"], 9.5);
    assert_eq!(report["temperature"]["mean"], 4.04);
}

#[tokio::test(start_paused = true)]
async fn alarms_see_every_measurement_and_shorten_the_interval_while_they_live() {
    let scene = Scene::start(&json!({"still": 3600, "alarm": 120}), Alerts::default(), 0.0).await;
    let hot = json!({"bounds": {"hot": {"field": "temperature", "warning": {"high": 8, "delay": 300}}}});
    scene.rules.send_replace(Alarms::read(&hot).unwrap());
    scene.until(29).await;
    scene.air.set("temperature", 9.0);
    scene.until(40).await;
    scene.air.set("temperature", 4.0);
    scene.until(110).await;
    let reports = scene.end().await;
    // Pending at 30, which is reported at once as the last report is longer ago; raised at 35, with its reading; over at 41.
    let told = |minute: i64| {
        let of: Vec<_> = reports.iter().filter(|(at, _)| *at == minute).collect();
        of.iter().filter_map(|(_, body)| body["state"].as_str()).collect::<Vec<_>>()
    };
    assert_eq!((told(35), told(41)), (vec!["raised"], vec!["cleared"]));
    let mut readings = reports.clone();
    readings.retain(|(_, body)| body.get("state").is_none());
    assert_eq!(minutes(&readings)[6..], [30, 32, 34, 35, 37, 39, 41, 101, 110]);
    assert_eq!((&readings[6].1["temperatureMax"], &readings[6].1["period"]), (&json!(9.0), &json!(1500)));
}

#[tokio::test(start_paused = true)]
async fn a_fence_goes_before_motion_and_an_alarm_before_a_fence() {
    let by_state = json!({"moving": 600, "still": 7200, "inFence": 1200, "alarm": 60});
    let scene = Scene::start(&by_state, Alerts::default(), 37.0).await;
    // Under way: every ten minutes.
    scene.until(25).await;
    let geometry = json!({"type": "Point", "coordinates": [4.3, 51.95]});
    let yard =
        json!([{"type": "Feature", "properties": {"name": "yard", "radius": 500}, "geometry": geometry}]);
    scene.fences.send_replace(Arc::new(Fences::read(&yard).unwrap()));
    // In the fence, and told so at once, then every twenty minutes although it moves.
    scene.until(70).await;
    let hot = json!({"bounds": {"hot": {"field": "temperature", "warning": {"high": 8, "delay": 86400}}}});
    scene.rules.send_replace(Alarms::read(&hot).unwrap());
    scene.air.set("temperature", 9.0);
    scene.until(73).await;
    scene.air.set("temperature", 4.0);
    scene.until(120).await;
    scene.fences.send_replace(Arc::default());
    scene.air.set("speed", 0.0);
    scene.until(400).await;
    let mut reports = scene.end().await;
    reports.retain(|(_, body)| body.get("state").is_none());
    assert_eq!(minutes(&reports)[..3], [0, 10, 20]);
    assert_eq!(minutes(&reports)[3..6], [26, 46, 66], "in the fence");
    assert_eq!(minutes(&reports)[6..10], [71, 72, 73, 74], "an alarm is pending until 74");
    assert_eq!(minutes(&reports)[10..12], [94, 114]);
    // Out of the fence, moving for five minutes more, and then still, as the report at 134 shows.
    assert_eq!(minutes(&reports)[12..], [124, 134, 254, 374, 400]);
}

#[tokio::test(start_paused = true)]
async fn what_was_measured_is_told_at_the_stop_and_without_intervals_all_is() {
    let scene = Scene::start(&json!({"still": 3600}), Alerts::default(), 0.0).await;
    scene.until(8).await;
    scene.air.set("temperature", 7.0);
    scene.until(9).await;
    scene.air.set("temperature", 4.0);
    scene.until(10).await;
    let reports = scene.end().await;
    assert_eq!(minutes(&reports), [0, 1, 2, 3, 4, 5, 10]);
    assert_eq!((&reports[6].1["temperatureMax"], &reports[6].1["period"]), (&json!(7.0), &json!(300)));

    let scene = Scene::start(&json!({}), Alerts::default(), 0.0).await;
    scene.until(9).await;
    let reports = scene.end().await;
    assert_eq!(minutes(&reports), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert!(
        reports.iter().all(|(_, body)| *body == json!({"temperature": 4.0, "speed": 0.0})),
        "{reports:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn other_intervals_act_at_once() {
    let scene = Scene::start(&json!({"still": 86400}), Alerts::default(), 0.0).await;
    scene.until(30).await;
    scene.pace.send_replace(pace(&json!({"still": 1200})));
    sleep_until(scene.zero + MINUTE.mul_f64(34.75)).await;
    scene.pace.send_replace(pace(&json!({})));
    scene.until(36).await;
    let reports = scene.end().await;
    // After 25 minutes twenty are over; and then every measurement is a report, the first with what was skipped.
    assert_eq!(minutes(&reports)[5..], [5, 30, 34, 35]);
    assert_eq!((&reports[6].1["period"], reports[8].1.get("period")), (&json!(1530), None));
}
