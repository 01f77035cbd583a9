//! What a tracker measures with.

pub mod sampler;
