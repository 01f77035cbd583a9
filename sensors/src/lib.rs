//! The two sensors of a container tracker: a BME280 for the air and a GNSS receiver for place and time.
//!
//! ```text
//!  I2C bus ─▶ tap ─▶ bme280 crate ─▶ raw registers ─▶ compensate ─▶ in range? ─▶ Environment
//!              │                          │
//!              └─ busy, dead, reset ──────┴──▶ Error (address, register, cause) ─▶ Health
//!
//!  serial port ─▶ Framer ─▶ sentences ─▶ epochs ─▶ Fix ─▶ Plausibility ─▶ GpsState (fix, time)
//!       │        (bytes)   (nmea crate)  (one a second)        │
//!       └─ silence, wrong speed, unplugged ────────────────────┴──▶ Health
//!
//!  simulated:  Voyage ─▶ Bme280Chip   (registers)  in place of the I2C bus
//!                   └──▶ GpsReceiver  (NMEA bytes) in place of the serial port
//! ```
//!
//! What cannot be measured truly is absent, and the sensor's [`health`] says why. The drivers never give up:
//! after a fault the chip is started afresh, the port opened again.
//!
//! The crate does not decide when to measure, keeps no readings, sets no clock, and knows nothing of
//! networks. It reads no clock either, apart from tokio's for waiting: times are durations on a monotonic
//! clock that the caller chooses.
//!
//! * [`bme280::EnvironmentSensor`] measures; [`bme280::LinuxI2c`] is a bus of Linux for it.
//! * [`gps::Receiver`] listens to a [`gps::ByteSource`], such as [`gps::SerialSource`]; [`gps::Decoder`] is
//!   the same without a task.
//! * `simulated` (a Cargo feature, not for firmware) emulates both at the bus, so that the very same drivers
//!   run on top.

mod backoff;
pub mod health;
#[cfg(target_os = "linux")]
pub mod i2c;

pub mod bme280;
pub mod door;
pub mod gps;
pub mod light;

#[cfg(feature = "simulated")]
pub mod simulated;
