//! Whether an instrument answers that has no check of its own kind: it is started as the agent would, and asked once.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tracker_sensors::health::{Health, State};

use super::asked::asked;
use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use super::second_hand::second_hand;
use crate::commands::known_dates::known_dates;
use crate::instruments;
use crate::instruments::fields::Fields;
use crate::instruments::instrument::{Examined, Instrument, Start};
use crate::platform::clock::Clock;
use crate::platform::heartbeat::Vitals;

/// A thread that is asked over a hung bus does not answer; a task says at once how it is.
const ANSWER: Duration = Duration::from_secs(5);
/// How often is looked whether there is an answer.
const LOOK: Duration = Duration::from_millis(20);

/// The check of an instrument.
pub(super) fn check(instrument: &Examined) -> Check {
    Check {
        id: instrument.name,
        sentence: instrument.holds,
        needs: &["configuration"],
        within: Duration::from_secs(10),
        look: Look::Instrument,
    }
}

/// Looks at the instrument of this name.
pub(super) fn look(context: &Context, name: &str) -> Result<Finding, Finding> {
    let config = context.config()?;
    let all = instruments::configured(&config.sensors, &known_dates(config));
    let Some(mut instrument) = all.into_iter().find(|one| one.name() == name) else {
        return Ok(Finding::skip(format!("switched off (sensors.{name}.enabled)")));
    };
    if let Some(word) = context.agents_word(name) {
        return Ok(second_hand(&word));
    }
    let (fields, health) = asked(ask(&mut *instrument, context.clock.clone()))?.map_err(Finding::error)?;
    Ok(judge(fields, health))
}

fn judge(fields: Fields, Health { state, cause, .. }: Health) -> Finding {
    let fields: Map<String, Value> = serde_json::from_str(&fields.into_json()).unwrap_or_default();
    let said = fields.iter().map(|(field, value)| match value.as_str() {
        Some(text) => format!("{field} {text}"),
        None => format!("{field} {value}"),
    });
    let said = said.collect::<Vec<_>>().join(", ");
    match (state, cause) {
        (State::Ok, _) => Finding::pass(said),
        (State::Degraded, Some(cause)) if said.is_empty() => Finding::warn("it measures nothing now", cause),
        (State::Degraded, Some(cause)) => Finding::warn(said, cause),
        (_, cause) => Finding::error(cause.unwrap_or_else(|| format!("no answer in {} s", ANSWER.as_secs()))),
    }
}

/// What it tells, and how it is.
async fn ask(instrument: &mut dyn Instrument, clock: Arc<dyn Clock>) -> std::io::Result<(Fields, Health)> {
    let (vitals, mut tasks) = (Vitals::default(), JoinSet::new());
    instrument.start(&mut Start { clock, vitals: &vitals, tasks: &mut tasks })?;
    let until = Instant::now() + ANSWER;
    if let Some(measuring) = instrument.measure(Instant::now()) {
        // One that is late is told by its health.
        let _ = timeout(ANSWER, measuring).await;
    }
    instrument.look();
    while instrument.health().current().state == State::Starting && Instant::now() < until {
        sleep(LOOK).await;
    }
    let mut fields = Fields::default();
    instrument.read(&mut fields);
    Ok((fields, instrument.health().current()))
}

#[cfg(all(test, feature = "lab"))]
mod tests {
    use tracker_sensors::light::LightSensor;
    use tracker_sensors::simulated::{ChipFault, Veml7700Chip};

    use super::super::finding::Verdict;
    use super::*;
    use crate::instruments::light::Light;
    use crate::platform::clock::SystemClock;

    #[tokio::test]
    async fn an_instrument_tells_once_what_it_can() {
        let chip = Veml7700Chip::new();
        chip.set_light(0.0);
        let light = || Light::new(LightSensor::new(chip.clone(), chip.delay()));
        let clock = Arc::new(SystemClock::new(true));
        let (fields, health) = ask(&mut light(), clock.clone()).await.unwrap();
        assert_eq!((fields.get("light"), health.state), (Some(0.0), State::Ok));
        chip.set_fault(Some(ChipFault::NoAcknowledge));
        let (fields, health) = ask(&mut light(), clock).await.unwrap();
        assert_eq!((fields.get("light"), health.state), (None, State::Failed));
        assert!(health.cause.unwrap().contains("0x10"));
    }

    #[tokio::test]
    async fn no_finding_is_without_words() {
        let chip = Veml7700Chip::new();
        chip.set_light(1e6);
        let mut light = Light::new(LightSensor::new(chip.clone(), chip.delay()));
        let (fields, health) = ask(&mut light, Arc::new(SystemClock::new(true))).await.unwrap();
        let dazzled = judge(fields, health);
        assert_eq!((dazzled.verdict, &*dazzled.text), (Verdict::Warn, "it measures nothing now"));
        assert!(dazzled.mend.unwrap().contains("brighter than"));
        assert_eq!(judge(Fields::default(), Health::default()).text, "no answer in 5 s");
    }
}
