//! The course of a value, as small columns.

use std::collections::VecDeque;

/// So many values are kept.
const KEPT: usize = 120;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The last values of something, oldest first; a gap where it had none.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Trend(VecDeque<f32>);

impl Trend {
    /// Takes the next value.
    pub(crate) fn push(&mut self, value: Option<f64>) {
        if self.0.len() == KEPT {
            self.0.pop_front();
        }
        // A gap is no number.
        self.0.push_back(value.map_or(f32::NAN, |value| value as f32));
    }

    /// The last `columns` values, from the lowest to the highest of them; shorter where there are fewer.
    pub(crate) fn columns(&self, columns: usize) -> String {
        let shown = self.last(columns);
        let Some((low, high)) = bounds(&shown) else { return " ".repeat(shown.len()) };
        let column = |value: &f32| {
            if !value.is_finite() {
                return ' ';
            }
            // In the middle where nothing changes.
            let part = if high > low { (value - low) / (high - low) } else { 0.4 };
            LEVELS[((part * 7.0).round() as usize).min(7)]
        };
        shown.iter().map(column).collect()
    }

    /// The lowest and the highest of the last `columns` values.
    pub(crate) fn range(&self, columns: usize) -> Option<(f32, f32)> {
        bounds(&self.last(columns))
    }

    fn last(&self, columns: usize) -> Vec<f32> {
        self.0.iter().skip(self.0.len().saturating_sub(columns)).copied().collect()
    }
}

fn bounds(values: &[f32]) -> Option<(f32, f32)> {
    let mut known = values.iter().copied().filter(|value| value.is_finite());
    let first = known.next()?;
    Some(known.fold((first, first), |(low, high), value| (low.min(value), high.max(value))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_values_are_shown_from_the_lowest_to_the_highest() {
        let mut trend = Trend::default();
        assert_eq!(trend.columns(8), "");
        for value in [Some(100.0), Some(0.0), Some(7.0), None, Some(f64::NAN), Some(3.5)] {
            trend.push(value);
        }
        assert_eq!(trend.columns(5), "▁█  ▅");
        assert_eq!(trend.range(5), Some((0.0, 7.0)));
        assert_eq!(trend.columns(6), "█▁▁  ▁");
        (0..1000).for_each(|_| trend.push(Some(5.0)));
        assert_eq!((trend.columns(3), trend.0.len()), ("▄▄▄".into(), KEPT));
        let mut gaps = Trend::default();
        gaps.push(None);
        assert_eq!((gaps.columns(4), gaps.range(4)), (" ".into(), None));
    }
}
