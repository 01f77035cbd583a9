//! Text of a bounded length, for sentences that quote what others wrote.

/// Cuts off what is beyond so many characters; an ellipsis then says so.
pub fn shorten(mut text: String, characters: usize) -> String {
    if let Some((end, _)) = text.char_indices().nth(characters) {
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_are_counted_and_not_bytes() {
        assert_eq!(shorten("käse".into(), 4), "käse");
        assert_eq!(shorten("käse".into(), 2), "kä…");
    }
}
