//! Where the container is among the fences of the twin, reading after reading: follows the setting, and makes event messages
//! of what happens there.
//!
//! What is known of the fences is kept in the journal, in one transaction with the events and the reading that showed it, and
//! only when it changes: every event comes once, whatever happens on the way, and the card does not wear.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tokio::sync::{Notify, watch};
use tracker_sensors::gps::GpsState;

use crate::event::{Event, Events};
use crate::event_message::{EventMessage, Turn, When};
use crate::instruments::fields::{Fields, POSITION_DECIMALS, rounded};
use crate::journal::Bundle;
use crate::places::{Crossing, CrossingKind, Fences, Fix, Here, Standing, Tracker};
use crate::reading::Stamp;
use crate::settings::{TripFences, TripTerms};

/// The name of the state in the journal.
const STATE: &str = "places";

/// What makes trips of places.
#[derive(Debug, Clone)]
pub struct Turns {
    /// Where they begin and end.
    pub fences: watch::Receiver<TripFences>,
    /// By what they are measured.
    pub terms: TripTerms,
    /// The end of a trip is signed.
    pub signs: Arc<Notify>,
}

/// What follows the container among fences.
#[derive(Debug)]
pub struct Whereabouts {
    fences: watch::Receiver<Arc<Fences>>,
    turns: Turns,
    position: Option<watch::Receiver<GpsState>>,
    /// `None` until the journal has said where the last start stood.
    tracker: Option<Tracker>,
    here: watch::Sender<Here>,
    events: Events,
}

impl Whereabouts {
    /// Waits for [`Whereabouts::begin`], and looks at nothing before.
    pub fn new(
        fences: watch::Receiver<Arc<Fences>>,
        turns: Turns,
        position: Option<watch::Receiver<GpsState>>,
        events: Events,
    ) -> Self {
        Self { fences, turns, position, tracker: None, here: watch::Sender::default(), events }
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
        let tracker = Tracker::new(self.fences.borrow_and_update().clone(), &standing);
        self.here.send_replace(tracker.here());
        self.tracker = Some(tracker);
    }

    /// In which fences it is, for whoever follows that.
    pub fn here(&self) -> watch::Receiver<Here> {
        self.here.subscribe()
    }

    /// Whether it is in one of the fences, as far as was told.
    pub fn is_in_fence(&self) -> bool {
        self.tracker.as_ref().is_some_and(|tracker| tracker.place().is_some())
    }

    /// The smallest of the fences that it is in, as far as was told.
    pub fn place(&self) -> Option<String> {
        self.tracker.as_ref()?.place().map(ToString::to_string)
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
            self.here.send_replace(tracker.here());
        }
        let mut events = Vec::new();
        if let Some(fix) = (!tracker.is_idle()).then(|| fix(self.position.as_ref(), stamp)).flatten() {
            let (crossings, is_news) = tracker.fix(&fix);
            has_changed |= is_news;
            for crossing in crossings {
                let mut event = message(&crossing);
                event.head.turn = self.turns.of(&crossing);
                events.push(event);
                self.events.emit(Event::Fence { kind: crossing.kind, fence: crossing.fence });
            }
            if let Some(place) = tracker.place() {
                fields.word("place", place);
            }
        }
        if events.is_empty() && !has_changed {
            return None;
        }
        self.here.send_replace(tracker.here());
        // Names can be written as JSON, and lists of them.
        let state = serde_json::to_string(&tracker.standing()).unwrap_or_default();
        let states = if has_changed { vec![(STATE, state)] } else { Vec::new() };
        Some(Bundle { stamp, events, reading: None, states })
    }
}

impl Turns {
    /// What this means for the trip.
    fn of(&self, crossing: &Crossing) -> Option<Turn> {
        let TripFences { starts_on_leaving, ends_on_reaching } = &*self.fences.borrow();
        let is = |name: &Option<String>| name.as_deref() == Some(&*crossing.fence);
        match crossing.kind {
            CrossingKind::Exit if is(starts_on_leaving) => {
                Some(Turn::Begin(self.terms.now("fence").to_map()))
            }
            CrossingKind::Enter if is(ends_on_reaching) => {
                self.signs.notify_one();
                Some(Turn::End)
            }
            _ => None,
        }
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
    use crate::config::{Config, DeliveryMode, Intervals, LastInterval};
    use crate::settings::{Alarms, Defaults, InForce, Property};

    /// Trips from the yard to the gate, of a box with a number.
    fn turns() -> Turns {
        let directory = tempfile::tempdir().unwrap();
        let config = "[dps]\nid_scope = \"0ne\"\n[identity]\ncertificate = \"c.pem\"\nkey = \"k.pem\"\n";
        let config = Config::parse(std::path::Path::new("tracker.toml"), config).unwrap();
        let defaults = Defaults {
            interval: Duration::from_mins(10),
            intervals: Intervals::default(),
            last: LastInterval::HOURLY,
            delivery: DeliveryMode::default(),
            alarms: Alarms::read(&json!({"profile": "gouda"})).unwrap(),
        };
        let (mut settings, _) = InForce::load(directory.path(), defaults);
        let desired = json!({
            "trip": {"startsOnLeaving": "yard", "endsOnReaching": "gate"}, "containerNumber": "MSKU9070323",
        });
        settings.apply(desired.as_object().unwrap(), 1, None);
        let terms = TripTerms::new(&settings, &config);
        Turns { fences: settings.trip_fences(), terms, signs: Arc::default() }
    }

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
            let position_here = Some(position.subscribe());
            let whereabouts = Whereabouts::new(fences.subscribe(), turns(), position_here, Events::log(""));
            let mut scene = Self { fences, position, kept: BTreeMap::new(), whereabouts, stored: 0 };
            scene.start();
            scene
        }

        fn start(&mut self) {
            let (fences, position) = (self.fences.subscribe(), Some(self.position.subscribe()));
            self.whereabouts = Whereabouts::new(fences, turns(), position, Events::log(""));
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
        let names = |scene: &Scene| {
            let here = scene.whereabouts.here().borrow().clone();
            here.map(|here| here.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        };
        assert_eq!(names(&scene), None);
        scene.position.send_replace(at(51.95));
        let inside = [("inside", "gate 1"), ("inside", "yard")];
        assert_eq!(scene.look(), told(&inside, r#"{"place":"gate 1"}"#));
        scene.start();
        assert_eq!(scene.look(), told(&[], r#"{"place":"gate 1"}"#), "it was told before");
        scene.position.send_replace(GpsState::default());
        assert_eq!(scene.look(), told(&[], "{}"), "without a fix nobody knows");
        assert_eq!(names(&scene).as_deref(), Some("gate 1, yard"), "but where it was");
        // It went away while nobody looked.
        scene.position.send_replace(at(51.98));
        scene.start();
        assert_eq!(scene.look(), told(&[("exit", "gate 1"), ("exit", "yard")], "{}"));
        assert_eq!(names(&scene).as_deref(), Some(""));
        scene.start();
        assert_eq!((scene.look(), scene.stored), (told(&[], "{}"), 2));
    }

    #[test]
    fn leaving_and_reaching_the_places_of_a_trip_turns_it_and_passing_them_does_not() {
        let mut scene = Scene::new(&["gate", "yard"]);
        // From the middle, around which the yard is larger than the gate.
        let mut turns_at = |latitude: f64| {
            scene.position.send_replace(at(latitude));
            let bundle = scene.whereabouts.look(STAMP, &mut Fields::default());
            let events = bundle.map(|bundle| bundle.events).unwrap_or_default();
            events
                .into_iter()
                .map(|event| (event.head.properties["state"].clone(), event.head.turn))
                .collect::<Vec<_>>()
        };
        let inside = || ("inside".to_owned(), None);
        assert_eq!(turns_at(51.95), [inside(), inside()], "to be there is not to reach it");
        let left = turns_at(51.98);
        let [(_, None), (state, Some(Turn::Begin(terms)))] = &left[..] else { panic!("{left:?}") };
        let limits = json!({"low": 1.0, "high": 7.0, "criticalLow": 0.0, "criticalHigh": 10.0});
        let expected = json!({
            "trip": "", "by": "fence", "gapAfter": 1800, "bounds": {"temperature": limits}, "containerNumber": "MSKU9070323",
        });
        assert_eq!((state.as_str(), &Value::Object(terms.clone())), ("exit", &expected));
        let crossed = || ("crossed".to_owned(), None);
        assert_eq!(turns_at(51.92), [crossed(), crossed()]);
        let reached = turns_at(51.95);
        let enter = |turn| ("enter".to_owned(), turn);
        assert_eq!(reached, [enter(Some(Turn::End)), enter(None)]);
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
