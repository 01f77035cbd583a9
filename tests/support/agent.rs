//! A whole agent in the test's own process, and everything it says.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use container_tracker::config::Config;
use container_tracker::event::{Event, Events};
use container_tracker::instruments::bme280::Bme280;
use container_tracker::instruments::gps::Gps;
use container_tracker::instruments::instrument::Instrument;
use container_tracker::journal::JournalStats;
use container_tracker::journal::inspect::inspect;
use container_tracker::link::timing::Timing;
use container_tracker::platform::clock::{SystemClock, build_date};
use container_tracker::tracker::Tracker;
use serde_json::Value;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tracker_emulator::{Subscription, TelemetryMessage};
use tracker_sensors::bme280::{EnvironmentSensor, Settings};
use tracker_sensors::gps::{ByteSource, PlausibilitySettings, Receiver, ReceiverSettings};
use tracker_sensors::simulated::{Air, Bme280Chip, published_calibration};

/// Far longer than anything takes that works.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// A running agent.
pub struct Agent {
    events: Arc<Mutex<Vec<Event>>>,
    news: watch::Receiver<u64>,
    started: Instant,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<anyhow::Result<JournalStats>>,
}

impl Agent {
    /// Starts an agent with these sensors.
    pub fn start(config: Config, chip: Option<&Bme280Chip>, gps: Option<Box<dyn ByteSource>>) -> Self {
        Self::start_with(config, chip, gps, Timing::default())
    }

    /// Starts an agent with these sensors that waits as long as this.
    pub fn start_with(
        config: Config,
        chip: Option<&Bme280Chip>,
        gps: Option<Box<dyn ByteSource>>,
        mut timing: Timing,
    ) -> Self {
        // The disk of a computer that runs tests is a slow one.
        timing.stop_within = PATIENCE;
        let events = Arc::new(Mutex::new(Vec::new()));
        let (count, news) = watch::channel(0);
        let heard = events.clone();
        let listener = Arc::new(move |event: &Event| {
            heard.lock().unwrap().push(event.clone());
            count.send_modify(|count| *count += 1);
        });
        let plausibility =
            PlausibilitySettings { build_date: Some(build_date().date_naive()), time_scale: 1.0 };
        let settings = ReceiverSettings::new(plausibility, Instant::now());
        let chip = chip.map(|chip| EnvironmentSensor::new(chip.clone(), chip.delay(), Settings::default()));
        let receiver = gps.map(|source| Receiver::new(source, settings));
        let instruments: [Option<Box<dyn Instrument>>; 2] = [
            chip.map(|sensor| Box::new(Bme280::new(sensor)) as _),
            receiver.map(|receiver| Box::new(Gps::new(receiver)) as _),
        ];
        let instruments = instruments.into_iter().flatten().collect();
        let tracker = Tracker {
            config,
            instruments,
            clock: Arc::new(SystemClock::new(true)),
            events: Events::log("test").and_to(listener),
            first_wait: Duration::ZERO,
            timing,
        };
        let (stop, stopped) = oneshot::channel();
        let started = Instant::now();
        let task = tokio::spawn(tracker.run(async move {
            let _ = stopped.await;
        }));
        Self { events, news, started, stop: Some(stop), task }
    }

    /// An agent with a chip in mild air, and without a receiver.
    pub fn simple(config: Config) -> Self {
        Self::start(config, Some(&mild_chip()), None)
    }

    /// Waits until all events so far are as the closure wants them.
    pub async fn wait_until(&mut self, what: &str, done: impl Fn(&[Event]) -> bool) {
        let search = async {
            while !done(&self.events.lock().unwrap()) {
                self.news.changed().await.unwrap();
            }
        };
        let result = timeout(PATIENCE, search).await;
        result.unwrap_or_else(|_| panic!("no {what}; there was:\n{}", self.story()));
    }

    /// Waits for an event, past or to come, whose sentence contains `words`, and gives the sentence.
    pub async fn wait_for_words(&mut self, words: &str) -> String {
        let found =
            |events: &[Event]| events.iter().map(ToString::to_string).find(|text| text.contains(words));
        self.wait_until(words, |events| found(events).is_some()).await;
        found(&self.events()).unwrap_or_default()
    }

    /// Waits until a reading waits in the journal: on a busy computer a cloud beside the agent may be faster than its bus.
    pub async fn wait_for_reading(&self, state_directory: &Path) {
        let begun = Instant::now();
        while inspect(state_directory).ok().flatten().is_none_or(|found| found.backlog == 0) {
            assert!(begun.elapsed() < PATIENCE, "no reading was taken; there was:\n{}", self.story());
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// All sentences so far.
    pub fn story(&self) -> String {
        self.events.lock().unwrap().iter().map(|event| format!("  {event}\n")).collect()
    }

    /// All events so far.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// All events since this was last asked; they are forgotten.
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap())
    }

    /// How long it runs.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Stops it in good order.
    pub async fn stop(mut self) -> JournalStats {
        let _ = self.stop.take().unwrap().send(());
        timeout(PATIENCE, &mut self.task).await.expect("it stops").unwrap().unwrap()
    }
}

impl Agent {
    /// Stops it, and gives all that it said since it was last asked, to the end.
    pub async fn stop_and_tell(self) -> Vec<Event> {
        let events = self.events.clone();
        self.stop().await;
        let events = events.lock().unwrap();
        events.clone()
    }
}

/// A chip in air of 4 °C.
pub fn mild_chip() -> Bme280Chip {
    let chip = Bme280Chip::new(0x76, published_calibration());
    chip.set_air(Air { temperature_c: 4.0, pressure_hpa: 1013.0, humidity_rh: 80.0 });
    chip
}

/// The next message of a device.
pub async fn next_message(
    telemetry: &mut Subscription<TelemetryMessage>,
    device: &str,
) -> Arc<TelemetryMessage> {
    let next = async {
        loop {
            let message = telemetry.next().await.unwrap();
            if message.device_id == device {
                return message;
            }
        }
    };
    timeout(PATIENCE, next).await.expect("telemetry arrives")
}

/// Its body.
pub fn body(message: &TelemetryMessage) -> Value {
    serde_json::from_slice(&message.body).unwrap()
}
