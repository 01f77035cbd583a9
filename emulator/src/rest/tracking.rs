//! What every error of Azure carries for its support.

use chrono::{DateTime, Utc};

use crate::{clock::wire_time, id::guid};

/// A number for Azure's support, and Azure's own form of the time.
pub(super) fn tracking(now: DateTime<Utc>) -> (String, String) {
    (guid(), wire_time::print(now))
}
