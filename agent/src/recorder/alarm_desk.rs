//! Holds every reading against the alarms, and keeps, tells and shows what comes of it.
//!
//! A reading goes into the journal together with the events that it caused and the state that then holds. The state of an
//! earlier start comes from the journal, whose disk may be slow; readings that are taken before wait here to be looked at.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::watch;

use crate::alarms::schema::Alarms;
use crate::alarms::signal::Signal;
use crate::alarms::watch::{Moment, Outcome, Watch};
use crate::event::{Event, Events};
use crate::instruments::fields::Fields;
use crate::journal::{Bundle, Journal};
use crate::platform::clock::Clock;
use crate::platform::timestamp::Timestamp;
use crate::reading::{Reading, Stamp};
use crate::recorder::alarm_message::{message, sentence};
use crate::recorder::signals::{Signals, Sources};

/// The name of the state in the journal.
const STATE: &str = "alarms";
/// The name of where the box was when it began to be watched whether it moves.
const ANCHOR: &str = "alarmsAnchor";
/// Readings that wait for the state, at the most: the oldest are not looked at then.
const MOST_HELD: usize = 64;

/// What is known of an alarm that is raised.
#[derive(Debug, Clone, PartialEq)]
pub struct ActiveAlarm {
    /// `warning` or `critical`.
    pub severity: &'static str,
    /// Since when; `None` while the time is not known.
    pub since: Option<Timestamp>,
    /// Somebody knows of it.
    pub acknowledged: bool,
}

/// Alarms by their names.
pub type ActiveAlarms = BTreeMap<String, ActiveAlarm>;

/// The alarms of a device, shared by who takes readings and who asks.
pub struct AlarmDesk {
    inner: Mutex<Inner>,
    active: watch::Sender<ActiveAlarms>,
    journal: Arc<Journal>,
    clock: Arc<dyn Clock>,
    events: Events,
}

struct Inner {
    /// `None` until the state of the last start is known.
    watch: Option<Watch>,
    signals: Signals,
    rules: watch::Receiver<Alarms>,
    held: VecDeque<Held>,
    /// An alarm is, or was, set: others are told of active ones, also that there are none.
    used: bool,
    /// What was measured last, as JSON, for those who look on.
    #[cfg(feature = "lab")]
    last: (Option<Stamp>, String),
}

/// What a reading has shown.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// Something that is told by itself, at once.
    pub has_events: bool,
    /// An alarm is pending or raised.
    pub is_alarm: bool,
}

/// A reading that waits to be looked at.
struct Held {
    stamp: Stamp,
    interval: Duration,
    fields: Fields,
}

impl AlarmDesk {
    /// Nothing is active, until [`AlarmDesk::begin`] says what was.
    pub fn new(
        sources: Sources,
        clock: Arc<dyn Clock>,
        events: Events,
        rules: watch::Receiver<Alarms>,
    ) -> Self {
        let journal = sources.journal.clone();
        let signals = Signals::new(sources);
        let inner = Inner {
            watch: None,
            signals,
            rules,
            held: VecDeque::new(),
            used: false,
            #[cfg(feature = "lab")]
            last: (None, String::new()),
        };
        let active = watch::Sender::default();
        Self { inner: Mutex::new(inner), active, journal, clock, events }
    }

    /// What is raised, and news of it.
    pub fn active(&self) -> watch::Receiver<ActiveAlarms> {
        self.active.subscribe()
    }

    /// Whether others are to be told of active alarms.
    pub fn is_used(&self) -> bool {
        self.lock().used
    }

    /// What was measured last, reported or not, as a JSON object.
    #[cfg(feature = "lab")]
    pub fn last_measured(&self) -> Option<(Stamp, String)> {
        let inner = self.lock();
        Some((inner.last.0?, inner.last.1.clone()))
    }

    /// Goes on from what the journal has kept ([`Journal::states`]); what could not be looked at yet is.
    pub fn begin(&self, mut states: BTreeMap<String, String>) {
        let mut inner = self.lock();
        let rules = inner.rules.borrow_and_update().rules();
        let boot = self.clock.boot();
        let kept = states.remove(STATE).map(|state| Watch::after(&state, boot, rules.clone()));
        let mut watch = match kept {
            Some(Ok(watch)) => watch,
            Some(Err(error)) => {
                let what = format!("the kept state of the alarms can't be read ({error}); they begin anew");
                self.events.emit(Event::Trouble(what));
                Watch::new(boot)
            }
            None => Watch::new(boot),
        };
        watch.set_rules(rules);
        inner.used = !watch.is_idle();
        inner.signals.set_anchor(states.get(ANCHOR).and_then(|text| read_anchor(text)));
        inner.watch = Some(watch);
        for Held { stamp, interval, fields } in std::mem::take(&mut inner.held) {
            if let Some(bundle) = self.look(&mut inner, stamp, interval, &fields) {
                self.journal.append_bundle(bundle);
            }
        }
        self.show(&inner, Stamp::now(&*self.clock));
    }

    /// Takes a reading into the journal, with what it means for the alarms, and what `others` have to store beside it; where
    /// `reading` gives none these alone.
    pub fn take(
        &self,
        stamp: Stamp,
        interval: Duration,
        fields: Fields,
        others: Option<Bundle>,
        reading: impl FnOnce(Fields, Shown) -> Option<Reading>,
    ) {
        let mut inner = self.lock();
        if inner.watch.is_none() {
            if inner.held.len() == MOST_HELD {
                inner.held.pop_front();
            }
            inner.held.push_back(Held { stamp, interval, fields: fields.clone() });
        }
        #[cfg(feature = "lab")]
        {
            inner.last.0 = Some(stamp);
            fields.write_json(&mut inner.last.1);
        }
        let bundle = self.look(&mut inner, stamp, interval, &fields);
        let is_alarm = inner.watch.as_ref().is_some_and(Watch::is_any_alive);
        drop(inner);
        let bundle = Bundle::joined(others, bundle);
        let has_events = bundle.as_ref().is_some_and(|bundle| !bundle.events.is_empty());
        let reading = reading(fields, Shown { has_events, is_alarm });
        match (bundle, reading) {
            (Some(bundle), reading) => self.journal.append_bundle(Bundle { reading, ..bundle }),
            (None, Some(reading)) => self.journal.append(reading),
            (None, None) => {}
        }
    }

    /// What is to be stored beside the reading, if anything.
    fn look(&self, inner: &mut Inner, stamp: Stamp, interval: Duration, fields: &Fields) -> Option<Bundle> {
        let Inner { watch, signals, rules, .. } = &mut *inner;
        let watch = watch.as_mut()?;
        let anchor = signals.anchor();
        if rules.has_changed().unwrap_or(false) {
            let rules = rules.borrow_and_update().rules();
            // Where it stands is found anew when it is set anew.
            if !rules.iter().any(|rule| rule.signal == Signal::Moved) {
                signals.set_anchor(None);
            }
            watch.set_rules(rules);
        }
        if watch.is_idle() {
            return None;
        }
        let moment = Moment { monotonic: stamp.monotonic, utc: stamp.utc, interval };
        let Outcome { told, keep } = watch.look(moment, |rule| signals.value(rule, stamp, fields));
        let has_new_anchor = signals.anchor() != anchor;
        inner.used = true;
        for told in &told {
            self.events.emit(Event::Alarm { what: sentence(told), kind: told.kind, severity: told.severity });
        }
        if !told.is_empty() || self.is_undated(stamp) {
            self.show(inner, stamp);
        }
        if !keep && !has_new_anchor {
            return None;
        }
        let mut states = vec![(STATE, inner.watch.as_ref()?.state(moment))];
        if has_new_anchor {
            states.push((ANCHOR, write_anchor(inner.signals.anchor())));
        }
        let events = told.iter().map(|told| message(told, inner.signals.position())).collect();
        Some(Bundle { stamp, events, reading: None, states })
    }

    /// Whether the time of an alarm can be told that could not be.
    fn is_undated(&self, stamp: Stamp) -> bool {
        stamp.utc.is_some() && self.active.borrow().values().any(|alarm| alarm.since.is_none())
    }

    fn show(&self, inner: &Inner, stamp: Stamp) {
        let active = inner.watch.as_ref().map(Watch::active).unwrap_or_default();
        let active: ActiveAlarms = active
            .into_iter()
            .map(|alarm| {
                let since = stamp
                    .utc
                    .and_then(|utc| utc.checked_sub_signed(TimeDelta::try_milliseconds(alarm.begin)?));
                let (severity, acknowledged) = (alarm.severity.word(), alarm.acknowledged);
                (alarm.name, ActiveAlarm { severity, since: since.map(Timestamp), acknowledged })
            })
            .collect();
        self.active.send_if_modified(|shown| {
            let news = *shown != active;
            *shown = active;
            news
        });
    }

    /// Somebody knows of this alarm; kept at once. An error has the names of those that are active.
    pub fn acknowledge(&self, name: &str) -> Result<ActiveAlarm, Vec<String>> {
        let mut inner = self.lock();
        let stamp = Stamp::now(&*self.clock);
        let found = inner.watch.as_mut().is_some_and(|watch| watch.acknowledge(name));
        if !found {
            return Err(self.active.borrow().keys().cloned().collect());
        }
        let moment = Moment { monotonic: stamp.monotonic, utc: stamp.utc, interval: Duration::ZERO };
        if let Some(watch) = &mut inner.watch {
            let states = vec![(STATE, watch.state(moment))];
            self.journal.append_bundle(Bundle { stamp, events: Vec::new(), reading: None, states });
        }
        let shown = self.active.borrow().get(name).cloned();
        let mut alarm = shown.ok_or_else(Vec::new)?;
        alarm.acknowledged = true;
        self.active.send_modify(|active| {
            active.insert(name.into(), alarm.clone());
        });
        Ok(alarm)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // No code panics while it holds the lock; if it did, the state would still be good.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Latitude and longitude with a space between them; empty where nobody watches whether the box moves.
fn write_anchor(anchor: Option<(f64, f64)>) -> String {
    anchor.map_or_else(String::new, |(latitude, longitude)| format!("{latitude} {longitude}"))
}

fn read_anchor(text: &str) -> Option<(f64, f64)> {
    let (latitude, longitude) = text.split_once(' ')?;
    Some((latitude.parse().ok()?, longitude.parse().ok()?))
}
