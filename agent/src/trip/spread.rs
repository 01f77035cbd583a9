//! What a reading says of the measurements between the last one and itself.

use crate::instruments::SUMMARISED;

/// What a reading says of a field.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Told {
    pub(super) value: Option<f64>,
    /// Minimum, maximum and mean since the reading before, where not every measurement is a reading.
    pub(super) spread: [Option<f64>; 3],
}

/// Minimum, maximum and mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Spread {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) mean: f64,
}

impl Told {
    pub(super) fn spread(&self) -> Option<Spread> {
        let [min, max, mean] = self.spread;
        Some(Spread { min: min?, max: max?, mean: mean? })
    }
}

/// Of which field this is the minimum, 0, the maximum, 1, or the mean, 2.
pub(super) fn summarised(name: &str) -> Option<(&'static str, usize)> {
    // Most names are none of them.
    if !matches!(name.as_bytes(), [.., b'i' | b'a', b'n' | b'x']) {
        return None;
    }
    SUMMARISED.iter().find_map(|[of, spread @ ..]| {
        let which = spread.iter().position(|one| *one == name)?;
        Some((*of, which))
    })
}
