//! The door contact: whether the door is open, and how often it was opened.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tracker_sensors::door::{Bias, ContactSettings, Door as Standing, DoorContact, DoorState, LineSettings};
use tracker_sensors::health::Health;

use super::fields::Fields;
use super::health::SensorHealth;
use super::instrument::{Examined, Instrument, Start};
#[cfg(feature = "lab")]
use super::simulation::Simulation;

/// The longest bouncing that can be waited for; longer, and a hand that opens the door would be missed.
const LONGEST_DEBOUNCE_MS: u32 = 1000;

/// What `check` says of it.
pub const EXAMINED: Examined = Examined { name: "door", holds: "the line of the door contact can be read" };

/// `[sensors.door]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DoorConfig {
    /// On: the container has such a switch.
    pub enabled: bool,
    /// The GPIO chip.
    pub chip: PathBuf,
    /// Number of the line on the chip, from 0.
    pub line: u32,
    /// Whether the line is low while the door is open.
    pub active_low: bool,
    /// The resistor that gives the line a level while the switch is open.
    pub bias: Resistor,
    /// Milliseconds that a change must last; shorter ones are bouncing.
    pub debounce_ms: u32,
}

/// Where the resistor of the line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resistor {
    /// The chip's own, to supply; the switch goes to ground.
    PullUp,
    /// The chip's own, to ground; the switch goes to supply.
    PullDown,
    /// On the board.
    None,
    /// As the chip has it.
    AsIs,
}

impl Default for DoorConfig {
    fn default() -> Self {
        Self {
            enabled: false,
            chip: "/dev/gpiochip0".into(),
            line: 17,
            active_low: false,
            bias: Resistor::PullUp,
            debounce_ms: LineSettings::DEBOUNCE.as_millis() as u32,
        }
    }
}

impl DoorConfig {
    /// The key that is wrong, and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        (!(1..=LONGEST_DEBOUNCE_MS).contains(&self.debounce_ms)).then(|| {
            let why = format!("{} ms is not between 1 and {LONGEST_DEBOUNCE_MS}", self.debounce_ms);
            ("sensors.door.debounce_ms", why)
        })
    }

    fn line(&self) -> LineSettings {
        LineSettings {
            chip: self.chip.clone(),
            line: self.line,
            active_low: self.active_low,
            bias: match self.bias {
                Resistor::PullUp => Bias::PullUp,
                Resistor::PullDown => Bias::PullDown,
                Resistor::None => Bias::Disabled,
                Resistor::AsIs => Bias::AsIs,
            },
            debounce: Duration::from_millis(self.debounce_ms.into()),
        }
    }
}

/// A switch, watched by a task once it has started.
pub struct Door {
    contact: Option<DoorContact>,
    health: watch::Receiver<Health>,
    state: watch::Receiver<DoorState>,
    look: Arc<Notify>,
}

impl Door {
    /// This switch.
    pub fn new(contact: DoorContact) -> Self {
        Self {
            health: contact.health(),
            state: contact.state(),
            look: contact.look(),
            contact: Some(contact),
        }
    }

    /// The one of the configuration; `None` where it is switched off, or the system has no GPIO.
    pub fn configured(config: &DoorConfig) -> Option<Box<dyn Instrument>> {
        if !config.enabled {
            return None;
        }
        let line = config.line();
        #[cfg(target_os = "linux")]
        {
            use tracker_sensors::door::GpioSource;
            let settings = ContactSettings::new(Instant::now());
            Some(Box::new(Self::new(DoorContact::new(GpioSource::new(line), settings))))
        }
        #[cfg(not(target_os = "linux"))]
        {
            tracing::warn!("no GPIO on this system, {line:?} is of no use: the door is absent");
            None
        }
    }

    /// The one of a simulated container.
    #[cfg(feature = "lab")]
    pub fn simulated(simulation: &Simulation) -> Box<dyn Instrument> {
        let settings = ContactSettings::new(Instant::now());
        Box::new(Self::new(DoorContact::new(simulation.container.door(), settings)))
    }
}

impl Instrument for Door {
    fn name(&self) -> &'static str {
        EXAMINED.name
    }

    fn start(&mut self, start: &mut Start<'_>) -> io::Result<()> {
        if let Some(contact) = self.contact.take() {
            start.tasks.spawn(async move { match contact.run().await {} });
        }
        Ok(())
    }

    fn health(&self) -> SensorHealth {
        SensorHealth::of(self.health.clone())
    }

    fn look(&self) {
        self.look.notify_one();
    }

    fn read(&mut self, fields: &mut Fields) {
        let DoorState { door, openings, .. } = *self.state.borrow();
        if let Some(door) = door {
            fields.word("door", &door.to_string());
            fields.count("doorOpenings", openings);
            fields.note(Fields::DOOR_OPEN, f64::from(u8::from(door == Standing::Open)));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio::task::JoinSet;
    use tracker_sensors::simulated::ReedSwitch;

    use super::*;
    use crate::platform::clock::SystemClock;
    use crate::platform::heartbeat::Vitals;

    #[tokio::test(start_paused = true)]
    async fn an_opening_between_two_readings_is_counted() {
        let switch = ReedSwitch::new(false);
        let mut door = Door::new(DoorContact::new(switch.clone(), ContactSettings::new(Instant::now())));
        let (vitals, mut tasks) = (Vitals::default(), JoinSet::new());
        let clock = Arc::new(SystemClock::new(true));
        door.start(&mut Start { clock, vitals: &vitals, tasks: &mut tasks }).unwrap();
        let mut read = async || {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let mut fields = Fields::default();
            door.read(&mut fields);
            serde_json::from_str::<Value>(&fields.into_json()).unwrap()
        };
        assert_eq!(read().await, json!({"door": "closed", "doorOpenings": 0}));
        switch.set_open(true);
        tokio::time::sleep(Duration::from_secs(2)).await;
        switch.set_open(false);
        assert_eq!(read().await, json!({"door": "closed", "doorOpenings": 1}));
    }

    #[test]
    fn a_time_that_is_no_bouncing_is_refused() {
        let config = DoorConfig { debounce_ms: 2000, ..DoorConfig::default() };
        let (key, why) = config.problem().unwrap();
        assert_eq!((key, &*why), ("sensors.door.debounce_ms", "2000 ms is not between 1 and 1000"));
        assert_eq!(DoorConfig::default().problem(), None);
    }
}
