//! Text that comes from outside, as it may meet a log or a terminal.
//!
//! A line feed in it would begin a line that looks like the program's own, an escape sequence would be obeyed by the
//! terminal, and a mark of direction would turn the rest of the line around.

use std::fmt::{self, Write};

/// Most characters that are shown of one text.
const LONGEST: usize = 2000;

/// Shows its content in one line: control characters, separators of lines and marks of direction as `\u{…}`, and no
/// more than the first 2000 characters.
#[derive(Debug, Clone, Copy)]
pub struct Printable<T>(pub T);

impl<T: fmt::Display> fmt::Display for Printable<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping { out: f, left: Some(LONGEST) }, "{}", self.0)
    }
}

/// The same as a string of its own, where it is aligned or counted.
pub fn printable(text: impl fmt::Display) -> String {
    Printable(text).to_string()
}

/// JSON as it may meet a terminal, whole: what JSON itself leaves unescaped in texts, of what [`Printable`] shows as
/// `\u{…}`, has the escape of JSON.
pub fn printable_json(json: impl fmt::Display) -> String {
    let json = json.to_string();
    if json.bytes().all(|byte| byte < 0x7f) {
        return json;
    }
    let mut shown = String::with_capacity(json.len());
    for c in json.chars() {
        // Those of ASCII are escaped already, or between the values.
        if moves(c) && c >= '\x7f' {
            // None of them has more than four digits.
            shown += &format!("\\u{:04x}", u32::from(c));
        } else {
            shown.push(c);
        }
    }
    shown
}

struct Escaping<'a> {
    out: &'a mut dyn Write,
    /// Characters that may still be shown; `None` once something was left out.
    left: Option<usize>,
}

impl Write for Escaping<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut shown = 0;
        for (at, c) in text.char_indices() {
            let Some(left) = self.left else { return Ok(()) };
            if left > 0 && !moves(c) {
                self.left = Some(left - 1);
                continue;
            }
            self.out.write_str(&text[shown..at])?;
            shown = at + c.len_utf8();
            self.left = left.checked_sub(1);
            match self.left {
                Some(_) => write!(self.out, "{}", c.escape_unicode())?,
                None => return self.out.write_char('…'),
            }
        }
        self.out.write_str(&text[shown..])
    }
}

/// Whether a terminal or a log would do something with it instead of showing it.
fn moves(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_shown() {
        for (text, shown) in [
            ("all is well", "all is well"),
            ("21 °C, Zürich, 東京, עברית", "21 °C, Zürich, 東京, עברית"),
            ("a\n<3>all is well", "a\\u{a}<3>all is well"),
            ("\u{1b}[2J\u{1b}]0;x\u{7}", "\\u{1b}[2J\\u{1b}]0;x\\u{7}"),
            ("\u{9b}31m\u{7f}\u{85}", "\\u{9b}31m\\u{7f}\\u{85}"),
            ("\u{202e}lla\u{2066}\u{2028}", "\\u{202e}lla\\u{2066}\\u{2028}"),
            ("\0\t\r", "\\u{0}\\u{9}\\u{d}"),
            ("", ""),
        ] {
            assert_eq!(printable(text), shown);
        }
    }

    #[test]
    fn json_says_the_same_in_characters_that_are_shown() {
        let nasty = "a\n<3>\u{1b}[2J\u{7}\u{7f}\u{9b}31m\u{85}\u{202e}lla\u{2066}\u{2028} Zürich\t\0";
        let value = serde_json::json!({ nasty: [nasty] });
        for json in [value.to_string(), serde_json::to_string_pretty(&value).expect("JSON")] {
            let shown = printable_json(&json);
            assert!(!shown.contains(|c| c != '\n' && moves(c)) && shown.contains("Zürich"), "{shown:?}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).expect("JSON"), value);
        }
        assert_eq!(printable_json("{\n  \"a\": 1\n}"), "{\n  \"a\": 1\n}");
    }

    #[test]
    fn no_text_is_longer_than_the_bound() {
        for (text, shown) in [
            ("é".repeat(2000), "é".repeat(2000)),
            ("é".repeat(2001), "é".repeat(2000) + "…"),
            ("\n".repeat(200_000), "\\u{a}".repeat(2000) + "…"),
        ] {
            assert_eq!(printable(&text), shown);
        }
        // Also where it comes in pieces.
        assert_eq!(printable(format_args!("{}{}{}", "a".repeat(1999), "bc", "d\n")), "a".repeat(1999) + "b…");
    }
}
