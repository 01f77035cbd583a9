//! When the doors are open: loading before the first leg, unloading after the last, and perhaps customs in between.

/// The hours of a voyage with open doors.
#[derive(Debug, Clone, Default)]
pub(super) struct Doors {
    /// Begin and end of each opening, in order, none touching the next.
    open_h: Vec<(f64, f64)>,
}

impl Doors {
    /// Doors that are open in these stretches, which may overlap; those that end before they begin are none.
    pub(super) fn new(mut stretches: Vec<(f64, f64)>) -> Self {
        stretches.retain(|(begin, end)| begin < end);
        stretches.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut open_h: Vec<(f64, f64)> = Vec::new();
        for (begin, end) in stretches {
            match open_h.last_mut() {
                Some(last) if begin <= last.1 => last.1 = last.1.max(end),
                _ => open_h.push((begin, end)),
            }
        }
        Self { open_h }
    }

    pub(super) fn are_open(&self, hours: f64) -> bool {
        self.open_h.iter().any(|(begin, end)| (*begin..*end).contains(&hours))
    }

    pub(super) fn openings(&self) -> &[(f64, f64)] {
        &self.open_h
    }
}
