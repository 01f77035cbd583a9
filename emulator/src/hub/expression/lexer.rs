//! From text to words.

/// A word of a query or a condition.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::hub) enum Token {
    /// A keyword or a name.
    Name(String),
    /// A name in double brackets: no keyword, whatever it is.
    Quoted(String),
    Text(String),
    Number(f64),
    /// `=`, `<=`, `(`, …
    Symbol(&'static str),
}

/// Longest first, so that `<=` is not taken for `<`.
const SYMBOLS: [&str; 19] =
    ["<=", ">=", "<>", "!=", "=", "<", ">", "(", ")", "[", "]", ",", ".", "*", "+", "-", "/", "%", ";"];

/// `dashes`: whether a name may have dashes within it, each before a letter (`dt-subject`); a difference is written with spaces.
pub(super) fn tokens(text: &str, dashes: bool) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if first == '\'' || first == '"' {
            let (value, length) = quoted(rest, first)?;
            tokens.push(Token::Text(value));
            length
        } else if let Some(inside) = rest.strip_prefix("[[") {
            let end = inside.find("]]").filter(|end| *end > 0);
            let end = end.ok_or("a name that begins with [[ is empty, or does not end with ]]")?;
            tokens.push(Token::Quoted(inside[..end].to_owned()));
            end + 4
        } else if let Some(digits) = rest.strip_prefix("0x").or_else(|| rest.strip_prefix("0X")) {
            let length = digits.find(|c: char| !c.is_alphanumeric()).unwrap_or(digits.len());
            let number = u32::from_str_radix(&digits[..length], 16).map(f64::from);
            tokens.push(Token::Number(
                number.map_err(|_| format!("\"0x{}\" is not a number of 32 bits", &digits[..length]))?,
            ));
            length + 2
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = rest[..length].parse();
            tokens
                .push(Token::Number(number.map_err(|_| format!("\"{}\" is not a number", &rest[..length]))?));
            length
        } else if is_name(first) {
            let length = name_length(rest, dashes);
            tokens.push(Token::Name(rest[..length].to_owned()));
            length
        } else {
            let symbol = SYMBOLS.into_iter().find(|symbol| rest.starts_with(symbol));
            let symbol = symbol.ok_or_else(|| format!("the character {first:?} is not expected"))?;
            tokens.push(Token::Symbol(symbol));
            symbol.len()
        };
        rest = rest[length..].trim_start();
    }
    if tokens.last() == Some(&Token::Symbol(";")) {
        tokens.pop();
    }
    Ok(tokens)
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '$' | '@')
}

fn name_length(text: &str, dashes: bool) -> usize {
    let mut length = text.find(|c: char| !is_name(c)).unwrap_or(text.len());
    while let Some(rest) = text[length..].strip_prefix('-')
        && dashes
        && rest.starts_with(char::is_alphabetic)
    {
        length += 1 + rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
    }
    length
}

/// The text between quotes, and the length with them. A doubled quote stands for one, as does one after `\`; `\u` and four
/// hexadecimal digits are a character.
fn quoted(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((place, c)) = characters.next() {
        match c {
            '\\' => match characters.next() {
                Some((place, 'u' | 'U')) if let Some(unit) = hexadecimal(text.get(place + 1..place + 5)) => {
                    value.push(unit);
                    characters.nth(3);
                }
                escaped => value.extend(escaped.map(|(_, escaped)| escaped)),
            },
            _ if c != quote => value.push(c),
            _ if characters.peek().is_some_and(|(_, next)| *next == quote) => {
                characters.next();
                value.push(quote);
            }
            _ => return Ok((value, place + quote.len_utf8())),
        }
    }
    Err(format!("a text that begins with {quote} does not end"))
}

fn hexadecimal(digits: Option<&str>) -> Option<char> {
    char::from_u32(u32::from_str_radix(digits?, 16).ok()?)
}

pub(in crate::hub) fn show(token: &Token) -> String {
    match token {
        Token::Name(name) | Token::Quoted(name) => format!("\"{name}\""),
        Token::Text(text) => format!("'{text}'"),
        Token::Number(number) => number.to_string(),
        Token::Symbol(symbol) => format!("\"{symbol}\""),
    }
}
