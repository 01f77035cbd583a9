//! The air inside over a whole voyage, computed as far as somebody has asked for it.
//!
//! Each step follows from the one before. A voyage has tens of thousands of them, and a device that is watched for an hour needs
//! thirty.

use std::sync::{Mutex, PoisonError};

use super::interior::{Inside, Interior, Surroundings};

/// Steps of two minutes.
const STEP_H: f64 = 2.0 / 60.0;

/// The steps that were computed so far.
#[derive(Debug, Default)]
pub(super) struct Indoors(Mutex<Way>);

#[derive(Debug, Clone, Default)]
struct Way {
    steps: Vec<Inside>,
    /// What the next step goes on from; none before the first.
    interior: Option<Interior>,
}

impl Clone for Indoors {
    fn clone(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }
}

impl Indoors {
    /// Between two steps; after the last one, at the end of the voyage, it stays as it was. `begin` is asked once.
    pub(super) fn at(
        &self,
        hours: f64,
        length_h: f64,
        begin: impl FnOnce() -> Interior,
        around: impl Fn(f64) -> Surroundings,
    ) -> Inside {
        let place = hours / STEP_H;
        let last = (length_h / STEP_H).ceil() as usize;
        let index = (place as usize).min(last);
        let next = (index + 1).min(last);
        let mut way = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        way.go_to(next, begin, around);
        let (now, next) = (way.steps[index], way.steps[next]);
        let share = (place - index as f64).clamp(0.0, 1.0);
        let between = |a: f64, b: f64| a + (b - a) * share;
        Inside {
            temperature_c: between(now.temperature_c, next.temperature_c),
            humidity_rh: between(now.humidity_rh, next.humidity_rh),
            pressure_hpa: between(now.pressure_hpa, next.pressure_hpa),
        }
    }
}

impl Way {
    /// Computes up to this step.
    fn go_to(
        &mut self,
        index: usize,
        begin: impl FnOnce() -> Interior,
        around: impl Fn(f64) -> Surroundings,
    ) {
        if index < self.steps.len() {
            return;
        }
        let mut interior = self.interior.take().unwrap_or_else(begin);
        while self.steps.len() <= index {
            let hours = self.steps.len() as f64 * STEP_H;
            self.steps.push(interior.now());
            interior.step(hours, STEP_H, &around(hours));
        }
        self.interior = Some(interior);
    }
}
