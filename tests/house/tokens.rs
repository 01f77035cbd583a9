//! Rust source as words and signs: comments, numbers, lifetimes, characters and what only tests see are left out.

/// A piece of source that may matter for who imports whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    Word(String),
    /// What stands between the quotes of a string.
    Text(String),
    /// `::`
    Colons,
    Sign(char),
}

impl Token {
    pub fn is(&self, word: &str) -> bool {
        matches!(self, Self::Word(this) if this == word)
    }
}

/// The source without comments, numbers, lifetimes and characters.
pub fn tokens(source: &str) -> Vec<Token> {
    let source: Vec<char> = source.chars().collect();
    let at = |index: usize| source.get(index).copied().unwrap_or_default();
    let end_of = |from: usize, belongs: fn(char) -> bool| {
        (from..source.len()).find(|i| !belongs(at(*i))).unwrap_or(source.len())
    };
    let word_end = |from: usize| end_of(from, |c| c.is_alphanumeric() || c == '_');
    let mut found = Vec::new();
    let mut i = 0;
    while i < source.len() {
        match (at(i), at(i + 1)) {
            ('/', '/') => i = end_of(i, |c| c != '\n'),
            ('/', '*') => i = comment_end(&source, i),
            ('"', _) => {
                let start = i + 1;
                i = start;
                while i < source.len() && at(i) != '"' {
                    i += if at(i) == '\\' { 2 } else { 1 };
                }
                found.push(Token::Text(source[start..i.min(source.len())].iter().collect()));
                i += 1;
            }
            // A character that is escaped, a plain one, or else a lifetime.
            ('\'', '\\') => i = end_of(i + 3, |c| c != '\'') + 1,
            ('\'', _) if at(i + 2) == '\'' => i += 3,
            ('\'', _) => i = word_end(i + 1),
            (c, _) if c.is_ascii_digit() => i = word_end(i),
            (c, _) if c.is_alphabetic() || c == '_' => {
                let end = word_end(i);
                let word: String = source[i..end].iter().collect();
                let hashes = end_of(end, |c| c == '#') - end;
                let raw = ["r", "br", "cr"].contains(&word.as_str());
                if raw && at(end + hashes) == '"' {
                    i = raw_string_end(&source, end + hashes + 1, hashes);
                } else if raw && hashes == 1 {
                    i = end + 1; // r#word: the word follows.
                } else {
                    i = end;
                    found.push(Token::Word(word));
                }
            }
            (':', ':') => {
                found.push(Token::Colons);
                i += 2;
            }
            (c, _) => {
                if !c.is_whitespace() {
                    found.push(Token::Sign(c));
                }
                i += 1;
            }
        }
    }
    found
}

/// Where a `/* comment */`, which may have others in it, ends.
fn comment_end(source: &[char], from: usize) -> usize {
    let (mut i, mut depth) = (from, 0);
    while i < source.len() {
        match &source[i..source.len().min(i + 2)] {
            ['/', '*'] => (i, depth) = (i + 2, depth + 1),
            ['*', '/'] => (i, depth) = (i + 2, depth - 1),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn raw_string_end(source: &[char], from: usize, hashes: usize) -> usize {
    let closes = |i: &usize| {
        source[*i] == '"' && source[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes
    };
    (from..source.len()).find(closes).map_or(source.len(), |quote| quote + 1 + hashes)
}

/// Where the bracket that opens at `open` is closed.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        match token {
            Token::Sign('(' | '[' | '{') => depth += 1,
            Token::Sign(')' | ']' | '}') => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return i;
        }
    }
    tokens.len()
}

/// Leaves out what is under `#[cfg(test)]` or `#[test]`; everything, where that stands at the head of the file.
pub fn without_tests(tokens: &[Token]) -> Vec<Token> {
    let mut kept = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let inner = tokens.get(i + 1) == Some(&Token::Sign('!'));
        let open = i + 1 + usize::from(inner);
        if tokens[i] != Token::Sign('#') || tokens.get(open) != Some(&Token::Sign('[')) {
            kept.push(tokens[i].clone());
            i += 1;
            continue;
        }
        let end = closing(tokens, open);
        match (for_tests(&tokens[open + 1..end.min(tokens.len())]), inner) {
            (true, true) => return Vec::new(),
            (true, false) => i = item_end(tokens, end + 1),
            (false, _) => {
                kept.extend_from_slice(&tokens[i..tokens.len().min(end + 1)]);
                i = end + 1;
            }
        }
    }
    kept
}

fn for_tests(attribute: &[Token]) -> bool {
    let words: Vec<&str> = attribute
        .iter()
        .filter_map(|t| if let Token::Word(w) = t { Some(w.as_str()) } else { None })
        .collect();
    match words[..] {
        ["test"] | ["cfg", "test"] | ["tokio", "test", ..] => true,
        ["cfg", "all", ..] => words.contains(&"test") && !words.contains(&"not") && !words.contains(&"any"),
        _ => false,
    }
}

/// Where the item that begins at `from`, perhaps with more attributes, is over.
fn item_end(tokens: &[Token], from: usize) -> usize {
    const WITH_COMMAS: [&str; 9] =
        ["fn", "impl", "struct", "enum", "trait", "type", "const", "static", "use"];
    let mut commas = false;
    let mut i = from;
    while i < tokens.len() {
        match &tokens[i] {
            Token::Sign('{') => return closing(tokens, i) + 1,
            Token::Sign('(' | '[') => i = closing(tokens, i),
            Token::Sign(';') => return i + 1,
            Token::Sign(',') if !commas => return i + 1,
            Token::Sign('}') => return i,
            Token::Word(word) if WITH_COMMAS.contains(&word.as_str()) => commas = true,
            _ => {}
        }
        i += 1;
    }
    i
}
