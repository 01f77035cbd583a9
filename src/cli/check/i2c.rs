use std::time::Duration;

use super::context::Context;
use super::{Check, Finding};

pub(super) const CHECK: Check = Check {
    id: "i2c",
    sentence: "a BME280 or BMP280 answers on the I2C bus and measures",
    needs: &["configuration"],
    within: Duration::from_secs(10),
    look,
};

fn look(context: &Context) -> Finding {
    let Ok(config) = context.config() else { return Finding::skip("there is no configuration") };
    let config = &config.sensors.bme280;
    if !config.enabled {
        return Finding::skip("switched off (sensors.bme280.enabled)");
    }
    if let Some(word) = context.agents_word("bme280") {
        return agents_word(word);
    }
    let Some(mut sensor) = config.sensor() else {
        return Finding::skip("there is no I2C on this system");
    };
    let environment = match sensor.measure(Duration::ZERO) {
        Ok(environment) => environment,
        Err(error) => return Finding::error(error),
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
        Some(fault) => Finding::warn(text, fault.to_string()),
        None if environment.humidity_rh.is_none() => {
            Finding::pass(format!("{text}; a BMP280 measures no humidity"))
        }
        None => Finding::pass(text),
    }
}

/// The running agent has the sensor; it says how that is.
pub(super) fn agents_word(word: &serde_json::Value) -> Finding {
    let cause = word["cause"].as_str().unwrap_or_default();
    match word["state"].as_str() {
        Some("ok") => Finding::pass("the running agent says that it is well"),
        Some("failed") => Finding::error(format!("the running agent says: {cause}")),
        Some("degraded") => {
            Finding::warn(format!("the running agent says: {cause}"), "see container-tracker status")
        }
        _ => Finding::skip("an agent runs and has it; its status says nothing yet (try sudo)"),
    }
}
