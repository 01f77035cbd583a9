//! A device on a voyage: the real recorder, alarms, places, journal, methods and notary; instruments and clock are moved by hand.

#![allow(clippy::disallowed_methods, reason = "what is written here need not survive a power cut")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracker_sensors::gps::{Fix, GpsState, Position};
use tracker_sensors::health::{Health, State};

use super::hub::Hub;
use super::story::{Before, Step, World};
use crate::alarms::schema::Alarms;
use crate::config::{Alerts, Config, DeliveryMode, Intervals, Pace};
use crate::event::{Event, Events};
use crate::identity::{Identity, KeyLocation};
use crate::instruments::fields::Fields;
use crate::instruments::gps;
use crate::instruments::health::SensorHealth;
use crate::instruments::instrument::{Instrument, Start};
use crate::journal::{Journal, JournalOptions, copy_for};
use crate::places::Fences;
use crate::platform::clock::Clock;
use crate::platform::heartbeat::Heartbeat;
use crate::reading::Stamp;
use crate::recorder::alarm_tests::ManualClock;
use crate::recorder::{AlarmDesk, Recorder, Reports, Sources};
use crate::settings::TripTerms;
use crate::trip::BY_ITSELF;
use crate::uplink::delivery;
use crate::uplink::notary::Notary;
use crate::uplink::trips::Trips;
use crate::whereabouts::{Turns, Whereabouts};

/// UTC when a voyage begins.
pub(super) const ZERO: i64 = 1_790_000_000_000;
pub(super) const DEVICE: &str = "sensor-thl-001";
/// The waiting room's file, beside the others: a power cut takes it.
const ROOM: &str = "room";

/// Who the device is, and who vouches for it.
pub(super) struct Papers {
    directory: TempDir,
    identity: Identity,
    pub(super) root: CertificateDer<'static>,
}

impl Papers {
    pub(super) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let (mut params, key) = (CertificateParams::default(), KeyPair::generate().unwrap());
        params.distinguished_name.push(DnType::CommonName, DEVICE);
        let leaf = params.signed_by(&key, &root).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let [certificate, key_file] = ["chain.pem", "device.key"].map(|name| directory.path().join(name));
        fs::write(&certificate, leaf.pem()).unwrap();
        fs::write(&key_file, key.serialize_pem()).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&key_file, fs::Permissions::from_mode(0o600)).unwrap();
        }
        let key = KeyLocation::File(key_file);
        let identity = Identity::load(&certificate, &key, directory.path()).unwrap();
        Self { directory, identity, root: CertificateDer::from(root.der().to_vec()) }
    }

    fn certificate(&self) -> PathBuf {
        self.directory.path().join("chain.pem")
    }
}

/// How a device is set up, the same for all its life.
pub(super) struct Setup<'a> {
    pub(super) papers: &'a Papers,
    pub(super) interval: Duration,
    pub(super) alarms: Alarms,
    pub(super) alerts: Alerts,
    pub(super) fences: Value,
    pub(super) mode: DeliveryMode,
}

/// All instruments in one, which show what they are told.
struct Dials {
    number: u64,
    world: World,
    position: watch::Receiver<GpsState>,
}

impl Instrument for Arc<Mutex<Dials>> {
    fn name(&self) -> &'static str {
        "bme280"
    }

    fn start(&mut self, _: &mut Start<'_>) -> io::Result<()> {
        Ok(())
    }

    fn health(&self) -> SensorHealth {
        SensorHealth::of(watch::Sender::new(Health::default()).subscribe())
    }

    fn read(&mut self, fields: &mut Fields) {
        let Dials { number, world, position } = &*self.lock().unwrap();
        fields.count("n", *number);
        fields.number("temperature", world.temperature, 2);
        fields.number("humidity", world.humidity, 2);
        match &position.borrow().fix {
            Some(fix) => gps::tell(fix, fields),
            None => fields.word("fix", "none"),
        }
        fields.word("door", if world.door_open { "open" } else { "closed" });
        fields.count("doorOpenings", world.openings);
        fields.note(Fields::DOOR_OPEN, f64::from(u8::from(world.door_open)));
    }
}

/// A device with its disk, from one start of the program to the next.
pub(super) struct Device<'a> {
    setup: &'a Setup<'a>,
    disk: TempDir,
    /// Disks of earlier starts, whose threads may not have ended yet.
    left: Vec<TempDir>,
    /// What is wrong.
    troubles: Arc<Mutex<Vec<String>>>,
    clock: Arc<ManualClock>,
    journal: Arc<Journal>,
    recorder: Recorder,
    pub(super) trips: Trips,
    dials: Arc<Mutex<Dials>>,
    position: watch::Sender<GpsState>,
    health: watch::Sender<Health>,
    /// Kept so that the setting goes on being there.
    _settings: (watch::Sender<Pace>, watch::Sender<Arc<Fences>>, watch::Sender<Alarms>),
}

/// In memory where there is some: a disk is waited for at every commit.
fn directory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

impl<'a> Device<'a> {
    pub(super) async fn new(setup: &'a Setup<'a>, step: &Step) -> Self {
        Self::start(setup, directory(), step).await
    }

    /// As it begins to work, in the boot of this step, with what the disk has.
    async fn start(setup: &'a Setup<'a>, disk: TempDir, step: &Step) -> Self {
        let boot = format!("boot at {}", step.boot_at);
        let clock = Arc::new(ManualClock { boot: boot.clone(), now: Mutex::new(now(step)) });
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let heard = troubles.clone();
        let events = Events::to(
            "test",
            Arc::new(move |event: &Event| {
                if let Event::Trouble(what) = event {
                    heard.lock().unwrap().push(what.clone());
                }
            }),
        );
        let waiting_room = Some(disk.path().join(ROOM));
        let options =
            JournalOptions { directory: disk.path().into(), size_bound: 1 << 26, waiting_room, boot };
        let journal = Arc::new(Journal::open(options, events.clone()).unwrap());
        let (position, health) =
            (watch::Sender::new(GpsState::default()), watch::Sender::new(Health::default()));
        let settings = (
            watch::Sender::new(Pace { interval: setup.interval, by_state: Intervals::default() }),
            watch::Sender::new(Arc::new(Fences::read(&setup.fences).unwrap())),
            watch::Sender::new(setup.alarms.clone()),
        );
        let trips = Trips {
            journal: journal.clone(),
            clock: clock.clone(),
            terms: TripTerms::by_hand(settings.0.subscribe(), &setup.alerts),
            signs: Arc::new(Notify::new()),
        };
        assert!(journal.set_evidence(Some(trips.terms.now(BY_ITSELF))));
        let turns = Turns {
            fences: watch::Sender::default().subscribe(),
            terms: trips.terms.clone(),
            signs: trips.signs.clone(),
        };
        let mut whereabouts =
            Whereabouts::new(settings.1.subscribe(), turns, Some(position.subscribe()), events.clone());
        let sources = Sources {
            sensors: vec![("bme280", SensorHealth::of(health.subscribe()))],
            position: Some(position.subscribe()),
            here: whereabouts.here(),
            certificate: setup.papers.certificate(),
            first_root_end: watch::channel(None).1,
            journal: journal.clone(),
        };
        let desk = AlarmDesk::new(sources, clock.clone(), events, settings.2.subscribe());
        let states = journal.states().unwrap().await.unwrap();
        whereabouts.begin(&states);
        desk.begin(states);
        let dials = Dials { number: 0, world: World::default(), position: position.subscribe() };
        let dials = Arc::new(Mutex::new(dials));
        let recorder = Recorder {
            instruments: vec![Box::new(dials.clone())],
            reports: Reports::new(*settings.0.borrow()),
            pace: settings.0.subscribe(),
            journal: journal.clone(),
            clock: clock.clone(),
            whereabouts,
            alerts: setup.alerts.clone(),
            alarms: Arc::new(desk),
            sighting: watch::Sender::default(),
            heart: Heartbeat::default(),
        };
        Self {
            setup,
            disk,
            left: Vec::new(),
            troubles,
            clock,
            journal,
            recorder,
            trips,
            dials,
            position,
            health,
            _settings: settings,
        }
    }

    /// What becomes of the device before this step.
    pub(super) async fn before(self, step: &Step) -> Self {
        if matches!(step.before, Before::Restart | Before::Boot { in_good_order: true }) {
            self.journal.close().await;
        }
        let disk = match step.before {
            Before::Nothing => return self,
            Before::Kill | Before::Restart => self.copy(true),
            Before::Boot { .. } => self.copy(false),
        };
        let next = Self::start(self.setup, disk, step).await;
        let Self { mut left, disk, .. } = self.end().await;
        left.push(disk);
        Self { left, ..next }
    }

    /// Its journal is closed, and nothing was wrong.
    pub(super) async fn end(self) -> Self {
        self.journal.close().await;
        assert_eq!(*self.troubles.lock().unwrap(), [""; 0]);
        self
    }

    /// The disk as it is at this moment, and the memory that outlives a program.
    fn copy(&self, with_memory: bool) -> TempDir {
        let copy = directory();
        let [from, to] = [self.disk.path(), copy.path()];
        let kept = || {
            ["journal.db", "journal.db-wal", "evidence.json", ROOM]
                .map(|name| (name, fs::read(from.join(name)).ok()))
        };
        loop {
            let files = kept();
            if with_memory {
                copy_for((from, &from.join(ROOM)), (to, &to.join(ROOM)));
            }
            // The journal's thread may be at work: nothing is torn where nothing has changed meanwhile.
            if files == kept() {
                for (name, content) in files.into_iter().filter(|(name, _)| *name != ROOM) {
                    if let Some(content) = content {
                        fs::write(to.join(name), content).unwrap();
                    }
                }
                return copy;
            }
        }
    }

    /// Takes a reading.
    pub(super) async fn take(&mut self, number: usize, step: &Step) {
        *self.clock.now.lock().unwrap() = now(step);
        let fix = step.world.fix.map(|(here, hdop)| fix(here, hdop));
        self.position.send_replace(GpsState { fix, ..GpsState::default() });
        let state = if step.world.chip_failed { State::Failed } else { State::Ok };
        self.health.send_replace(Health { state, ..Health::default() });
        {
            let mut dials = self.dials.lock().unwrap();
            (dials.number, dials.world) = (number as u64, step.world.clone());
        }
        self.recorder.record(Instant::now()).await;
    }

    /// Minutes pass until the next reading: what was taken is durable long before.
    pub(super) async fn rest(&self) {
        self.journal.commit().await;
    }

    /// Sends so much; what has arrived is acknowledged, unless the link breaks before. Whether there was anything.
    pub(super) async fn send(&self, limit: usize, is_answered: bool, hub: &mut Hub) -> bool {
        let lease = self.journal.lease(limit, Stamp::now(&*self.clock)).await;
        let is_any = !lease.is_empty();
        for delivery::Message { seqs, publish } in delivery::messages(lease, DEVICE, self.setup.mode) {
            hub.take(&publish);
            let mut seqs = if is_answered { seqs } else { Vec::new() };
            while let Err(again) = self.journal.acknowledge(seqs) {
                seqs = again;
                tokio::task::yield_now().await;
            }
        }
        self.journal.release().await;
        is_any
    }

    /// A method is called; its body.
    pub(super) async fn call(&self, method: &str, payload: &Value) -> Value {
        let (status, body) = self.trips.call(method, payload.to_string().as_bytes()).await;
        assert_eq!(status, 200, "{method}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// The notary signs, and has written down that it has.
    pub(super) async fn sign(&self) {
        let path = self.disk.path().join("evidence.json");
        let mut config = Config::parse(
            Path::new("tracker.toml"),
            "[dps]\nid_scope = \"0ne00A1B2C3\"\n[identity]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n",
        )
        .unwrap();
        config.state.directory = self.disk.path().into();
        let notary = Notary {
            journal: self.journal.clone(),
            clock: self.clock.clone(),
            evidence: watch::Sender::new(true).subscribe(),
            terms: self.trips.terms.clone(),
            wanted: self.trips.signs.clone(),
            looks: watch::Sender::default(),
            identity: watch::Sender::new(Some(self.setup.papers.identity.clone())).subscribe(),
            config,
            events: Events::log(""),
        };
        self.trips.signs.notify_one();
        let now = serde_json::to_value(self.clock.utc()).unwrap();
        let is_signed = || {
            let text = fs::read_to_string(&path).unwrap_or_default();
            serde_json::from_str::<Value>(&text).is_ok_and(|signed| signed["at"] == now)
        };
        let running = tokio::spawn(notary.run());
        while !is_signed() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
    }
}

/// What its clock shows.
fn now(step: &Step) -> (Duration, Option<DateTime<Utc>>) {
    let utc = step.knows_time.then(|| DateTime::from_timestamp_millis(ZERO + step.at).unwrap());
    (Duration::from_millis((step.at - step.boot_at) as u64), utc)
}

fn fix((longitude, latitude): (f64, f64), hdop: f64) -> Fix {
    Fix {
        time: chrono::NaiveTime::MIN,
        date: None,
        position: Position { latitude, longitude },
        altitude_m: None,
        speed_kn: None,
        course_deg: None,
        quality: Some(1),
        satellites: None,
        hdop: Some(hdop),
        sources: Vec::new(),
        spread_m: 0.0,
        end: 0,
        received_at: Duration::ZERO,
    }
}
