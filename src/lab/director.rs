//! Who watches a story step by step, and says when it goes on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tracker_console::model::{Scenario, ScenarioStep, ScenarioWish};

/// The state of a story, for those who tell it and those who watch it.
#[derive(Clone, Default)]
pub(crate) struct Director(Arc<Stand>);

#[derive(Default)]
struct Stand {
    scenario: Mutex<Scenario>,
    go: Notify,
}

impl Director {
    /// A story that has not begun; each of its steps waits, or none does.
    pub(crate) fn new(title: &str, is_stepping: bool) -> Self {
        let scenario = Scenario { title: title.into(), is_stepping, ..Scenario::default() };
        Self(Arc::new(Stand { scenario: Mutex::new(scenario), go: Notify::new() }))
    }

    fn lock(&self) -> MutexGuard<'_, Scenario> {
        self.0.scenario.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it has come.
    pub(crate) fn view(&self) -> Scenario {
        self.lock().clone()
    }

    /// A step is announced.
    pub(crate) fn announce(&self, number: u32, title: &str, expected: &str) {
        let (title, expected) = (title.to_owned(), expected.to_owned());
        let step = ScenarioStep { number, title, expected, seen: None, is_as_expected: None, seconds: None };
        self.lock().steps.push(step);
    }

    /// Waits until the step that was announced may be done.
    pub(crate) async fn cleared(&self) {
        loop {
            let told = self.0.go.notified();
            {
                let mut scenario = self.lock();
                scenario.is_waiting = scenario.is_stepping;
                if !scenario.is_waiting {
                    return;
                }
            }
            told.await;
            // Told to go on is told once.
            if !self.lock().is_waiting {
                return;
            }
        }
    }

    /// What came of the last step.
    pub(crate) fn saw(&self, is_as_expected: bool, seen: &str, seconds: f64) {
        if let Some(step) = self.lock().steps.last_mut() {
            step.seen = Some(seen.into());
            step.is_as_expected = Some(is_as_expected);
            step.seconds = Some(seconds);
        }
    }

    /// It is over.
    pub(crate) fn over(&self, verdict: &str) {
        self.lock().verdict = Some(verdict.into());
    }

    /// Somebody steers it. `false` where nothing waits that could go on.
    pub(crate) fn steer(&self, wish: ScenarioWish) -> bool {
        let mut scenario = self.lock();
        if let Some(is_stepping) = wish.is_stepping {
            scenario.is_stepping = is_stepping;
        }
        let waited = scenario.is_waiting;
        if waited && (wish.is_next || !scenario.is_stepping) {
            scenario.is_waiting = false;
            self.0.go.notify_waiters();
        }
        waited || !wish.is_next
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const MOMENT: Duration = Duration::from_millis(20);

    #[tokio::test(start_paused = true)]
    async fn each_step_waits_for_its_own_word() {
        let director = Director::new("life", true);
        let next = ScenarioWish { is_next: true, is_stepping: None };
        assert!(!director.steer(next), "nothing waits yet, and the word is not kept");
        for number in 1..=2 {
            director.announce(number, "do", "see");
            assert!(timeout(MOMENT, director.cleared()).await.is_err());
            assert!(director.view().is_waiting);
            let (cleared, steered) = tokio::join!(timeout(MOMENT, director.cleared()), async {
                tokio::task::yield_now().await;
                director.steer(next)
            });
            assert!(cleared.is_ok() && steered && !director.view().is_waiting);
            director.saw(true, "seen", 0.5);
        }
        director.announce(3, "do", "see");
        let go_on = ScenarioWish { is_stepping: Some(false), is_next: false };
        let (cleared, _) = tokio::join!(timeout(MOMENT, director.cleared()), async {
            tokio::task::yield_now().await;
            director.steer(go_on)
        });
        assert!(cleared.is_ok());
        director.announce(4, "do", "see");
        assert!(timeout(MOMENT, director.cleared()).await.is_ok(), "nobody wants to be asked any more");
        director.over("all went well");
        let view = director.view();
        let done = view.steps.iter().filter(|step| step.seen.is_some()).count();
        assert_eq!((view.steps.len(), done, view.verdict.as_deref()), (4, 2, Some("all went well")));
    }
}
