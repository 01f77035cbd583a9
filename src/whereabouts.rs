//! Where the container is among the fences of the twin, reading after reading: follows the setting, tells what happened, and
//! keeps its standing in `places.json`, written only when that changes.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use tracker_sensors::gps::GpsState;

use crate::event::{Event, Events};
use crate::instruments::fields::Fields;
use crate::places::{Crossing, Fences, Fix, Standing, Tracker};
use crate::platform::background::Background;
use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;
use crate::reading::Stamp;

/// What follows the container among fences.
#[derive(Debug)]
pub struct Whereabouts {
    fences: watch::Receiver<Arc<Fences>>,
    position: Option<watch::Receiver<GpsState>>,
    tracker: Tracker,
    file: PathBuf,
    events: Events,
    background: Background,
}

impl Whereabouts {
    /// Goes on where the last start stood, as `state_directory` says. An error says why that can't be read; then the next
    /// fix tells anew.
    pub fn open(
        state_directory: &Path,
        mut fences: watch::Receiver<Arc<Fences>>,
        position: Option<watch::Receiver<GpsState>>,
        events: Events,
        background: Background,
    ) -> (Self, io::Result<()>) {
        let file = StateDirectory::new(state_directory).places();
        let (standing, result) = match state_file::read::<Standing>(&file) {
            Ok(standing) => (standing.unwrap_or_default(), Ok(())),
            Err(error) => (Standing::default(), Err(error)),
        };
        let tracker = Tracker::new(fences.borrow_and_update().clone(), &standing);
        (Self { fences, position, tracker, file, events, background }, result)
    }

    /// Takes the fix of a reading: sets its field `place`, and tells what has happened since the last one. Without fences, or
    /// without a fix, nothing is done and nothing said.
    pub fn look(&mut self, stamp: &Stamp, fields: &mut Fields) -> Vec<Crossing> {
        if self.fences.has_changed().unwrap_or_default() {
            self.follow_others();
        }
        if self.tracker.is_idle() {
            return Vec::new();
        }
        let Some(fix) = self.fix(stamp) else { return Vec::new() };
        let (crossings, has_changed) = self.tracker.fix(&fix);
        for crossing in &crossings {
            self.events.emit(Event::Fence { kind: crossing.kind, fence: crossing.fence.clone() });
        }
        if has_changed {
            self.store();
        }
        if let Some(place) = self.tracker.place() {
            fields.word("place", place);
        }
        crossings
    }

    fn fix(&self, stamp: &Stamp) -> Option<Fix> {
        let state = self.position.as_ref()?.borrow();
        let fix = state.fix.as_ref()?;
        let (longitude, latitude) = (fix.position.longitude, fix.position.latitude);
        Some(Fix { at: stamp.monotonic, longitude, latitude, hdop: fix.hdop })
    }

    fn follow_others(&mut self) {
        let before = self.tracker.standing();
        self.tracker.set(self.fences.borrow_and_update().clone());
        if self.tracker.standing() != before {
            self.store();
        }
    }

    fn store(&self) {
        let (standing, events, file) = (self.tracker.standing(), self.events.clone(), self.file.clone());
        self.background.run(&self.file, move || {
            if let Err(error) = state_file::replace(&file, &standing) {
                let what = format!(
                    "can't store in which fences the container is, and a restart will tell anew: {error}"
                );
                events.emit(Event::Trouble(what));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;
    use tracker_sensors::gps::{self, Position};

    use super::*;
    use crate::places::CrossingKind;

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

    /// What a tracker knows of its fences, over restarts.
    struct Scene {
        directory: tempfile::TempDir,
        fences: watch::Sender<Arc<Fences>>,
        position: watch::Sender<GpsState>,
    }

    impl Scene {
        fn new(names: &[&str]) -> Self {
            let directory = tempfile::tempdir().unwrap();
            Self {
                directory,
                fences: watch::Sender::new(fences(names)),
                position: watch::Sender::new(GpsState::default()),
            }
        }

        fn start(&self) -> (Whereabouts, Background) {
            let background = Background::default();
            let (fences, position) = (self.fences.subscribe(), Some(self.position.subscribe()));
            let events = Events::log("");
            let (whereabouts, loaded) =
                Whereabouts::open(self.directory.path(), fences, position, events, background.clone());
            loaded.unwrap();
            (whereabouts, background)
        }

        fn files(&self) -> usize {
            std::fs::read_dir(self.directory.path()).unwrap().count()
        }
    }

    fn look(whereabouts: &mut Whereabouts) -> (Vec<(CrossingKind, String)>, String) {
        let stamp = Stamp { utc: None, monotonic: Duration::ZERO };
        let mut fields = Fields::default();
        let crossings = whereabouts.look(&stamp, &mut fields);
        let told = crossings.iter().map(|crossing| (crossing.kind, crossing.fence.to_string()));
        (told.collect(), fields.into_json())
    }

    #[tokio::test]
    async fn the_standing_is_kept_over_a_restart_and_the_place_is_the_smallest() {
        let scene = Scene::new(&["gate 1", "yard"]);
        let (mut whereabouts, background) = scene.start();
        assert_eq!(look(&mut whereabouts), (vec![], "{}".into()), "no fix, no place");
        scene.position.send_replace(at(51.95));
        let inside = |name: &str| (CrossingKind::Inside, name.to_owned());
        let told = look(&mut whereabouts);
        assert_eq!(told, (vec![inside("gate 1"), inside("yard")], r#"{"place":"gate 1"}"#.into()));
        background.done().await;

        let (mut whereabouts, background) = scene.start();
        assert_eq!(look(&mut whereabouts), (vec![], r#"{"place":"gate 1"}"#.into()), "it was told before");
        scene.position.send_replace(GpsState::default());
        assert_eq!(look(&mut whereabouts), (vec![], "{}".into()), "without a fix nobody knows");
        background.done().await;

        // It went away while nobody looked.
        scene.position.send_replace(at(51.98));
        let (mut whereabouts, background) = scene.start();
        let exit = |name: &str| (CrossingKind::Exit, name.to_owned());
        assert_eq!(look(&mut whereabouts), (vec![exit("gate 1"), exit("yard")], "{}".into()));
        background.done().await;
        assert_eq!(scene.files(), 1);
    }

    #[tokio::test]
    async fn the_file_is_written_only_when_something_changes() {
        let scene = Scene::new(&["yard"]);
        let (mut whereabouts, background) = scene.start();
        scene.position.send_replace(at(51.95));
        look(&mut whereabouts);
        background.done().await;
        std::fs::remove_file(StateDirectory::new(scene.directory.path()).places()).unwrap();
        for _ in 0..100 {
            look(&mut whereabouts);
        }
        scene.fences.send_replace(fences(&["yard"]));
        look(&mut whereabouts);
        background.done().await;
        assert_eq!(scene.files(), 0);
        scene.fences.send_replace(fences(&[]));
        assert_eq!(look(&mut whereabouts), (vec![], "{}".into()));
        background.done().await;
        assert_eq!(scene.files(), 1, "a fence that is gone is forgotten");
    }

    #[test]
    fn a_tracker_without_fences_writes_nothing() {
        let scene = Scene::new(&[]);
        scene.position.send_replace(at(51.95));
        let (mut whereabouts, _) = scene.start();
        assert_eq!(look(&mut whereabouts), (vec![], "{}".into()));
        assert_eq!(scene.files(), 0);
    }

    #[test]
    fn a_file_that_is_damaged_is_told_and_done_without() {
        let scene = Scene::new(&["yard"]);
        let file = StateDirectory::new(scene.directory.path()).places();
        state_file::replace(&file, &json!(["half"])).unwrap();
        let (fences, position) = (scene.fences.subscribe(), Some(scene.position.subscribe()));
        let (mut whereabouts, loaded) = Whereabouts::open(
            scene.directory.path(),
            fences,
            position,
            Events::log(""),
            Background::default(),
        );
        assert!(loaded.is_err());
        scene.position.send_replace(at(51.95));
        assert_eq!(look(&mut whereabouts).0, [(CrossingKind::Inside, "yard".to_owned())]);
    }
}
