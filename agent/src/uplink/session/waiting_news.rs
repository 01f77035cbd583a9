//! When the number of readings that wait is reported. It changes all the time: it is told with other news, and by itself once
//! an hour at the most.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;
use tracker_protocol::hub::TwinClient;

/// Where the number stands in reported properties.
const JOURNAL: &str = "journal";
const WAITING: &str = "waiting";

/// When the number of readings that wait is news by itself.
#[derive(Debug, Clone, Copy)]
pub struct WaitingNews {
    every: Duration,
    due: Instant,
}

impl WaitingNews {
    /// So long after now, and so often after that, at the most: what an earlier start has reported may be as young.
    pub fn new(now: Instant, every: Duration) -> Self {
        Self { every, due: now + every }
    }

    /// When to look whether it is.
    pub(super) fn due(&self) -> Instant {
        self.due
    }

    /// Whether it is time to look. Where so many wait as were told, it is no news, and the next look is put off.
    pub(super) fn is_due(&mut self, waiting: u64, twin: &TwinClient, now: Instant) -> bool {
        let is_due = self.due <= now;
        if is_due && told(twin).and_then(Value::as_u64) == Some(waiting) {
            self.due = now + self.every;
            return false;
        }
        is_due
    }

    /// Leaves the number in `properties`, which are to be reported, as it was told last, unless something else there is news
    /// or it is time for it.
    pub(super) fn settle(&mut self, properties: &mut Map<String, Value>, twin: &TwinClient, now: Instant) {
        if let Some(told) = told(twin) {
            let waiting = replace(properties, told.clone());
            let is_news =
                |(name, value): (&String, &Value)| twin.last_reported(name).unwrap_or(&Value::Null) != value;
            if now < self.due && !properties.iter().any(is_news) {
                return;
            }
            replace(properties, waiting);
        }
        self.due = now + self.every;
    }
}

/// What was last told of the readings that wait.
fn told(twin: &TwinClient) -> Option<&Value> {
    twin.last_reported(JOURNAL)?.get(WAITING)
}

/// Gives the number that stood there.
fn replace(properties: &mut Map<String, Value>, waiting: Value) -> Value {
    let place = properties.get_mut(JOURNAL).and_then(|journal| journal.get_mut(WAITING));
    place.map(|place| std::mem::replace(place, waiting)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tracker_protocol::hub::{DeviceTopic, TwinEvent, TwinStep};

    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    /// A hub that takes every report, and the device before it.
    struct Scene {
        twin: TwinClient,
        news: WaitingNews,
        begun: Instant,
        reports: Vec<Value>,
    }

    impl Scene {
        fn new(held: &Value) -> Self {
            let begun = Instant::now();
            let news = WaitingNews::new(begun, HOUR);
            let mut scene = Self { twin: TwinClient::new(), news, begun, reports: Vec::new() };
            scene.connect(held);
            scene
        }

        /// A connection to a hub that holds this.
        fn connect(&mut self, held: &Value) {
            let asked = self.twin.handle(Duration::ZERO, TwinEvent::Subscribed);
            let twin = json!({"desired": {"$version": 1}, "reported": held}).to_string();
            self.answer(asked, &twin);
        }

        fn answer(&mut self, steps: Vec<TwinStep>, body: &str) {
            for step in steps {
                let TwinStep::Publish(publish) = step else { continue };
                let (request_id, status) = match publish.topic.parse().unwrap() {
                    DeviceTopic::TwinGet { request_id } => (request_id, 200),
                    DeviceTopic::ReportedPatch { request_id } => {
                        self.reports.push(serde_json::from_slice(&publish.payload).unwrap());
                        (request_id, 204)
                    }
                    other => panic!("{other}"),
                };
                let response =
                    TwinEvent::Response { status, request_id: &request_id, payload: body.as_bytes() };
                let next = self.twin.handle(Duration::ZERO, response);
                self.answer(next, "");
            }
        }

        /// So many wait, so long after the begin.
        fn report(&mut self, after: Duration, state: &str, waiting: u64) {
            let mut properties = Map::new();
            properties.insert(JOURNAL.into(), json!({"state": state, "waiting": waiting}));
            properties.insert("gone".into(), Value::Null);
            self.news.settle(&mut properties, &self.twin, self.begun + after);
            let steps = self.twin.report(after, properties);
            self.answer(steps, "");
        }

        fn told(&self) -> &Value {
            told(&self.twin).unwrap()
        }
    }

    #[test]
    fn a_number_that_changes_all_the_time_is_told_once_an_hour_and_with_other_news() {
        let mut scene = Scene::new(&json!({}));
        for second in 0..7200 {
            scene.report(Duration::from_secs(second), "ok", 100 + second);
        }
        assert_eq!(scene.reports.len(), 2, "{:?}", scene.reports);
        assert_eq!(scene.told(), 3700);
        scene.report(HOUR * 2, "memory", 7);
        assert_eq!((scene.reports.len(), scene.told()), (3, &json!(7)));
        scene.report(HOUR * 3 - Duration::from_secs(1), "memory", 8);
        assert_eq!(scene.told(), 7, "an hour after it was last told");
        scene.report(HOUR * 3, "memory", 9);
        assert_eq!((scene.reports.len(), scene.told()), (4, &json!(9)));
    }

    #[test]
    fn starts_and_connections_are_no_news() {
        let held = json!({"journal": {"state": "ok", "waiting": 5}});
        let mut scene = Scene::new(&held);
        scene.report(Duration::from_secs(1), "ok", 600);
        scene.connect(&held);
        scene.report(Duration::from_secs(2), "ok", 700);
        assert_eq!(scene.reports, Vec::<Value>::new());
        // Another client has reported something there.
        scene.connect(&json!({"journal": {"state": "ok", "waiting": 6}}));
        scene.report(Duration::from_secs(3), "ok", 800);
        assert_eq!(scene.told(), 5);
        scene.report(HOUR, "ok", 900);
        assert_eq!(scene.told(), 900);
    }

    #[test]
    fn what_an_earlier_version_has_reported_is_completed() {
        let mut scene = Scene::new(&json!({"journal": {"state": "ok"}}));
        scene.report(Duration::from_secs(1), "ok", 0);
        assert_eq!(scene.reports, [json!({"journal": {"state": "ok", "waiting": 0}})]);
    }
}
