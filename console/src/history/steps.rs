//! How wide the buckets of a chart are, and what a gap in it is.

/// Seconds that buckets are wide, for eyes: those of ten minutes and more can be made of the ten minutes that are kept, those of six
/// hours and more of the six hours.
const STEPS: [i64; 25] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400, 172_800,
    345_600, 691_200, 1_382_400, 2_764_800, 5_529_600, 11_059_200,
];

/// The narrowest buckets, in milliseconds, of which no more than about `points` cover this span.
pub(super) fn step(span: i64, points: usize) -> i64 {
    let least = span / points.max(1) as i64;
    STEPS
        .iter()
        .map(|s| s * 1000)
        .find(|step| *step >= least)
        .unwrap_or(least - least % 21_600_000 + 21_600_000)
}

/// Distances to either side that are looked at.
const AROUND: usize = 4;

/// Which of these distances between readings are gaps: those that are more than three times as long as is usual around them. So
/// a device that is set to measure once an hour, after once a minute, has none.
pub(super) fn gaps(distances: &[i64]) -> Vec<bool> {
    let is_gap = |(at, distance): (usize, &i64)| {
        let first = at.saturating_sub(AROUND);
        let mut around = distances[first..(at + AROUND + 1).min(distances.len())].to_vec();
        around.sort_unstable();
        // Of an even number the lower one.
        around.get((around.len() - 1) / 2).is_some_and(|usual| *distance > usual.saturating_mul(3))
    };
    distances.iter().enumerate().map(is_gap).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_wide_enough_and_made_of_what_is_kept() {
        for points in [1, 60, 800, 2000] {
            for span in [0, 1, 999, 60_000, 86_400_000, 1_814_400_000, 31_536_000_000, 3_153_600_000_000] {
                let step = step(span, points);
                assert!(step > 0 && span / step <= points as i64, "{span} {points} {step}");
                assert!(step < 600_000 || step % 600_000 == 0);
                assert!(step < 21_600_000 || step % 21_600_000 == 0);
            }
        }
    }

    #[test]
    fn a_gap_is_longer_than_is_usual_around_it() {
        let of = |distances: &[i64]| {
            gaps(distances).iter().enumerate().filter_map(|(n, is)| is.then_some(n)).collect::<Vec<_>>()
        };
        assert_eq!(of(&[60, 60, 60, 600, 60, 60, 61]), [3]);
        assert_eq!(of(&[60, 60, 60, 600, 600, 60, 60, 60]), [3, 4]);
        assert_eq!(of(&[60, 60, 60, 60, 60, 3600, 3600, 3600, 3600, 3600]), [0; 0]);
        assert_eq!(of(&[60, 180, 60]), [0; 0]);
        assert_eq!(of(&[1]), [0; 0]);
        assert_eq!(of(&[1, 100]), [1]);
        assert_eq!(of(&[]), [0; 0]);
    }
}
