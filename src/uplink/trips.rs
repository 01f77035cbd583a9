//! The direct methods about trips: begin one, end it, ask how it goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::{Notify, watch};

use crate::config::{Alerts, Config, Pace};
use crate::journal::Journal;
use crate::platform::clock::Clock;
use crate::reading::Stamp;
use crate::trip::{Limits, Terms};

/// The methods that are answered here.
pub const METHODS: [&str; 3] = ["startTrip", "endTrip", "getTripReport"];

/// Who begins the trip that is under way as long as nobody has begun one.
const BY_ITSELF: &str = "provisioning";

/// What the methods need.
#[derive(Clone)]
pub struct Trips {
    /// Keeps the trip.
    pub journal: Arc<Journal>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Between readings.
    pub pace: watch::Receiver<Pace>,
    /// Bounds in force.
    pub bounds: BTreeMap<String, Limits>,
    /// What the configuration says of the sensors.
    pub calibration: Map<String, Value>,
    /// The end of a trip is signed.
    pub signs: Arc<Notify>,
}

impl Trips {
    /// The terms of the trip that begins by itself.
    pub fn first_terms(&self) -> Terms {
        // Nothing that could be refused is wished for.
        self.terms(&Value::Null, BY_ITSELF).unwrap_or_default()
    }

    fn terms(&self, wish: &Value, by: &str) -> Result<Terms, String> {
        let interval_s = self.pace.borrow().longest().as_secs();
        let terms = Terms::of_wish(wish, by, interval_s, &self.bounds).map_err(|error| error.to_string())?;
        Ok(Terms { calibration: self.calibration.clone(), ..terms })
    }

    /// Answers a call with a status, numbered as in HTTP, and a body, which is JSON.
    pub async fn call(&self, name: &str, payload: &[u8]) -> (i32, String) {
        let (status, body) = match name {
            "startTrip" => self.start(payload).await,
            "endTrip" => self.end().await,
            _ => report(self.journal.trip_report().await),
        };
        (status, body.to_string())
    }

    async fn start(&self, payload: &[u8]) -> (i32, Value) {
        let payload = payload.trim_ascii();
        let wish = if payload.is_empty() { Ok(Value::Null) } else { serde_json::from_slice(payload) };
        let wish = wish.map_err(|error| format!("it is no JSON: {error}"));
        let terms = match wish.and_then(|wish| self.terms(&wish, "method")) {
            Ok(terms) => terms,
            Err(why) => return refusal(400, &why),
        };
        let stamp = Stamp::now(&*self.clock);
        let under_way = self.journal.trip_report().await;
        let by_itself = under_way.as_ref().is_some_and(|report| report["by"] == BY_ITSELF);
        if under_way.is_some() && !by_itself {
            return refusal(409, "a trip is under way; end it with endTrip");
        }
        if by_itself {
            self.journal.end_trip(stamp).await;
        }
        if !self.journal.begin_trip(terms.clone(), stamp).await {
            return refusal(
                409,
                "the time is not known yet, and a trip without times proves nothing; call again later",
            );
        }
        (200, terms.to_map().into())
    }

    async fn end(&self) -> (i32, Value) {
        let report = report(self.journal.end_trip(Stamp::now(&*self.clock)).await);
        if report.0 == 200 {
            self.signs.notify_one();
        }
        report
    }
}

fn report(report: Option<Map<String, Value>>) -> (i32, Value) {
    report.map_or_else(
        || refusal(404, "no trip is under way; begin one with startTrip"),
        |report| (200, report.into()),
    )
}

fn refusal(status: i32, why: &str) -> (i32, Value) {
    (status, json!({ "message": why }))
}

/// The bounds of the configuration, by field.
pub fn bounds(alerts: &Alerts) -> BTreeMap<String, Limits> {
    let Alerts { temperature_low, temperature_high, humidity_low, humidity_high } = *alerts;
    let fields =
        [("temperature", temperature_low, temperature_high), ("humidity", humidity_low, humidity_high)];
    let set = fields.into_iter().filter(|(_, low, high)| low.or(*high).is_some());
    set.map(|(name, low, high)| (name.to_owned(), Limits { low, high })).collect()
}

/// What the configuration says of the sensors' calibration, by sensor.
pub fn calibration(config: &Config) -> Map<String, Value> {
    let of_bme280 = config.sensors.bme280.calibration.report();
    of_bme280.map(|report| ("bme280".to_owned(), report)).into_iter().collect()
}
