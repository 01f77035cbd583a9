//! The telling: what is done, what is expected, what was seen.

use std::time::{Duration, Instant};

use anyhow::bail;
use serde_json::json;

use crate::lab::director::Director;
use crate::lab::screen::Screen;

/// Tells one step after the other and remembers how they went.
pub(super) struct Story {
    screen: Screen,
    director: Director,
    steps: u32,
    failed: Vec<String>,
}

/// A step that has been announced.
pub(super) struct Step<'a> {
    story: &'a mut Story,
    number: u32,
    title: String,
    begun: Instant,
}

impl Story {
    pub(super) fn new(screen: Screen) -> Self {
        Self::with(screen, Director::default())
    }

    /// A story that somebody else can watch and steer.
    pub(super) fn with(screen: Screen, director: Director) -> Self {
        Self { screen, director, steps: 0, failed: Vec::new() }
    }

    /// Announces a step, and waits until it may be done.
    pub(super) async fn next(&mut self, title: &str, expected: &str) -> Step<'_> {
        let director = self.director.clone();
        let mut step = self.step(title, expected);
        director.cleared().await;
        step.begun = Instant::now();
        step
    }

    /// Announces a step: what is done, and what must come of it.
    pub(super) fn step(&mut self, title: &str, expected: &str) -> Step<'_> {
        self.steps += 1;
        let number = self.steps;
        let text = format!("{number:>2}. {title}\n      expected: {expected}");
        let details = json!({"step": number, "title": title, "expected": expected});
        self.screen.note("step", &text, details);
        self.director.announce(number, title, expected);
        Step { story: self, number, title: title.into(), begun: Instant::now() }
    }

    /// Tells how it all went.
    pub(super) fn verdict(self) -> anyhow::Result<()> {
        let Self { screen, director, steps, failed } = self;
        let passed = steps - failed.len() as u32;
        let text = if failed.is_empty() {
            format!("Verdict: all {steps} steps went as expected.")
        } else {
            format!("Verdict: {passed} of {steps} steps went as expected; not so: {}.", failed.join("; "))
        };
        director.over(&text);
        screen.note("verdict", &text, json!({"steps": steps, "passed": passed, "failed": failed}));
        if !failed.is_empty() {
            bail!("{} of {steps} steps did not go as expected", failed.len());
        }
        Ok(())
    }
}

impl Step<'_> {
    /// What was seen, and whether it is what was expected. Gives that back.
    pub(super) fn saw(self, as_expected: bool, seen: &str) -> bool {
        let Self { story, number, title, begun } = self;
        let took = begun.elapsed();
        let mark = if as_expected { "✓" } else { "✗" };
        let text = format!("      saw:      {mark} {seen} ({})", seconds(took));
        let details =
            json!({"step": number, "asExpected": as_expected, "seen": seen, "seconds": took.as_secs_f64()});
        story.screen.note("seen", &text, details);
        story.director.saw(as_expected, seen, took.as_secs_f64());
        if !as_expected {
            story.failed.push(format!("{number}. {title}"));
        }
        as_expected
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}
