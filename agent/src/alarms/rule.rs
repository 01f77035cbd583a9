//! What an alarm watches, and when it is one.

use crate::alarms::signal::Signal;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody should look.
    Warning,
    /// Goods or container are being lost.
    Critical,
}

impl Severity {
    /// Both, the milder first.
    pub const ALL: [Self; 2] = [Self::Warning, Self::Critical];

    /// As configuration, messages and status have it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of this word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.word() == word)
    }
}

/// Bounds, and how long they must be crossed without a break.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Level {
    /// Below it they are crossed.
    pub low: Option<f64>,
    /// Above it they are crossed.
    pub high: Option<f64>,
    /// In milliseconds. 0: one reading is enough.
    pub delay_ms: i64,
}

impl Level {
    /// By how much a value is beyond the nearer bound; negative where it is within, by so much.
    pub fn excess(&self, value: f64) -> f64 {
        let above = self.high.map_or(f64::NEG_INFINITY, |high| value - high);
        let below = self.low.map_or(f64::NEG_INFINITY, |low| low - value);
        above.max(below)
    }

    /// The bound that a value is beyond, or nearest to.
    pub fn limit(&self, value: f64) -> Option<f64> {
        let above = self.high.map(|high| (value - high, high));
        let below = self.low.map(|low| (low - value, low));
        above.into_iter().chain(below).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, bound)| bound)
    }
}

/// One alarm, as it is set.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// Its name in messages, status and method; unique.
    pub name: String,
    /// What it watches.
    pub signal: Signal,
    /// Its bounds by [`Severity`]; one is there at least, and the critical ones are no nearer than those of the warning.
    pub levels: [Option<Level>; 2],
    /// The value is back only within the bounds by this margin.
    pub hysteresis: f64,
    /// So long it must be back without a break, in milliseconds.
    pub clear_ms: i64,
}

impl Rule {
    /// The rule of an alarm of which no more than the name is known.
    pub(super) fn unknown(name: String) -> Self {
        Self {
            name,
            signal: Signal::Field(String::new()),
            levels: [None, None],
            hysteresis: 0.0,
            clear_ms: 0,
        }
    }

    /// The bounds of a severity.
    pub fn level(&self, severity: Severity) -> Option<&Level> {
        self.levels[severity as usize].as_ref()
    }

    /// The bounds that are crossed first.
    pub fn outermost(&self) -> Option<&Level> {
        self.levels.iter().flatten().next()
    }
}
