//! Whether the environment sensor measures.

use std::path::Path;
use std::time::Duration;

use tracker_sensors::bme280::Environment;

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
    if !config.bus.exists() {
        let bus = config.bus.display();
        return Ok(Finding::error(format!(
            "there is no bus {bus}: enable I2C (raspi-config, or dtparam=i2c_arm=on in config.txt)"
        )));
    }
    Ok(match sensor.measure(Duration::ZERO) {
        Ok(environment) => judge(&environment, &config.bus),
        Err(error) => Finding::error(error),
    })
}

fn judge(environment: &Environment, bus: &Path) -> Finding {
    let value = |value: Option<f64>, unit: &str| value.map(|value| format!("{value:.1} {unit}"));
    let values = [
        value(environment.temperature_c, "°C"),
        value(environment.humidity_rh, "%RH"),
        value(environment.pressure_hpa, "hPa"),
    ];
    let measured = values.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let text = format!("{}: {measured}", bus.display());
    let faults = environment.faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    if measured.is_empty() {
        Finding::error(faults)
    } else if !faults.is_empty() {
        Finding::warn(text, faults)
    } else if environment.humidity_rh.is_none() {
        Finding::pass(format!("{text}; a BMP280 measures no humidity"))
    } else {
        Finding::pass(text)
    }
}

#[cfg(test)]
mod tests {
    use tracker_sensors::bme280::{Cause, Error, Register};

    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn what_is_measured_and_what_is_not_is_told() {
        let fault = |register| Error { address: 0x76, register, cause: Cause::DeadCalibration };
        let bus = Path::new("/dev/i2c-1");
        let nothing = Environment { faults: vec![fault(Register::CALIBRATION)], ..Environment::default() };
        let nothing = judge(&nothing, bus);
        assert_eq!((nothing.verdict, nothing.mend), (Verdict::Fail, None));
        assert!(nothing.text.starts_with("BME280 at 0x76, register 0x88"), "{}", nothing.text);
        let some = Environment {
            temperature_c: Some(4.25),
            faults: vec![fault(Register::CALIBRATION_PRESSURE), fault(Register::CALIBRATION_HUMIDITY)],
            ..Environment::default()
        };
        let some = judge(&some, bus);
        assert_eq!((some.verdict, &*some.text), (Verdict::Warn, "/dev/i2c-1: 4.2 °C"));
        assert!(some.mend.is_some_and(|mend| mend.contains("of pressure") && mend.contains("of humidity")));
    }
}
