//! Measures the light once a second and prints it in lx, or what is wrong: try a sensor before it is fitted.
//!
//! usage: `light_lux BUS [COUNT]`, e.g. `light_lux /dev/i2c-1`

#![allow(clippy::disallowed_macros, reason = "a person at a terminal reads it")]

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("I2C buses are opened on Linux alone");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::process::exit;
    use std::thread::sleep;
    use std::time::Duration;

    use tracker_sensors::i2c::{LinuxDelay, LinuxI2c};
    use tracker_sensors::light::Veml7700;

    pub(super) fn main() {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let (bus, count) = match arguments.as_slice() {
            [bus] => (bus, Ok(u64::MAX)),
            [bus, count] => (bus, count.parse()),
            _ => usage(),
        };
        let Ok(count) = count else { usage() };
        let mut sensor = Veml7700::new(LinuxI2c::new(bus), LinuxDelay);
        for _ in 0..count {
            match sensor.measure() {
                Ok(lux) => println!("{lux:.4}"),
                Err(error) => println!("{error}"),
            }
            sleep(Duration::from_secs(1));
        }
    }

    fn usage() -> ! {
        eprintln!("usage: light_lux BUS [COUNT]");
        exit(2);
    }
}
