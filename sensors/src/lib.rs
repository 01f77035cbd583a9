//! The sensors of a container tracker: a BME280 for the air, a GNSS receiver for place and time, a contact at the door
//! and a VEML7700 for the light.
//!
//! ```text
//!  I2C bus ─▶ tap ─▶ bme280 crate ─▶ raw registers ─▶ compensate ─▶ in range? ─▶ Environment
//!     │        │                          │
//!     │        └─ busy, dead, reset ──────┴──▶ Error (address, register, cause) ─▶ Health
//!     │
//!     └─────▶ tap ─▶ veml6030 crate ─▶ counts ─▶ range suits? ─▶ lx ─▶ in range? ─▶ f64
//!
//!  serial port ─▶ Framer ─▶ sentences ─▶ epochs ─▶ Fix ─▶ Plausibility ─▶ GpsState (fix, time)
//!       │        (bytes)   (nmea crate)  (one a second)        │
//!       └─ silence, wrong speed, unplugged ────────────────────┴──▶ Health
//!
//!  GPIO line ─▶ Edge (by interrupt, with its time) ─▶ Debouncer ─▶ DoorState (open or closed, openings)
//!       │                                                 │
//!       └─ in use, unplugged ─▶ LineError ─▶ Health       └─ edges lost: the level read anew, one opening counted
//!
//!  simulated:  Voyage ─▶ Bme280Chip, Veml7700Chip (registers)  in place of the I2C bus
//!                   ├──▶ GpsReceiver              (NMEA bytes) in place of the serial port
//!                   └──▶ ReedSwitch               (edges)      in place of the GPIO line
//! ```
//!
//! What cannot be measured truly is absent, and the sensor's [`health`] says why. The drivers never give up:
//! after a fault the chip is started afresh, port and line are opened again.
//!
//! The crate does not decide when to measure, keeps no readings, sets no clock, and knows nothing of
//! networks. It reads no clock either, apart from tokio's for waiting, and the one that the kernel dates edges
//! by: times are durations on a monotonic clock that the caller chooses.
//!
//! From the ground up:
//!
//! * [`health`] is how a sensor is doing; `i2c::LinuxI2c` is a bus of Linux.
//! * [`bme280::EnvironmentSensor`] and [`light::LightSensor`] measure when they are asked.
//! * [`gps::Receiver`] listens to a [`gps::ByteSource`], such as [`gps::SerialSource`]; [`gps::Decoder`] is
//!   the same without a task.
//! * [`door::DoorContact`] watches a [`door::LineSource`], such as `door::GpioSource`.
//! * `simulated` (a Cargo feature, not for firmware) emulates all at their wires, so that the very same drivers
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
