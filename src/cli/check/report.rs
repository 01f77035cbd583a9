//! How findings are shown: a line each for people, with the mend below; one JSON object for scripts.

use std::io::IsTerminal;

use serde_json::{Value, json};

use super::finding::{Finding, Verdict};
use crate::platform::stdout::line;

/// A check that was made.
pub(super) struct Report {
    pub(super) id: &'static str,
    pub(super) sentence: &'static str,
    pub(super) finding: Finding,
}

impl Report {
    /// Whether checks that need this one can't be made.
    pub(super) fn stops(&self, id: &str) -> bool {
        self.id == id && matches!(self.finding.verdict, Verdict::Fail | Verdict::Skip)
    }

    fn value(&self) -> Value {
        let Finding { verdict, text, mend } = &self.finding;
        json!({"id": self.id, "sentence": self.sentence, "verdict": verdict, "text": text, "mend": mend})
    }
}

/// Shows one to a person.
pub(super) fn print(report: &Report) {
    let colour = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (mark, code) = match report.finding.verdict {
        Verdict::Pass => ("✓", "\x1b[32m"),
        Verdict::Warn => ("!", "\x1b[33m"),
        Verdict::Fail => ("✗", "\x1b[31m"),
        Verdict::Skip => ("-", "\x1b[2m"),
    };
    let (code, plain) = if colour { (code, "\x1b[0m") } else { ("", "") };
    line(&format!("{code}{mark}{plain} {}: {}", report.id, report.finding.text));
    if let Some(mend) = &report.finding.mend {
        line(&format!("    → {mend}"));
    }
}

/// Shows the end of it, and says whether something failed.
pub(super) fn summarise(reports: &[Report], json: bool) -> bool {
    let count = |verdict| reports.iter().filter(|report| report.finding.verdict == verdict).count();
    let (failed, warned) = (count(Verdict::Fail), count(Verdict::Warn));
    if json {
        let checks: Vec<Value> = reports.iter().map(Report::value).collect();
        line(&json!({"failed": failed, "warnings": warned, "checks": checks}).to_string());
    } else if failed + warned == 0 {
        line("Everything looked at is as it should be.");
    } else {
        line(&format!("{failed} failed, {warned} to look at."));
    }
    failed > 0
}
