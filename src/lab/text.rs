//! Text cut to columns.

use ratatui_core::text::Span;

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { Span::raw(text).width() }
}

/// The text, or as much of it as `columns` have room for, with `…` in place of the rest.
pub(crate) fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut shown = String::new();
    let mut taken = 0;
    for character in text.chars() {
        let more = width(character.encode_utf8(&mut [0; 4]));
        if taken + more + 1 > columns {
            break;
        }
        taken += more;
        shown.push(character);
    }
    if columns > 0 {
        shown.push('…');
    }
    shown
}

/// The text in lines of so many columns, broken between words where there are any. Further lines begin with two blanks.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(8);
    let mut lines = vec![String::new()];
    let mut taken = 0;
    for word in text.split(' ') {
        let mut rest = word;
        let between = usize::from(taken > 0 && !lines.last().is_some_and(|line| line.ends_with(' ')));
        if taken > 2 && taken + between + width(rest) > columns {
            lines.push("  ".into());
            taken = 2;
        } else if between > 0 {
            push(&mut lines, " ");
            taken += 1;
        }
        // A word that is longer than a line.
        while taken + width(rest) > columns {
            let ends = rest.char_indices().map(|(at, character)| at + character.len_utf8());
            let at = ends.take_while(|end| taken + width(&rest[..*end]) <= columns).last().unwrap_or(0);
            push(&mut lines, &rest[..at]);
            rest = &rest[at..];
            lines.push("  ".into());
            taken = 2;
        }
        push(&mut lines, rest);
        taken += width(rest);
    }
    lines.retain(|line| !line.trim().is_empty());
    lines
}

fn push(lines: &mut [String], text: &str) {
    if let Some(line) = lines.last_mut() {
        line.push_str(text);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_is_cut_and_broken_between_words() {
        assert_eq!(cut("sensor-thl-001", 8), "sensor-…");
        assert_eq!(cut("東京東京", 5), "東京…");
        assert_eq!((cut("abc", 3), cut("abc", 1), cut("abc", 0)), ("abc".into(), "…".into(), String::new()));
        assert_eq!(
            wrapped("no connection to the hub: nobody", 16),
            ["no connection to", "  the hub:", "  nobody"]
        );
        assert_eq!(wrapped("abcdefghijklmnop", 8), ["abcdefgh", "  ijklmn", "  op"]);
        assert!(wrapped("", 8).is_empty());
    }

    proptest! {
        #[test]
        fn no_line_is_too_long_and_nothing_is_lost(text in "[ -~é東]{0,80}", columns in 8_usize..40) {
            let lines = wrapped(&text, columns);
            prop_assert!(lines.iter().all(|line| width(line) <= columns), "{lines:?}");
            let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
            prop_assert_eq!(letters(&lines.concat()), letters(&text));
            prop_assert!(width(&cut(&text, columns)) <= columns);
        }
    }
}
