//! From text to words.

/// A word of a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
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

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, String> {
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
        } else if first.is_ascii_digit() {
            let length = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let number = rest[..length].parse();
            tokens
                .push(Token::Number(number.map_err(|_| format!("\"{}\" is not a number", &rest[..length]))?));
            length
        } else if is_name(first) {
            let length = rest.find(|c: char| !is_name(c)).unwrap_or(rest.len());
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

/// The text between quotes, and the length with them. A doubled quote stands for one, as does one after `\`.
fn quoted(text: &str, quote: char) -> Result<(String, usize), String> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((place, c)) = characters.next() {
        match c {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
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
