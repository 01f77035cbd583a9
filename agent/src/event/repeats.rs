//! What others can make happen as often as they like is told once, and then counted.

use std::time::Duration;

use tokio::time::Instant;

use crate::event::model::Event;
use crate::event::sink::Events;

/// What is held back is told so much later, as a count.
const COUNT_EVERY: Duration = Duration::from_mins(1);
/// Troubles of one kind that are told one by one within that time, if their words differ.
const TROUBLES: usize = 4;
/// Other events of one kind that are told one by one within that time.
const OTHERS: usize = 30;

/// What repeats itself; each kind is counted for itself, so that none hides another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// Messages that can't be read, or not be answered.
    Messages,
    /// Readings that the hub does not take now.
    PutOff,
    /// Readings that it can never take.
    GivenUp,
    /// Troubles with the twin.
    Twin,
    /// Answers to desired properties.
    Settings,
    /// Calls of direct methods.
    Methods,
}

/// Tells events that others cause, within bounds.
#[derive(Debug, Default)]
pub struct Repeats(Vec<Kind>);

#[derive(Debug)]
struct Kind {
    what: Repeated,
    since: Instant,
    /// The troubles told since then, or as many empty texts as there were events.
    told: Vec<String>,
    held: u64,
    last: Option<Event>,
    /// The time before was full already.
    goes_on: bool,
}

impl Repeats {
    /// Tells `event`, or counts it.
    pub fn tell(&mut self, events: &Events, what: Repeated, event: Event) {
        let now = Instant::now();
        self.tick(events);
        let kind = match self.0.iter().position(|kind| kind.what == what) {
            Some(index) => &mut self.0[index],
            None => self.0.push_mut(Kind::new(what, now)),
        };
        let (limit, text) = match &event {
            Event::Trouble(text) => (TROUBLES, text.as_str()),
            _ => (OTHERS, ""),
        };
        let is_new = text.is_empty() || !kind.told.iter().any(|told| told == text);
        if is_new && kind.told.len() < limit && !kind.goes_on {
            kind.told.push(text.to_owned());
            events.emit(event);
        } else {
            kind.held += 1;
            kind.last = Some(event);
        }
    }

    /// When to call [`Self::tick`] if nothing is told before.
    pub fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter(|kind| kind.held > 0).map(|kind| kind.since + COUNT_EVERY).min()
    }

    /// Tells the counts that are due.
    pub fn tick(&mut self, events: &Events) {
        let now = Instant::now();
        self.0.retain_mut(|kind| {
            if now < kind.since + COUNT_EVERY {
                return true;
            }
            kind.goes_on = kind.held > 0;
            kind.count(events);
            kind.since = now;
            kind.told.clear();
            // One that has been quiet for so long is forgotten.
            kind.goes_on
        });
    }

    /// Tells all counts: nobody may be there to tell them later.
    pub fn end(&mut self, events: &Events) {
        for kind in &mut self.0 {
            kind.count(events);
        }
    }
}

impl Kind {
    fn new(what: Repeated, since: Instant) -> Self {
        Self { what, since, told: Vec::new(), held: 0, last: None, goes_on: false }
    }

    fn count(&mut self, events: &Events) {
        if let Some(last) = self.last.take() {
            let times = std::mem::take(&mut self.held);
            events.emit(Event::Repeated { last: Box::new(last), times });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    fn listen() -> (Events, Arc<Mutex<Vec<String>>>) {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = heard.clone();
        let listener = move |event: &Event| hears.lock().expect("a listener").push(event.to_string());
        (Events::to("test", Arc::new(listener)), heard)
    }

    #[tokio::test(start_paused = true)]
    async fn the_same_trouble_is_told_once_and_then_counted() {
        let (events, heard) = listen();
        let heard = || std::mem::take(&mut *heard.lock().expect("a listener"));
        let mut repeats = Repeats::default();
        for _ in 0..10_000 {
            repeats.tell(&events, Repeated::Messages, Event::Trouble("nonsense".into()));
        }
        assert_eq!(heard(), ["nonsense"]);
        repeats.tell(&events, Repeated::Twin, Event::Trouble("no twin".into()));
        assert_eq!(heard(), ["no twin"], "another kind is not hidden");
        tokio::time::advance(COUNT_EVERY).await;
        assert!(repeats.deadline().is_some_and(|due| due <= Instant::now()));
        repeats.tick(&events);
        assert_eq!(heard(), ["9999 times more: nonsense"]);
        // It goes on: once a minute.
        for number in 0..200_u64 {
            repeats.tell(&events, Repeated::Messages, Event::Trouble(format!("nonsense {number}")));
            tokio::time::advance(COUNT_EVERY / 100).await;
        }
        assert_eq!(heard(), ["100 times more: nonsense 99"].map(String::from));
        repeats.end(&events);
        assert_eq!(heard().len(), 1);
        // After a while of quiet it is news again.
        tokio::time::advance(2 * COUNT_EVERY).await;
        repeats.tick(&events);
        repeats.tell(&events, Repeated::Messages, Event::Trouble("nonsense".into()));
        assert_eq!(heard(), ["nonsense"]);
    }

    #[tokio::test(start_paused = true)]
    async fn different_words_are_told_up_to_a_bound() {
        let (events, heard) = listen();
        let mut repeats = Repeats::default();
        for number in 0..100 {
            repeats.tell(&events, Repeated::Messages, Event::Trouble(format!("nonsense {number}")));
            let name = format!("method{number}");
            repeats.tell(&events, Repeated::Methods, Event::Method { name, status: 404 });
        }
        assert_eq!(heard.lock().expect("a listener").len(), TROUBLES + OTHERS);
        repeats.end(&events);
        let heard = heard.lock().expect("a listener");
        assert_eq!(heard[TROUBLES + OTHERS], "96 times more: nonsense 99");
        assert_eq!(heard[TROUBLES + OTHERS + 1], "70 times more: method method99 called, answered 404");
    }
}
