//! Why a text is no configuration, in one line and in words for people. The parser's own sentence takes six lines, and names
//! types of this program.

/// What the parser calls what it expects, and what people call it.
const EXPECTED: [(&str, &str); 7] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("f64", "a number"),
    ("a boolean", "true or false"),
    ("a string", "text in quotes"),
    ("path string", "a path in quotes"),
];

/// Line and cause. Where a PIN stands in the text, or a key was named in place of the configuration, nothing of it is shown.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    if text.contains("pin-value") || text.contains("PRIVATE KEY") {
        return message.into();
    }
    let span = error.span().unwrap_or_default();
    let why = match message.split_once(", expected ") {
        Some((problem, _))
            if problem.starts_with("string values must be") || problem.starts_with("invalid boolean") =>
        {
            bare(text, span.start)
        }
        // What begins like a number, and goes on like a word.
        Some(("invalid float" | "invalid integer" | "invalid datetime", _)) => bare(text, span.start),
        Some((problem, expected)) => {
            let known = EXPECTED.iter().find(|(theirs, _)| *theirs == expected).map(|(_, ours)| *ours);
            let ours = known.unwrap_or(if expected.starts_with("struct ") { "a table" } else { expected });
            format!("{problem}, expected {ours}")
        }
        None => message.to_owned(),
    };
    format!("line {}: {why}", line(text.as_bytes(), span.start))
}

/// A word without quotes.
fn bare(text: &str, at: usize) -> String {
    let is_of_word = |c: char| !c.is_whitespace() && !"=,[]{}#".contains(c);
    let start = text[..at].rfind(|c| !is_of_word(c)).map_or(0, |before| before + 1);
    let word = text[start..].split(|c| !is_of_word(c)).next().unwrap_or_default();
    format!("`{word}` is neither a number nor true or false; text stands in quotes")
}

/// The text of a file, or what it is instead of that.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, String> {
    // No text has a zero, and all that a configuration needs has one in UTF-16, marked as such or not.
    if bytes.contains(&0) {
        return Err("it is in UTF-16, as some editors on Windows save it; save it in UTF-8".into());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        format!("line {}: byte 0x{:02X} is not UTF-8; save the file in UTF-8", line(bytes, at), bytes[at])
    })
}

fn line(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}
