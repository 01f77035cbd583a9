//! Measuring: the thread that asks the sensors, and the recorder that takes a reading at every interval.

pub mod recorder;
pub mod sampler;
