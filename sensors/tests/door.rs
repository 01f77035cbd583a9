//! The door contact on an emulated switch, in tokio's own time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, advance, sleep, timeout};
use tracker_sensors::door::{
    ContactSettings, Door, DoorContact, DoorState, Edge, Line, LineCause, LineError, LineSource,
};
use tracker_sensors::health::{Health, State};
use tracker_sensors::simulated::ReedSwitch;

struct Watched {
    state: watch::Receiver<DoorState>,
    health: watch::Receiver<Health>,
    look: Arc<Notify>,
}

fn watch(source: impl LineSource + 'static) -> Watched {
    let contact = DoorContact::new(source, ContactSettings::new(Instant::now()));
    let watched = Watched { state: contact.state(), health: contact.health(), look: contact.look() };
    tokio::spawn(contact.run());
    watched
}

impl Watched {
    fn now(&self) -> (Option<Door>, u64) {
        let state = *self.state.borrow();
        (state.door, state.openings)
    }

    async fn until(&mut self, state: State) -> Health {
        let reached = self.health.wait_for(|health| health.state == state);
        timeout(Duration::from_hours(1), reached).await.expect("it comes to that").unwrap().clone()
    }
}

async fn pass(milliseconds: u64) {
    sleep(Duration::from_millis(milliseconds)).await;
}

#[tokio::test(start_paused = true)]
async fn bouncing_for_five_milliseconds_is_one_opening() {
    let switch = ReedSwitch::new(false);
    let mut door = watch(switch.clone());
    door.until(State::Ok).await;
    assert_eq!(door.now(), (Some(Door::Closed), 0));
    pass(10_000).await;
    switch.set_open(true);
    pass(4).await;
    assert_eq!(door.now(), (Some(Door::Closed), 0), "it is still bouncing");
    pass(100).await;
    assert_eq!(door.now(), (Some(Door::Open), 1));
    let opened = door.state.borrow().last_opening.unwrap();
    assert!((10_000..=10_006).contains(&opened.as_millis()), "{opened:?}");
    switch.set_open(false);
    pass(100).await;
    assert_eq!(door.now(), (Some(Door::Closed), 1));
    assert_eq!(door.state.borrow().last_opening, Some(opened));
    assert_eq!(door.health.borrow().readings, 2);
}

#[tokio::test(start_paused = true)]
async fn an_opening_between_two_looks_is_counted() {
    let switch = ReedSwitch::new(false);
    let mut door = watch(switch.clone());
    door.until(State::Ok).await;
    for round in 1..=5 {
        let begin = Instant::now();
        switch.set_open(true);
        switch.move_at(begin + Duration::from_millis(70), false);
        pass(60_000).await;
        assert_eq!(door.now(), (Some(Door::Closed), round));
    }
}

#[tokio::test(start_paused = true)]
async fn an_opening_is_counted_though_the_agent_was_busy_meanwhile() {
    let switch = ReedSwitch::new(false);
    let mut door = watch(switch.clone());
    door.until(State::Ok).await;
    let begin = Instant::now();
    switch.set_open(true);
    switch.move_at(begin + Duration::from_millis(70), false);
    // Nothing runs until it is all over: the edges are read late, together, by their own times.
    advance(Duration::from_secs(5)).await;
    pass(1000).await;
    assert_eq!(door.now(), (Some(Door::Closed), 1));
    let opened = door.state.borrow().last_opening.unwrap();
    assert!(opened < Duration::from_millis(10), "{opened:?}");
}

#[tokio::test(start_paused = true)]
async fn a_door_that_is_open_at_the_start_was_not_opened() {
    let mut door = watch(ReedSwitch::new(true));
    door.until(State::Ok).await;
    pass(1000).await;
    assert_eq!(door.now(), (Some(Door::Open), 0));
    assert_eq!(door.state.borrow().last_opening, None);
}

#[tokio::test(start_paused = true)]
async fn a_chip_that_is_unplugged_is_told_and_taken_back_and_the_count_goes_on() {
    let switch = ReedSwitch::new(false);
    let mut door = watch(switch.clone());
    door.until(State::Ok).await;
    switch.set_open(true);
    pass(100).await;
    switch.set_open(false);
    pass(100).await;
    assert_eq!(door.now(), (Some(Door::Closed), 1));

    switch.set_trouble(Some(LineCause::Unplugged));
    let failed = door.until(State::Failed).await;
    let cause = failed.cause.unwrap();
    assert_eq!(cause, "emulated reed switch: the chip is gone: was it unplugged, or its driver unloaded?");
    assert_eq!(door.now(), (None, 1), "what cannot be read is not told");
    switch.set_trouble(Some(LineCause::NoChip));
    pass(3_600_000).await;
    assert_eq!(door.health.borrow().state, State::Failed);
    assert!(door.health.borrow().cause.as_ref().unwrap().contains("there is no such chip"));
    // Opened while nobody could see it.
    switch.set_open(true);
    switch.set_trouble(None);
    let well = door.until(State::Ok).await;
    assert_eq!((well.starts, well.cause), (2, None));
    assert_eq!(door.now(), (Some(Door::Open), 2));
    switch.set_open(false);
    pass(100).await;
    switch.set_open(true);
    pass(100).await;
    assert_eq!(door.now(), (Some(Door::Open), 3));
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_refused_is_asked_for_again_at_most_every_thirty_seconds() {
    let switch = ReedSwitch::new(false);
    switch.set_trouble(Some(LineCause::InUse { by: Some("gpio-keys".to_owned()) }));
    let asked = Arc::new(AtomicU32::new(0));
    let mut door = watch(Counted { switch: switch.clone(), asked: asked.clone(), polled: Arc::default() });
    let failed = door.until(State::Failed).await;
    assert!(failed.cause.unwrap().contains("\"gpio-keys\" has the line"));
    pass(3_600_000).await;
    assert!((120..=126).contains(&asked.load(Ordering::Relaxed)), "{asked:?} times in an hour");
    switch.set_trouble(None);
    door.until(State::Ok).await;
    assert_eq!(door.now(), (Some(Door::Closed), 0));
}

#[tokio::test(start_paused = true)]
async fn edges_that_the_kernel_dropped_are_noticed_and_stand_for_an_opening() {
    for debounced in [false, true] {
        let switch = ReedSwitch::new(false);
        switch.set_bouncing(false);
        switch.set_debounced(debounced);
        let mut door = watch(switch.clone());
        door.until(State::Ok).await;
        // Far more than an emulated kernel keeps, before anybody reads one.
        for _ in 0..200 {
            switch.set_open(true);
            switch.set_open(false);
        }
        pass(1000).await;
        let (stands, openings) = door.now();
        assert_eq!(stands, Some(Door::Closed));
        assert!(openings >= 1, "{openings}");
        assert_eq!(door.health.borrow().failures, 1);
        assert_eq!(door.health.borrow().state, State::Ok);
    }
}

#[tokio::test(start_paused = true)]
async fn a_level_that_changed_without_an_edge_is_found_when_somebody_looks() {
    let switch = ReedSwitch::new(false);
    let mut door = watch(switch.clone());
    door.until(State::Ok).await;
    switch.slip(true);
    pass(60_000).await;
    assert_eq!(door.now(), (Some(Door::Closed), 0));
    door.look.notify_one();
    pass(100).await;
    assert_eq!(door.now(), (Some(Door::Open), 1));
}

#[tokio::test(start_paused = true)]
async fn while_nothing_happens_nothing_is_done() {
    let switch = ReedSwitch::new(false);
    let polled = Arc::<AtomicU32>::default();
    let mut door = watch(Counted { switch: switch.clone(), asked: Arc::default(), polled: polled.clone() });
    door.until(State::Ok).await;
    pass(1000).await;
    let before = polled.load(Ordering::Relaxed);
    pass(86_400_000).await;
    assert_eq!(polled.load(Ordering::Relaxed), before, "woken on a day without a visitor");
    switch.set_open(true);
    pass(1000).await;
    assert!(polled.load(Ordering::Relaxed) > before);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_never_rests_leaves_the_agent_its_time() {
    let edges = Arc::<AtomicU32>::default();
    let mut door = watch(Restless(edges.clone(), Instant::now()));
    door.until(State::Ok).await;
    pass(10_000).await;
    let edges = edges.load(Ordering::Relaxed);
    assert!((20_000..30_000).contains(&edges), "{edges} edges in ten seconds");
    assert_eq!(door.now().1, 0, "nothing lasted");
}

/// A line that has another edge whenever it is asked, and too many to be kept in between.
struct Restless(Arc<AtomicU32>, Instant);

impl LineSource for Restless {
    fn request(&mut self) -> Result<Box<dyn Line>, LineError> {
        Ok(Box::new(Restless(self.0.clone(), Instant::now())))
    }
}

impl Line for Restless {
    fn level(&mut self) -> Result<bool, LineError> {
        Ok(self.0.load(Ordering::Relaxed) % 2 == 1)
    }

    fn poll_edge(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Edge, LineError>> {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        assert!(number < 1_000_000, "nobody else gets any time");
        let lost = u32::from(self.1.elapsed() > Duration::from_millis(1)) * 1000;
        self.1 = Instant::now();
        Poll::Ready(Ok(Edge { open: number % 2 == 1, at: self.1, lost }))
    }

    fn debounce(&self) -> Duration {
        Duration::from_millis(50)
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_no_chip_is_named() {
    use tracker_sensors::door::{GpioSource, LineSettings};
    for (path, words) in [
        (
            "/dev/gpiochip-that-is-not-there",
            "there is no such chip: gpiodetect lists those there are; is it plugged in?",
        ),
        ("/dev/null", "this is no GPIO chip: gpiodetect lists those there are"),
    ] {
        let mut door = watch(GpioSource::new(LineSettings::new(path, 17)));
        let failed = door.until(State::Failed).await;
        assert_eq!(failed.cause.unwrap(), format!("GPIO line 17 of {path}: {words}"));
        assert_eq!((door.now(), failed.starts), ((None, 0), 0));
    }
}

/// A switch that counts what is asked of it.
struct Counted {
    switch: ReedSwitch,
    asked: Arc<AtomicU32>,
    polled: Arc<AtomicU32>,
}

struct CountedLine(Box<dyn Line>, Arc<AtomicU32>);

impl LineSource for Counted {
    fn request(&mut self) -> Result<Box<dyn Line>, LineError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(CountedLine(self.switch.request()?, self.polled.clone())))
    }
}

impl Line for CountedLine {
    fn level(&mut self) -> Result<bool, LineError> {
        self.0.level()
    }

    fn poll_edge(&mut self, cx: &mut Context<'_>) -> Poll<Result<Edge, LineError>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.poll_edge(cx)
    }

    fn debounce(&self) -> Duration {
        self.0.debounce()
    }
}
