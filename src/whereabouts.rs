//! Where the container is among the fences of the twin, reading after reading: follows the setting, and makes event messages
//! of what happens there.
//!
//! What is known of the fences is kept in the journal, in one transaction with the events and the reading that showed it, and
//! only when it changes: every event comes once, whatever happens on the way, and the card does not wear.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tracker_sensors::gps::GpsState;

use crate::event::{Event, Events};
use crate::event_message::{EventMessage, When};
use crate::instruments::fields::{Fields, POSITION_DECIMALS, rounded};
use crate::journal::Bundle;
use crate::places::{Crossing, Fences, Fix, Standing, Tracker};
use crate::reading::Stamp;

/// The name of the state in the journal.
const STATE: &str = "places";

/// What follows the container among fences.
#[derive(Debug)]
pub struct Whereabouts {
    fences: watch::Receiver<Arc<Fences>>,
    position: Option<watch::Receiver<GpsState>>,
    /// `None` until the journal has said where the last start stood.
    tracker: Option<Tracker>,
    events: Events,
}

impl Whereabouts {
    /// Waits for [`Whereabouts::begin`], and looks at nothing before.
    pub fn new(
        fences: watch::Receiver<Arc<Fences>>,
        position: Option<watch::Receiver<GpsState>>,
        events: Events,
    ) -> Self {
        Self { fences, position, tracker: None, events }
    }

    /// Goes on from what the journal has kept. Where that can't be read the next fix tells anew.
    pub fn begin(&mut self, states: &BTreeMap<String, String>) {
        let standing = states.get(STATE).map_or(Ok(Standing::default()), |state| serde_json::from_str(state));
        let standing = standing.unwrap_or_else(|error| {
            let what =
                format!("in which fences the container was can't be read ({error}); the next fix tells anew");
            self.events.emit(Event::Trouble(what));
            Standing::default()
        });
        self.tracker = Some(Tracker::new(self.fences.borrow_and_update().clone(), &standing));
    }

    /// Whether it is in one of the fences, as far as was told.
    pub fn is_in_fence(&self) -> bool {
        self.tracker.as_ref().is_some_and(|tracker| tracker.place().is_some())
    }

    /// Where it is, if the receiver has a fix.
    pub fn fix(&self, stamp: Stamp) -> Option<Fix> {
        fix(self.position.as_ref(), stamp)
    }

    /// Takes the fix of a reading: sets its field `place`. Gives what is to be stored beside the reading, if anything has
    /// happened since the last one. Without fences, or without a fix, nothing is done and nothing said.
    pub fn look(&mut self, stamp: Stamp, fields: &mut Fields) -> Option<Bundle> {
        let tracker = self.tracker.as_mut()?;
        let mut has_changed = false;
        if self.fences.has_changed().unwrap_or_default() {
            let before = tracker.standing();
            tracker.set(self.fences.borrow_and_update().clone());
            has_changed = tracker.standing() != before;
        }
        let mut events = Vec::new();
        if let Some(fix) = (!tracker.is_idle()).then(|| fix(self.position.as_ref(), stamp)).flatten() {
            let (crossings, is_news) = tracker.fix(&fix);
            has_changed |= is_news;
            for crossing in crossings {
                events.push(message(&crossing));
                self.events.emit(Event::Fence { kind: crossing.kind, fence: crossing.fence });
            }
            if let Some(place) = tracker.place() {
                fields.word("place", place);
            }
        }
        if events.is_empty() && !has_changed {
            return None;
        }
        // Names can be written as JSON, and lists of them.
        let state = serde_json::to_string(&tracker.standing()).unwrap_or_default();
        let states = if has_changed { vec![(STATE, state)] } else { Vec::new() };
        Some(Bundle { stamp, events, reading: None, states })
    }
}

fn fix(position: Option<&watch::Receiver<GpsState>>, stamp: Stamp) -> Option<Fix> {
    let state = position?.borrow();
    let fix = state.fix.as_ref()?;
    let (longitude, latitude) = (fix.position.longitude, fix.position.latitude);
    Some(Fix { at: stamp.monotonic, longitude, latitude, hdop: fix.hdop })
}

/// What the hub is told of it.
fn message(crossing: &Crossing) -> EventMessage {
    let Crossing { kind, fence, fix, from } = crossing;
    let location = |fix: &Fix| {
        let (lat, lon) =
            (rounded(fix.latitude, POSITION_DECIMALS), rounded(fix.longitude, POSITION_DECIMALS));
        json!({"lat": lat, "lon": lon})
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.into(), value);
    put("place", (**fence).into());
    put("state", kind.as_str().into());
    put("location", location(fix));
    if let Some(hdop) = fix.hdop {
        put("hdop", rounded(hdop, 2).into());
    }
    if let Some(from) = from {
        put("from", location(from));
    }
    let mut event = EventMessage::new("place", fence, kind.as_str(), Value::Object(fields).to_string());
    if let Some(from) = from {
        // When the line began, which says how long the way took that nobody has seen.
        let ago = fix.at.saturating_sub(from.at).as_millis();
        event.moment("begin", When::Ago(i64::try_from(ago).unwrap_or(i64::MAX)));
    }
    event
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tracker_sensors::gps::{self, Position};

    use super::*;

    fn fences(names: &[&str]) -> Arc<Fences> {
        let fence = |(index, name): (usize, &&str)| {
            let radius = 100 * (index + 1);
            let geometry = json!({"type": "Point", "coordinates": [4.3, 51.95]});
            json!({"type": "Feature", "properties": {"name": name, "radius": radius}, "geometry": geometry})
        };
        let list: Vec<_> = names.iter().enumerate().map(fence).collect();
        Arc::new(Fences::read(&json!(list)).unwrap())
    }

    fn at(latitude: f64) -> GpsState {
        let fix = gps::Fix {
            time: chrono::NaiveTime::MIN,
            date: None,
            position: Position { latitude, longitude: 4.3 },
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

    /// A tracker's surroundings, and what its journal keeps.
    struct Scene {
        fences: watch::Sender<Arc<Fences>>,
        position: watch::Sender<GpsState>,
        kept: BTreeMap<String, String>,
        whereabouts: Whereabouts,
        /// Bundles so far.
        stored: usize,
    }

    impl Scene {
        fn new(names: &[&str]) -> Self {
            let (fences, position) = (watch::Sender::new(fences(names)), watch::Sender::default());
            let whereabouts =
                Whereabouts::new(fences.subscribe(), Some(position.subscribe()), Events::log(""));
            let mut scene = Self { fences, position, kept: BTreeMap::new(), whereabouts, stored: 0 };
            scene.start();
            scene
        }

        fn start(&mut self) {
            let (fences, position) = (self.fences.subscribe(), Some(self.position.subscribe()));
            self.whereabouts = Whereabouts::new(fences, position, Events::log(""));
            self.whereabouts.begin(&self.kept);
        }

        /// What is told of a reading, and its fields.
        fn look(&mut self) -> (Vec<(String, String)>, String) {
            let mut fields = Fields::default();
            let bundle = self.whereabouts.look(STAMP, &mut fields);
            self.stored += usize::from(bundle.is_some());
            let Bundle { events, states, .. } = bundle.unwrap_or(Bundle {
                stamp: STAMP,
                events: Vec::new(),
                reading: None,
                states: Vec::new(),
            });
            self.kept.extend(states.into_iter().map(|(name, state)| (name.to_owned(), state)));
            let told = events.iter().map(|event| {
                let property = |name: &str| event.head.properties[name].clone();
                (property("state"), property("place"))
            });
            (told.collect(), fields.into_json())
        }
    }

    const STAMP: Stamp = Stamp { utc: None, monotonic: Duration::from_mins(1) };

    fn told(events: &[(&str, &str)], fields: &str) -> (Vec<(String, String)>, String) {
        let events = events.iter().map(|(state, place)| ((*state).to_owned(), (*place).to_owned()));
        (events.collect(), fields.to_owned())
    }

    #[test]
    fn the_standing_is_kept_over_a_restart_and_the_place_is_the_smallest() {
        let mut scene = Scene::new(&["gate 1", "yard"]);
        assert_eq!(scene.look(), told(&[], "{}"), "no fix, no place");
        scene.position.send_replace(at(51.95));
        let inside = [("inside", "gate 1"), ("inside", "yard")];
        assert_eq!(scene.look(), told(&inside, r#"{"place":"gate 1"}"#));
        scene.start();
        assert_eq!(scene.look(), told(&[], r#"{"place":"gate 1"}"#), "it was told before");
        scene.position.send_replace(GpsState::default());
        assert_eq!(scene.look(), told(&[], "{}"), "without a fix nobody knows");
        // It went away while nobody looked.
        scene.position.send_replace(at(51.98));
        scene.start();
        assert_eq!(scene.look(), told(&[("exit", "gate 1"), ("exit", "yard")], "{}"));
        scene.start();
        assert_eq!((scene.look(), scene.stored), (told(&[], "{}"), 2));
    }

    #[test]
    fn nothing_is_stored_where_nothing_changes() {
        let mut scene = Scene::new(&["yard"]);
        scene.position.send_replace(at(51.95));
        scene.look();
        for _ in 0..100 {
            scene.look();
        }
        scene.fences.send_replace(fences(&["yard"]));
        scene.look();
        assert_eq!(scene.stored, 1);
        scene.fences.send_replace(fences(&[]));
        assert_eq!((scene.look(), scene.stored), (told(&[], "{}"), 2), "a fence that is gone is forgotten");
        assert_eq!(scene.kept["places"], r#"{"inside":[],"outside":[]}"#);
        let mut scene = Scene::new(&[]);
        scene.position.send_replace(at(51.95));
        assert_eq!(
            (scene.look(), scene.stored),
            (told(&[], "{}"), 0),
            "a tracker without fences stores nothing"
        );
    }

    #[test]
    fn a_state_that_is_damaged_is_done_without_and_nothing_is_said_before_it_is_known() {
        let mut scene = Scene::new(&["yard"]);
        scene.kept.insert(STATE.into(), "{\"inside\": [\"ya".into());
        scene.position.send_replace(at(51.95));
        scene.whereabouts.tracker = None;
        assert_eq!(scene.look(), told(&[], "{}"));
        scene.start();
        assert_eq!(scene.look(), told(&[("inside", "yard")], r#"{"place":"yard"}"#));
    }

    #[test]
    fn an_event_says_where_and_for_how_long_nobody_knows_the_way() {
        let mut scene = Scene::new(&["gate"]);
        scene.position.send_replace(at(51.94));
        scene.look();
        scene.position.send_replace(at(51.96));
        let mut fields = Fields::default();
        let stamp = Stamp { monotonic: Duration::from_mins(11), ..STAMP };
        let Bundle { events, states, .. } = scene.whereabouts.look(stamp, &mut fields).unwrap();
        let [EventMessage { head, fields }] = &events[..] else { panic!("{events:?}") };
        let expected = json!({
            "place": "gate", "state": "crossed", "hdop": 1.0,
            "location": {"lat": 51.96, "lon": 4.3}, "from": {"lat": 51.94, "lon": 4.3},
        });
        assert_eq!(serde_json::from_str::<Value>(fields).unwrap(), expected);
        assert_eq!(head.moments["begin"], 600_000);
        assert!(states.is_empty(), "it is where it was: outside");
    }
}
