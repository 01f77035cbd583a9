//! Colours of lines, where somebody wants them.

pub(crate) const DIM: &str = "\x1b[2m";
pub(crate) const BOLD: &str = "\x1b[1m";
pub(crate) const GREEN: &str = "\x1b[32m";
pub(crate) const YELLOW: &str = "\x1b[33m";
pub(crate) const RED: &str = "\x1b[31m";
pub(crate) const PLAIN: &str = "\x1b[0m";

/// Paints, or doesn't.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint(pub(crate) bool);

impl Paint {
    /// The code, where there are colours.
    pub(crate) fn code(self, code: &'static str) -> &'static str {
        if self.0 { code } else { "" }
    }

    /// The text in this colour.
    pub(crate) fn text(self, code: &'static str, text: &str) -> String {
        format!("{}{text}{}", self.code(code), self.code(PLAIN))
    }
}
