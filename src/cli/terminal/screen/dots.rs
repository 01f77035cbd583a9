//! Dots of Braille: two columns and four rows of them a character.

/// A drawing of so many columns and rows of characters.
pub(in crate::cli) struct Dots {
    columns: usize,
    rows: usize,
    cells: Vec<u8>,
}

impl Dots {
    pub(in crate::cli) fn new(columns: u16, rows: u16) -> Self {
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        Self { columns, rows, cells: vec![0; columns * rows] }
    }

    /// How many dots it is wide.
    pub(in crate::cli) fn width(&self) -> i32 {
        2 * self.columns as i32
    }

    /// How many dots it is high.
    pub(in crate::cli) fn height(&self) -> i32 {
        4 * self.rows as i32
    }

    /// Sets a dot; one that is not on it is none.
    pub(in crate::cli) fn set(&mut self, x: i32, y: i32) {
        const BITS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x / 2 < self.columns && y / 4 < self.rows {
            self.cells[y / 4 * self.columns + x / 2] |= BITS[y % 4][x % 2];
        }
    }

    /// Sets the dots between two, and these.
    pub(in crate::cli) fn line(&mut self, from: (i32, i32), to: (i32, i32)) {
        let (across, down) = (to.0 - from.0, to.1 - from.1);
        let steps = across.abs().max(down.abs());
        for step in 0..=steps {
            let part = |whole: i32| (f64::from(whole * step) / f64::from(steps.max(1))).round() as i32;
            self.set(from.0 + part(across), from.1 + part(down));
        }
    }

    /// The characters of a row; a blank where there is no dot.
    pub(in crate::cli) fn row(&self, row: u16) -> impl Iterator<Item = char> + '_ {
        let cells = self.cells.chunks(self.columns.max(1)).nth(row.into()).unwrap_or_default();
        cells.iter().map(|dots| match dots {
            0 => ' ',
            dots => char::from_u32(0x2800 + u32::from(*dots)).unwrap_or(' '),
        })
    }
}
