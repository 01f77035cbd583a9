//! The direct methods about trips: begin one, end it, ask how it goes.

use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use crate::journal::Journal;
use crate::platform::clock::Clock;
use crate::reading::Stamp;
use crate::settings::TripTerms;
use crate::trip::BY_ITSELF;

/// The methods that are answered here.
pub const METHODS: [&str; 3] = ["startTrip", "endTrip", "getTripReport"];

/// What the methods need.
#[derive(Clone)]
pub struct Trips {
    /// Keeps the trip.
    pub journal: Arc<Journal>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// By what they are measured.
    pub terms: TripTerms,
    /// The end of a trip is signed.
    pub signs: Arc<Notify>,
}

impl Trips {
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
        let terms = match wish.and_then(|wish| self.terms.of_wish(&wish, "method")) {
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
