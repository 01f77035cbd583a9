//! Many trackers in one process, and where each of them stands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracker_emulator::Emulator;
use tracker_emulator::pki::{CertificateAuthority, Validity};
use tracker_sensors::bme280::{EnvironmentSensor, Settings};
use tracker_sensors::simulated::{Air, Bme280Chip, published_calibration};

use super::timing::timing;
use crate::config::{Config, Interval};
use crate::event::{Event, Events};
use crate::instruments::bme280::Bme280;
use crate::journal::JournalStats;
use crate::lab::local_cloud::{SERVER_CA_FILE, device_config, write};
use crate::link::timing::Timing;
use crate::platform::clock::SystemClock;
use crate::tracker::Tracker;

/// Far longer than anything takes that works, for hundreds of devices on two cores.
const PATIENCE: Duration = Duration::from_mins(2);

/// Where a device stands, as it says itself.
#[derive(Debug, Clone, Default)]
pub(super) struct View {
    /// The hub it is connected to.
    pub(super) online_at: Option<String>,
    /// Why DPS will not have it.
    pub(super) refused: Option<String>,
    /// How often DPS has assigned it.
    pub(super) assigned: u32,
    /// Readings acknowledged.
    pub(super) delivered: u64,
    /// How often a certificate that Azure has issued was taken by the hub for the first time.
    pub(super) issued: u32,
    /// The end of the one in use.
    pub(super) until: Option<DateTime<Utc>>,
}

/// The trackers.
pub(super) struct Fleet {
    directory: PathBuf,
    id_scope: String,
    port: u16,
    views: Arc<Mutex<BTreeMap<String, View>>>,
    news: watch::Sender<()>,
    stop: watch::Sender<bool>,
    trackers: JoinSet<anyhow::Result<JournalStats>>,
}

impl Fleet {
    pub(super) fn new(directory: &Path, emulator: &Emulator) -> anyhow::Result<Self> {
        write(&directory.join(SERVER_CA_FILE), &emulator.server_ca_pem(), 0o644)?;
        Ok(Self {
            directory: directory.into(),
            id_scope: emulator.id_scope().into(),
            port: emulator.port(),
            views: Arc::default(),
            news: watch::Sender::new(()),
            stop: watch::Sender::new(false),
            trackers: JoinSet::new(),
        })
    }

    /// Puts a certificate, made by `factory`, where the device finds it; also in place of an older one. Gives it back.
    pub(super) fn certificate(&self, id: &str, factory: &CertificateAuthority) -> anyhow::Result<String> {
        let credentials = factory.device(id, Validity::always())?;
        let directory = self.directory.join(id);
        std::fs::create_dir_all(&directory).with_context(|| format!("can't make {}", directory.display()))?;
        write(&directory.join("device.key"), &credentials.key_pem, 0o600)?;
        write(&directory.join("device.pem"), &credentials.chain_pem, 0o644)?;
        Ok(credentials.certificate_pem)
    }

    /// Switches a tracker on.
    pub(super) fn start(&mut self, id: &str) {
        self.start_with(id, |_, _| {});
    }

    /// Switches a tracker on that is otherwise than the others.
    pub(super) fn start_with(&mut self, id: &str, adjust: impl FnOnce(&mut Config, &mut Timing)) {
        let roots = self.directory.join(SERVER_CA_FILE);
        let mut config = device_config(&self.directory.join(id), &self.id_scope, roots, self.port);
        config.telemetry.interval = Interval::HOUR;
        let mut timing = timing();
        adjust(&mut config, &mut timing);
        let chip = Bme280Chip::new(0x76, published_calibration());
        chip.set_air(Air { temperature_c: 4.0, pressure_hpa: 1013.0, humidity_rh: 80.0 });
        let (views, news, device) = (self.views.clone(), self.news.clone(), id.to_owned());
        lock(&views).insert(device.clone(), View::default());
        let listener = Arc::new(move |event: &Event| {
            if let Some(view) = lock(&views).get_mut(&device) {
                follow(view, event);
            }
            news.send_replace(());
        });
        let tracker = Tracker {
            config,
            instruments: vec![Box::new(Bme280::new(EnvironmentSensor::new(
                chip.clone(),
                chip.delay(),
                Settings::default(),
            )))],
            clock: Arc::new(SystemClock::new(true)),
            events: Events::to(id, listener),
            first_wait: Duration::ZERO,
            timing,
        };
        let mut stopped = self.stop.subscribe();
        self.trackers.spawn(tracker.run(async move {
            let _ = stopped.wait_for(|stopped| *stopped).await;
        }));
    }

    /// Where a device stands.
    pub(super) fn view(&self, id: &str) -> View {
        lock(&self.views).get(id).cloned().unwrap_or_default()
    }

    /// How many devices are as the closure wants them.
    pub(super) fn count(&self, wanted: impl Fn(&View) -> bool) -> usize {
        lock(&self.views).values().filter(|view| wanted(view)).count()
    }

    /// Waits until the fleet is as the closure wants it. Whether it came to that.
    pub(super) async fn wait_until(&self, wanted: impl Fn(&BTreeMap<String, View>) -> bool) -> bool {
        let mut news = self.news.subscribe();
        let search = async {
            while !wanted(&lock(&self.views)) {
                if news.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(PATIENCE, search).await.is_ok()
    }

    /// Switches all trackers off, and gives the totals.
    pub(super) async fn stop(mut self) -> anyhow::Result<JournalStats> {
        self.stop.send_replace(true);
        let mut totals = JournalStats::default();
        while let Some(stats) = self.trackers.join_next().await {
            let stats = stats??;
            totals.taken += stats.taken;
            totals.acknowledged += stats.acknowledged;
            totals.backlog += stats.backlog;
            totals.dropped += stats.dropped;
        }
        Ok(totals)
    }
}

fn follow(view: &mut View, event: &Event) {
    match event {
        Event::Online { hub, .. } => {
            view.online_at = Some(hub.clone());
            view.refused = None;
        }
        Event::Lost { .. } | Event::CertificateChanged => view.online_at = None,
        Event::Refused { refusal, .. } => view.refused = Some(refusal.to_string()),
        Event::Assigned { .. } => {
            view.assigned += 1;
            view.refused = None;
        }
        Event::Delivered { .. } => view.delivered += 1,
        Event::CertificateRenewed { until, .. } => {
            view.issued += 1;
            view.until = Some(*until);
        }
        _ => {}
    }
}

fn lock(views: &Mutex<BTreeMap<String, View>>) -> MutexGuard<'_, BTreeMap<String, View>> {
    views.lock().unwrap_or_else(PoisonError::into_inner)
}
