//! A buffer for terminals that show ASCII alone: each character that pages draw has one that stands for it.

use ratatui_core::buffer::Buffer;

/// Replaces what is not in ASCII.
pub(super) fn fold(buffer: &mut Buffer) {
    for cell in &mut buffer.content {
        let mut characters = cell.symbol().chars();
        let (Some(character), None) = (characters.next(), characters.next()) else {
            if !cell.symbol().is_ascii() {
                cell.set_char('?');
            }
            continue;
        };
        if !character.is_ascii() {
            cell.set_char(stand_in(character));
        }
    }
}

fn stand_in(character: char) -> char {
    match character {
        '─' | '–' | '▄' => '-',
        '│' => '|',
        '·' | '▂' => '.',
        '…' | '▅' => '~',
        '●' => 'o',
        '↑' => '^',
        '↓' => 'v',
        '“' | '”' => '"',
        '✓' | '▇' => '+',
        '✗' => 'x',
        '▶' | '→' => '>',
        '✉' => '*',
        '²' => '2',
        '°' | '\u{a0}' => ' ',
        '▁' => '_',
        '▃' => ',',
        '▆' => '=',
        '█' => '#',
        // Braille: the more dots the more ink.
        dots @ '\u{2800}'..='\u{28ff}' => match (u32::from(dots) & 0xff).count_ones() {
            0 => ' ',
            1..=2 => '.',
            3..=5 => ':',
            _ => '#',
        },
        _ => '?',
    }
}

#[cfg(test)]
mod tests {
    use ratatui_core::style::Style;

    use super::*;

    #[test]
    fn nothing_but_ascii_is_left_and_widths_stay() {
        let mut buffer = Buffer::with_lines(["─ 21 °C ▁▄█ ⠿⠁⠀ 東京 é ● e\u{301}"]);
        let area = buffer.area;
        fold(&mut buffer);
        assert_eq!(buffer, {
            let mut expected = Buffer::empty(area);
            expected.set_string(0, 0, "- 21  C _-# #.  ? ?  ? o ?", Style::new());
            expected
        });
    }
}
