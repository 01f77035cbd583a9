//! Whether the environment sensor measures.

use std::time::Duration;

use super::context::Context;
use super::finding::Finding;
use super::item::{Check, Look};
use super::second_hand::second_hand;

pub(super) const CHECK: Check = Check {
    id: "i2c",
    sentence: "a BME280 or BMP280 answers on the I2C bus and measures",
    needs: &["configuration"],
    within: Duration::from_secs(10),
    look: Look::By(look),
};

fn look(context: &Context) -> Result<Finding, Finding> {
    let config = context.config()?;
    let config = &config.sensors.bme280;
    if !config.enabled {
        return Ok(Finding::skip("switched off (sensors.bme280.enabled)"));
    }
    if let Some(word) = context.agents_word("bme280") {
        return Ok(second_hand(&word));
    }
    let Some(mut sensor) = config.sensor() else {
        return Ok(Finding::skip("there is no I2C on this system"));
    };
    let environment = match sensor.measure(Duration::ZERO) {
        Ok(environment) => environment,
        Err(error) => return Ok(Finding::error(error)),
    };
    let value = |value: Option<f64>, unit: &str| value.map(|value| format!("{value:.1} {unit}"));
    let values = [
        value(environment.temperature_c, "°C"),
        value(environment.humidity_rh, "%RH"),
        value(environment.pressure_hpa, "hPa"),
    ];
    let measured = values.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let text = format!("{}: {measured}", config.bus.display());
    match environment.faults.first() {
        Some(fault) => Ok(Finding::warn(text, fault.to_string())),
        None if environment.humidity_rh.is_none() => {
            Ok(Finding::pass(format!("{text}; a BMP280 measures no humidity")))
        }
        None => Ok(Finding::pass(text)),
    }
}
