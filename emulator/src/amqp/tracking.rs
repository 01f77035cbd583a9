//! What Azure puts after the sentence of an error, for those who look for it in logs.

use tracker_amqp::Error;

use crate::{
    clock::{Clock, wire_time},
    id::guid,
};

/// The error with tracking in its description, unless it is there already.
pub(super) fn tracked(mut error: Error, clock: &dyn Clock) -> Error {
    let sentence = error.description.unwrap_or_default();
    error.description = Some(if sentence.contains("TrackingId:") {
        sentence
    } else {
        let time = wire_time::print(clock.now());
        format!("{sentence} TrackingId:{}, SystemTracker:emulator, Timestamp:{time}", guid())
    });
    error
}
