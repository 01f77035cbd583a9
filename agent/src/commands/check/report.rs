//! How findings are shown: a line each for people, with the mend below; one JSON object for scripts.

use std::io::IsTerminal;

use serde_json::{Value, json};
use tracker_protocol::{Printable, printable_json};

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
    for text in lines(report, &format!("{code}{mark}{plain}")) {
        line(&text);
    }
}

/// One line for what was found and one for the mend, whatever others have put into them.
fn lines(report: &Report, mark: &str) -> Vec<String> {
    let Finding { text, mend, .. } = &report.finding;
    let mut lines = vec![format!("{mark} {}: {}", report.id, Printable(text))];
    lines.extend(mend.iter().map(|mend| format!("    → {}", Printable(mend))));
    lines
}

/// Shows the end of it, and says whether something failed.
pub(super) fn summarise(reports: &[Report], json: bool) -> bool {
    let count = |verdict| reports.iter().filter(|report| report.finding.verdict == verdict).count();
    let (failed, warned) = (count(Verdict::Fail), count(Verdict::Warn));
    if json {
        let checks: Vec<Value> = reports.iter().map(Report::value).collect();
        line(&printable_json(json!({"failed": failed, "warnings": warned, "checks": checks})));
    } else if failed + warned == 0 {
        line("Everything looked at is as it should be.");
    } else {
        line(&format!("{failed} failed, {warned} to look at."));
    }
    failed > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::check::checks;

    #[test]
    fn no_check_shows_what_a_terminal_would_obey() {
        for nasty in
            ["a\n<3>all is well", "\u{1b}[2J\u{1b}]0;x\u{7}", "\u{9b}\0\r\t", "\u{202e}a\u{2066}\u{2028}"]
        {
            for check in checks() {
                let finding = Finding::fail(nasty, nasty);
                let lines = lines(&Report { id: check.id, sentence: check.sentence, finding }, "✗");
                assert_eq!(lines.len(), 2, "{}: {lines:?}", check.id);
                let text = lines.concat();
                assert!(!text.contains(char::is_control) && !text.contains('\u{202e}'), "{text:?}");
            }
        }
    }
}
