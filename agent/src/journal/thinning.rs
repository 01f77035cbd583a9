//! How a history that has outgrown its bound becomes coarser.
//!
//! Rows of the older half are merged with their neighbours: of two rows the earlier stays and stands for both. A sweep
//! goes from the oldest row to the middle and makes all of it alike, so that the record has no hole, however often the
//! bound is reached: the newer half is complete, and in the older half no row stands for more than a few times what
//! its rows stand for on average.

use super::row::Row;

/// How many readings a row may stand for after the next sweep, when rows now stand for `average` readings: the least
/// power of two that lets the sweep free an eighth of the rows it looks at.
pub(super) fn coarseness(average: f64) -> u32 {
    let mut coarseness = 2_u32;
    while average > f64::from(coarseness) * 7.0 / 8.0 && coarseness < 1 << 30 {
        coarseness *= 2;
    }
    coarseness
}

/// Merges neighbours that together stand for no more than `coarseness` readings. Rows that are `kept` stay, and events,
/// which stand for no reading, where it `spares_events`.
pub(super) fn coarsen(
    rows: Vec<Row>,
    coarseness: u32,
    kept: impl Fn(u64) -> bool,
    spares_events: bool,
) -> Vec<Row> {
    let mut left: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match left.last_mut() {
            Some(last)
                if last.stands_for.saturating_add(row.stands_for) <= coarseness
                    && !kept(row.seq)
                    && !(spares_events && (row.is_event() || last.is_event())) =>
            {
                last.stands_for += row.stands_for;
            }
            _ => left.push(row),
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::journal::row::EVENT;

    fn row(seq: u64, stands_for: u32) -> Row {
        Row { seq, start: 1, stands_for, ..Row::empty() }
    }

    #[test]
    fn the_older_half_stays_even_however_often_it_is_swept() {
        let capacity = 1000;
        let mut rows = Vec::new();
        for seq in 0..100 * capacity {
            rows.push(row(seq, 1));
            if rows.len() as u64 == capacity {
                let newer = rows.split_off(rows.len() / 2);
                let average =
                    rows.iter().map(|row| f64::from(row.stands_for)).sum::<f64>() / rows.len() as f64;
                rows = coarsen(rows, coarseness(average), |_| false, true);
                rows.extend(newer);
            }
        }
        let older = &rows[..rows.len() / 2 - 1];
        let average = older.iter().map(|row| f64::from(row.stands_for)).sum::<f64>() / older.len() as f64;
        let most = older.iter().map(|row| row.stands_for).max().unwrap();
        assert!(f64::from(most) <= 4.0 * average, "no hole: {most}, {average} on average");
        assert_eq!(rows.iter().map(|row| u64::from(row.stands_for)).sum::<u64>(), 100 * capacity);
    }

    proptest! {
        #[test]
        fn every_reading_is_stood_for_and_kept_rows_stay(
            weights in prop::collection::vec(1_u32..6, 1..200), allowed in 2_u32..9,
        ) {
            let rows: Vec<Row> = (0_u64..).zip(&weights).map(|(seq, weight)| row(seq, *weight)).collect();
            let left = coarsen(rows, allowed, |seq| seq % 7 == 3, true);
            prop_assert_eq!(left.iter().map(|row| row.stands_for).sum::<u32>(), weights.iter().sum::<u32>());
            prop_assert_eq!(left[0].seq, 0);
            for seq in (0..weights.len() as u64).filter(|seq| seq % 7 == 3) {
                prop_assert!(left.iter().any(|row| row.seq == seq));
            }
            for row in &left {
                prop_assert!(row.stands_for <= allowed.max(5));
            }
        }

        #[test]
        fn events_stay_and_stand_for_nothing(events in prop::collection::vec(any::<bool>(), 1..200)) {
            let as_row = |(seq, is_event): (u64, &bool)| Row {
                payload: if *is_event { EVENT.to_vec() } else { Vec::new() },
                ..row(seq, 1)
            };
            let rows: Vec<Row> = (0_u64..).zip(&events).map(as_row).collect();
            let left = coarsen(rows.clone(), 8, |_| false, true);
            let events = |rows: &[Row]| rows.iter().filter(|row| row.is_event()).cloned().collect::<Vec<_>>();
            prop_assert_eq!(events(&left), events(&rows));
            prop_assert_eq!(left.iter().map(|row| row.stands_for).sum::<u32>() as usize, rows.len());
        }
    }
}
