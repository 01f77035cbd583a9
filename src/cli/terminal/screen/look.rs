//! What a terminal can show, and what a thing looks like in it.

use std::ffi::OsString;
use std::io::IsTerminal;

use ratatui_core::style::{Color, Modifier, Style};

/// What a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) struct Look {
    /// The sixteen colours, as the person has set them up.
    pub(super) colour: bool,
    /// More than ASCII.
    pub(super) unicode: bool,
}

/// What is to be said by a style. Nothing is said by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Tone {
    Plain,
    /// What can be passed over.
    Dim,
    /// What is looked for first.
    Strong,
    Good,
    Warning,
    Bad,
    /// The row that keys act on.
    Chosen,
}

impl Look {
    /// By the environment: `NO_COLOR`, and the character set of the locale.
    pub(in crate::cli) fn of_environment() -> Self {
        Self::of(|name| std::env::var_os(name))
    }

    /// Whether it shows more than ASCII.
    pub(in crate::cli) fn has_unicode(self) -> bool {
        self.unicode
    }

    fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        Self {
            colour: set("NO_COLOR").is_none(),
            unicode: locale.contains("utf-8") || locale.contains("utf8"),
        }
    }

    pub(in crate::cli) fn style(self, tone: Tone) -> Style {
        let style = Style::new();
        let coloured = |colour| if self.colour { style.fg(colour) } else { style };
        match tone {
            Tone::Plain => style,
            Tone::Dim => style.add_modifier(Modifier::DIM),
            Tone::Strong => style.add_modifier(Modifier::BOLD),
            Tone::Good => coloured(Color::Green),
            Tone::Warning => coloured(Color::Yellow).add_modifier(Modifier::BOLD),
            Tone::Bad => coloured(Color::Red).add_modifier(Modifier::BOLD),
            Tone::Chosen => style.add_modifier(Modifier::REVERSED),
        }
    }
}

/// Why there can be no screen here, in words that follow "no screen: "; `None` where there can.
pub(in crate::cli) fn lack() -> Option<&'static str> {
    let terminal = std::env::var_os("TERM").unwrap_or_default();
    if !cfg!(unix) {
        Some("this system has no terminals as it needs them")
    } else if !std::io::stdout().is_terminal() {
        Some("the output is no terminal")
    } else if !std::io::stdin().is_terminal() {
        Some("the input is no terminal")
    } else if terminal.is_empty() || terminal == "dumb" {
        Some("this terminal moves no cursor (TERM is dumb, or not set)")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(variables: &[(&str, &str)]) -> (bool, bool) {
        let of = |name: &str| {
            variables.iter().find(|(variable, _)| *variable == name).map(|(_, value)| OsString::from(value))
        };
        let Look { colour, unicode } = Look::of(of);
        (colour, unicode)
    }

    #[test]
    fn the_environment_says_what_a_terminal_can_show() {
        assert_eq!(look(&[]), (true, false));
        assert_eq!(look(&[("LANG", "en_GB.UTF-8")]), (true, true));
        assert_eq!(look(&[("LC_CTYPE", "C.utf8"), ("NO_COLOR", "")]), (true, true));
        assert_eq!(look(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8"), ("NO_COLOR", "1")]), (false, false));
        assert_eq!(look(&[("LC_ALL", ""), ("LANG", "de_DE.UTF-8")]), (true, true));
    }

    #[test]
    fn without_colours_what_is_bad_still_looks_otherwise() {
        let look = Look { colour: false, unicode: true };
        for tone in [Tone::Good, Tone::Warning, Tone::Bad, Tone::Chosen] {
            let style = look.style(tone);
            assert_eq!((style.fg, style.bg), (None, None), "{tone:?}");
        }
        assert_ne!(look.style(Tone::Bad), look.style(Tone::Good));
    }
}
