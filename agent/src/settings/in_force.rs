//! The settings in force: taken from the twin, kept on disk, watched by whoever follows them.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::alarms::schema;
use crate::config::{self, DeliveryMode, Pace};
use crate::places::Fences;
use crate::platform::state_directory::StateDirectory;
use crate::platform::state_file;
use crate::settings::answer::{Answer, Standing};
use crate::settings::defaults::Defaults;
use crate::settings::desired::Settings;
use crate::settings::properties::{
    Alarms, ByState, ContainerNumber, Delivery, Evidence, Geofences, LastInterval, TABLE, TelemetryInterval,
    Trip, TripFences,
};

/// The settings in force.
#[derive(Debug)]
pub struct InForce {
    settings: Settings,
    defaults: Defaults,
    pace: watch::Sender<Pace>,
    evidence: watch::Sender<bool>,
    fences: watch::Sender<Arc<Fences>>,
    container_number: watch::Sender<Option<Arc<str>>>,
    trip_fences: watch::Sender<TripFences>,
    alarms: watch::Sender<schema::Alarms>,
    file: PathBuf,
    /// The answers given last, those with a meaning first.
    answered: Vec<Answer>,
    /// Properties without a meaning for whose answers there was no room.
    unanswered: usize,
}

impl InForce {
    /// The settings stored in `state_directory`, or those of the configuration. An error says why the stored ones can't
    /// be used; the configuration's are then in force.
    pub fn load(state_directory: &Path, defaults: Defaults) -> (Self, io::Result<()>) {
        let file = StateDirectory::new(state_directory).settings();
        let (settings, result) = match state_file::read::<Settings>(&file) {
            Ok(settings) => (settings.unwrap_or_default(), Ok(())),
            Err(error) => (Settings::default(), Err(error)),
        };
        let pace = watch::Sender::new(pace(&settings, &defaults));
        let evidence = watch::Sender::new(settings.value::<Evidence>(&defaults));
        let fences = watch::Sender::new(settings.value::<Geofences>(&defaults).fences);
        let container_number = watch::Sender::new(settings.value::<ContainerNumber>(&defaults));
        let trip_fences = watch::Sender::new(settings.value::<Trip>(&defaults));
        let alarms = watch::Sender::new(settings.value::<Alarms>(&defaults));
        let (answered, unanswered) = (Vec::new(), 0);
        let in_force = Self {
            settings,
            defaults,
            pace,
            evidence,
            fences,
            container_number,
            trip_fences,
            alarms,
            file,
            answered,
            unanswered,
        };
        (in_force, result)
    }

    /// The time between readings.
    pub fn pace(&self) -> watch::Receiver<Pace> {
        self.pace.subscribe()
    }

    /// Whether readings are chained and signed.
    pub fn evidence(&self) -> watch::Receiver<bool> {
        self.evidence.subscribe()
    }

    /// Named places.
    pub fn fences(&self) -> watch::Receiver<Arc<Fences>> {
        self.fences.subscribe()
    }

    /// The number of the container, for every message.
    pub fn container_number(&self) -> watch::Receiver<Option<Arc<str>>> {
        self.container_number.subscribe()
    }

    /// At which fences trips begin and end.
    pub fn trip_fences(&self) -> watch::Receiver<TripFences> {
        self.trip_fences.subscribe()
    }

    /// When a reading is an alarm.
    pub fn alarms(&self) -> watch::Receiver<schema::Alarms> {
        self.alarms.subscribe()
    }

    /// How readings share messages.
    pub fn delivery(&self) -> DeliveryMode {
        self.settings.value::<Delivery>(&self.defaults)
    }

    /// How often the twin is told where the container is.
    pub fn last_interval(&self) -> config::LastInterval {
        self.settings.value::<LastInterval>(&self.defaults)
    }

    /// Applies the desired section of the twin at once. `stated` names the properties that a push stated; `None` where the
    /// twin was fetched. Gives all answers, for reporting, and those that say something new, for telling; and what is to
    /// be stored, where something has changed.
    ///
    /// An answer that says what the last one said keeps its version, so that it costs no report: it is renewed when the twin
    /// is fetched, and one with a meaning also when the push states it.
    pub fn apply(
        &mut self,
        desired: &Map<String, Value>,
        version: u64,
        stated: Option<&BTreeSet<String>>,
    ) -> Applied {
        let before = self.settings.clone();
        let mut answers = self.settings.apply(desired, version, &self.defaults);
        let pace = pace(&self.settings, &self.defaults);
        self.pace.send_if_modified(|current| std::mem::replace(current, pace) != pace);
        let evidence = self.settings.value::<Evidence>(&self.defaults);
        self.evidence.send_if_modified(|current| std::mem::replace(current, evidence) != evidence);
        // To read these again takes a while, and whoever follows them has to begin anew.
        if self.settings.differs::<Geofences>(&before) {
            self.fences.send_replace(self.settings.value::<Geofences>(&self.defaults).fences);
        }
        if self.settings.differs::<ContainerNumber>(&before) {
            self.container_number.send_replace(self.settings.value::<ContainerNumber>(&self.defaults));
        }
        if self.settings.differs::<Trip>(&before) {
            self.trip_fences.send_replace(self.settings.value::<Trip>(&self.defaults));
        }
        let alarms = self.settings.value::<Alarms>(&self.defaults);
        self.alarms.send_if_modified(|current| {
            let news = *current != alarms;
            *current = alarms;
            news
        });
        let changed = (self.settings != before)
            .then(|| ToStore { file: self.file.clone(), settings: self.settings.clone() });
        let mut news = Vec::new();
        for answer in &mut answers {
            let has_meaning = !matches!(answer.standing, Standing::WithoutMeaning(_));
            let is_stated = stated.is_none_or(|stated| has_meaning && stated.contains(&answer.property));
            if answer.standing == Standing::Removed && stated.is_none() {
                answer.standing = Standing::Absent;
            }
            match self.answered.iter().find(|old| old.says(answer)) {
                Some(old) if !is_stated => answer.acknowledgement.version = old.acknowledgement.version,
                Some(_) => {}
                None if answer.says_nothing() => {}
                None => news.push(answer.clone()),
            }
        }
        let meaningful = TABLE.len();
        let known = TABLE.iter().filter(|row| desired.contains_key(row.name)).count();
        let unanswered = desired.len() - known - (answers.len() - meaningful);
        let crowd = (unanswered > 0 && self.unanswered == 0).then_some(unanswered);
        let report = |answers: &[Answer]| {
            // What is empty and was never set is taken away, where an answer from before still stands there.
            let value = |answer: &Answer| {
                if answer.says_nothing() { Value::Null } else { answer.acknowledgement.to_value() }
            };
            answers.iter().map(|answer| (answer.property.clone(), value(answer))).collect::<Map<_, _>>()
        };
        let (reported, spare) = (report(&answers[..meaningful]), report(&answers[meaningful..]));
        self.answered = answers;
        self.unanswered = unanswered;
        Applied { reported, spare, news, crowd, changed }
    }
}

fn pace(settings: &Settings, defaults: &Defaults) -> Pace {
    Pace {
        interval: settings.value::<TelemetryInterval>(defaults),
        by_state: settings.value::<ByState>(defaults),
    }
}

/// What came of applying desired properties.
#[derive(Debug)]
pub struct Applied {
    /// To be reported: the answers to what has a meaning.
    pub reported: Map<String, Value>,
    /// To be reported after all else: the answers to the rest.
    pub spare: Map<String, Value>,
    /// Answers that say something new.
    pub news: Vec<Answer>,
    /// So many properties are not answered, and before all were.
    pub crowd: Option<usize>,
    /// What is to be stored; `None` where nothing has changed.
    pub changed: Option<ToStore>,
}

/// Settings that a restart must find. To store them takes as long as the disk does.
#[derive(Debug)]
pub struct ToStore {
    file: PathBuf,
    settings: Settings,
}

impl ToStore {
    /// Where they go.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Stores them.
    pub fn store(&self) -> io::Result<()> {
        state_file::replace(&self.file, &self.settings)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;
    use crate::config::{Intervals, LastInterval};

    const DEFAULTS: Defaults = Defaults {
        interval: Duration::from_mins(1),
        intervals: Intervals { moving: None, still: None, in_fence: None, alarm: None },
        last: LastInterval::HOURLY,
        delivery: DeliveryMode { batch_backlog: true, gzip: false, full_properties: false, compact: false },
        alarms: schema::Alarms::NONE,
    };

    fn apply(settings: &mut InForce, desired: Value, version: u64) -> Applied {
        let Value::Object(desired) = desired else { panic!() };
        settings.apply(&desired, version, None)
    }

    /// Applies a push that states these properties.
    fn push(settings: &mut InForce, desired: Value, version: u64, stated: &[&str]) -> Applied {
        let Value::Object(desired) = desired else { panic!() };
        let stated = stated.iter().map(|name| (*name).to_owned()).collect();
        settings.apply(&desired, version, Some(&stated))
    }

    fn told(applied: &Applied) -> Vec<&str> {
        applied.news.iter().map(|answer| answer.property.as_str()).collect()
    }

    #[test]
    fn what_was_applied_is_in_force_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, loaded) = InForce::load(directory.path(), DEFAULTS);
        loaded.unwrap();
        let mut pace = settings.pace();
        assert_eq!(pace.borrow_and_update().interval, Duration::from_mins(1));
        let by_state = json!({"moving": 3, "alarm": 1});
        let desired = json!({"telemetryInterval": 5, "delivery": {"gzip": true}, "cargo": "gouda", "intervals": by_state});
        apply(&mut settings, desired, 1).changed.unwrap().store().unwrap();
        assert!(pace.has_changed().unwrap());
        let (settings, loaded) = InForce::load(directory.path(), DEFAULTS);
        loaded.unwrap();
        assert_eq!(settings.pace().borrow().interval, Duration::from_secs(5));
        assert_eq!(settings.pace().borrow().by_state.value(), by_state);
        assert_eq!(settings.delivery(), DeliveryMode { gzip: true, ..DeliveryMode::default() });
        let stored = std::fs::read_to_string(directory.path().join("settings.json")).unwrap();
        assert!(!stored.contains("gouda"), "a property without a meaning costs no flash: {stored}");
    }

    #[test]
    fn fences_and_container_number_are_followed_and_known_after_a_restart() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        let (mut fences, container) = (settings.fences(), settings.container_number());
        assert!(fences.borrow_and_update().is_empty() && container.borrow().is_none());
        let geometry = json!({"type": "Point", "coordinates": [4.3, 51.95]});
        let gate =
            json!([{"type": "Feature", "properties": {"name": "gate", "radius": 50}, "geometry": geometry}]);
        let desired = json!({"geofences": gate, "containerNumber": "MSKU9070323"});
        apply(&mut settings, desired.clone(), 1).changed.unwrap().store().unwrap();
        assert_eq!(&**fences.borrow_and_update().all()[0].name(), "gate");
        assert_eq!(container.borrow().as_deref(), Some("MSKU9070323"));
        apply(&mut settings, desired, 2);
        assert!(!fences.has_changed().unwrap(), "the same fences are no news");
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        assert_eq!(settings.fences().borrow().all().len(), 1);
        assert_eq!(settings.container_number().borrow().as_deref(), Some("MSKU9070323"));
        apply(&mut settings, json!({"geofences": [], "containerNumber": ""}), 3);
        assert!(settings.fences().borrow().is_empty() && settings.container_number().borrow().is_none());
    }

    #[test]
    fn a_change_of_other_properties_writes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        let applied = apply(&mut settings, json!({"cargo": "gouda", "telemetryInterval": "x"}), 1);
        assert!(applied.changed.is_none());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn news_are_told_once_and_the_answer_to_what_is_gone_is_withdrawn() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        let first = apply(&mut settings, json!({"cargo": "gouda"}), 1);
        assert_eq!(
            told(&first),
            ["telemetryInterval", "lastInterval", "delivery", "evidence", "firmware", "cargo"],
            "of what is empty nothing"
        );
        assert_eq!((&first.reported["alarms"], &first.reported["geofences"]), (&Value::Null, &Value::Null));
        assert_eq!(first.spare["cargo"]["ac"], 200);
        let same = apply(&mut settings, json!({"cargo": "gouda"}), 1);
        assert!(same.news.is_empty() && same.reported == first.reported && same.spare == first.spare);
        let gone = apply(&mut settings, json!({}), 2);
        assert!(gone.news.is_empty());
        assert!(gone.spare.is_empty());
        assert_eq!(gone.reported["telemetryInterval"]["ac"], 203);
    }

    #[test]
    fn only_what_changed_is_told_and_reported() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        let mut desired: Map<_, _> = (0..20).map(|number| (format!("p{number}"), json!(true))).collect();
        desired.insert("telemetryInterval".into(), json!(5));
        let first = apply(&mut settings, Value::Object(desired.clone()), 1);
        assert_eq!(first.news.len(), 20 + TABLE.len() - 5, "five are empty");
        desired.insert("more".into(), json!(1));
        let second = push(&mut settings, Value::Object(desired.clone()), 2, &["more"]);
        assert_eq!(told(&second), ["more"]);
        assert_eq!(second.reported, first.reported);
        let mut expected = first.spare.clone();
        expected.insert("more".into(), second.spare["more"].clone());
        assert_eq!((second.spare["more"]["av"].as_u64(), &second.spare), (Some(2), &expected));
        // Stated anew as they are: the one with a meaning is acknowledged, as whoever has set it waits for that.
        let third = push(&mut settings, Value::Object(desired.clone()), 3, &["telemetryInterval", "p1"]);
        assert!(third.news.is_empty(), "{:?}", third.news);
        assert_eq!(
            (&third.reported["telemetryInterval"]["av"], &third.spare["p1"]["av"]),
            (&json!(3), &json!(1))
        );
        // Fetched anew: all of them are acknowledged, and none is news.
        let fetched = apply(&mut settings, Value::Object(desired), 9);
        assert!(fetched.news.is_empty(), "{:?}", fetched.news);
        assert!(fetched.spare.values().all(|answer| answer["av"] == 9), "{:?}", fetched.spare);
    }

    #[test]
    fn a_crowd_without_a_meaning_is_answered_within_a_bound_and_told_once() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        let mut desired: Map<_, _> = (0..3400).map(|number| (format!("p{number}"), json!(true))).collect();
        desired.insert("telemetryInterval".into(), json!(5));
        let applied = apply(&mut settings, Value::Object(desired.clone()), 1);
        assert_eq!(settings.pace().borrow().interval, Duration::from_secs(5));
        assert_eq!(applied.reported["telemetryInterval"]["ac"], 200);
        assert_eq!(applied.crowd, Some(3400 - applied.spare.len()));
        assert!((100..300).contains(&applied.spare.len()), "{}", applied.spare.len());
        desired.insert("q".into(), json!(true));
        assert_eq!(push(&mut settings, Value::Object(desired), 2, &["q"]).crowd, None);
        assert_eq!(apply(&mut settings, json!({}), 3).crowd, None);
    }

    #[test]
    fn a_twin_that_was_made_anew_is_no_removal() {
        let directory = tempfile::tempdir().unwrap();
        let (mut settings, _) = InForce::load(directory.path(), DEFAULTS);
        apply(&mut settings, json!({"telemetryInterval": 2}), 5);
        let anew = apply(&mut settings, json!({}), 1);
        assert_eq!(anew.news[0].standing, Standing::Absent);
        let again = push(&mut settings, json!({"telemetryInterval": 2}), 2, &["telemetryInterval"]);
        assert_eq!(again.news[0].standing, Standing::Meaningful);
        let removed = push(&mut settings, json!({}), 3, &["telemetryInterval"]);
        assert_eq!(removed.news[0].standing, Standing::Removed);
        for answer in [&anew.reported, &removed.reported] {
            assert_eq!(answer["telemetryInterval"]["ad"], "null or removed is no interval");
        }
    }
}
