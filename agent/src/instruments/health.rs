//! The health of an instrument whose bus may hang.

use tokio::sync::watch;
use tracker_sensors::health::{Health, State};

/// The health of a sensor whose bus may hang.
#[derive(Debug, Clone)]
pub struct SensorHealth {
    health: watch::Receiver<Health>,
    hung: watch::Receiver<bool>,
}

impl SensorHealth {
    /// The health of a sensor behind a bus, and whether that hangs.
    pub fn with_bus(health: watch::Receiver<Health>, hung: watch::Receiver<bool>) -> Self {
        Self { health, hung }
    }

    /// A health that never hangs.
    pub fn of(health: watch::Receiver<Health>) -> Self {
        Self { health, hung: watch::Sender::new(false).subscribe() }
    }

    /// Whether it gives nothing.
    pub fn has_failed(&self) -> bool {
        *self.hung.borrow() || self.health.borrow().state == State::Failed
    }

    /// As it is now.
    pub fn current(&self) -> Health {
        let mut health = self.health.borrow().clone();
        if *self.hung.borrow() {
            health.state = State::Failed;
            health.cause = Some("the I2C bus does not answer: a line held low? check the wiring".into());
        }
        health
    }

    /// Waits for a change. Cancel-safe.
    pub async fn changed(&mut self) {
        let (health, hung) = (&mut self.health, &mut self.hung);
        tokio::select! {
            Ok(()) = health.changed() => {}
            Ok(()) = hung.changed() => {}
            else => std::future::pending().await,
        }
    }
}
