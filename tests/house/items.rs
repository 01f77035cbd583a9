//! What a module says of others: which it declares, what it imports, which paths stand in its code.

use std::collections::BTreeSet;

use crate::tokens::{Token, closing};

/// The part of a module's contents that ties it to others.
#[derive(Debug, Default)]
pub struct Items {
    pub modules: Vec<Declared>,
    pub imports: Vec<Import>,
    /// Paths that stand in code: `crate::a::f()`, `super::T`, `child::g()`.
    pub paths: Vec<Vec<String>>,
    /// Names of functions, types and values that stand here.
    pub defines: BTreeSet<String>,
}

/// `mod name;` or `mod name { .. }`.
#[derive(Debug)]
pub struct Declared {
    pub name: String,
    /// What a `#[path = ".."]` before it says.
    pub path: Option<String>,
    /// Its contents, if they stand here.
    pub inline: Option<Items>,
}

/// One leaf of a `use` tree.
#[derive(Debug)]
pub struct Import {
    pub path: Vec<String>,
    /// By which it is known here; `*` for all that `path` has.
    pub name: String,
}

impl Items {
    pub fn read(tokens: &[Token]) -> Self {
        let mut items = Self::default();
        let mut path = None;
        let mut i = 0;
        while i < tokens.len() {
            i = match &tokens[i..] {
                [
                    Token::Sign('#'),
                    Token::Sign('['),
                    Token::Word(word),
                    Token::Sign('='),
                    Token::Text(file),
                    ..,
                ] if word == "path" => {
                    path = Some(file.clone());
                    i + 5
                }
                [Token::Word(word), Token::Word(name), Token::Sign(sign @ (';' | '{')), ..]
                    if word == "mod" =>
                {
                    let end = if *sign == '{' { closing(tokens, i + 2) } else { i + 2 };
                    let inline = (*sign == '{').then(|| Self::read(&tokens[i + 3..end]));
                    items.modules.push(Declared { name: name.clone(), path: path.take(), inline });
                    end + 1
                }
                [Token::Word(word), Token::Word(_) | Token::Colons | Token::Sign('{'), ..]
                    if word == "use" =>
                {
                    let mut next = i + 1;
                    items.import(tokens, &mut next, Vec::new());
                    next
                }
                // A macro's own grammar may look like anything, but `crate::a` in it is what it seems to be.
                [Token::Word(word), Token::Sign('!'), Token::Word(_), Token::Sign(_), ..]
                    if word == "macro_rules" =>
                {
                    let end = closing(tokens, i + 3);
                    let paths =
                        (i + 3..end).filter(|&i| tokens[i].is("crate")).filter_map(|i| path_at(tokens, i));
                    items.paths.extend(paths);
                    end + 1
                }
                // Who may see it is no import.
                [Token::Word(word), Token::Sign('('), Token::Word(within), ..]
                    if word == "pub" && within == "in" =>
                {
                    closing(tokens, i + 1) + 1
                }
                [Token::Word(word), Token::Word(name), ..] if defines(word) => {
                    items.defines.insert(name.clone());
                    i + 1
                }
                _ => {
                    items.paths.extend(path_at(tokens, i));
                    i + 1
                }
            };
        }
        items
    }

    /// Reads one branch of a `use` tree.
    fn import(&mut self, tokens: &[Token], next: &mut usize, mut path: Vec<String>) {
        while let Some(token) = tokens.get(*next) {
            *next += 1;
            match token {
                Token::Colons if path.is_empty() => path.push("::".to_owned()),
                Token::Colons => {}
                Token::Word(word) => {
                    if word != "self" || path.is_empty() {
                        path.push(word.clone());
                    }
                    if tokens.get(*next) == Some(&Token::Colons) {
                        continue;
                    }
                    let mut name = path.last().cloned().unwrap_or_default();
                    if let [Token::Word(word), Token::Word(new), ..] = &tokens[*next..]
                        && word == "as"
                    {
                        name.clone_from(new);
                        *next += 2;
                    }
                    return self.imports.push(Import { path, name });
                }
                Token::Sign('*') => return self.imports.push(Import { path, name: "*".to_owned() }),
                Token::Sign('{') => {
                    while tokens.get(*next).is_some_and(|token| *token != Token::Sign('}')) {
                        match tokens[*next] {
                            Token::Sign(',') => *next += 1,
                            _ => self.import(tokens, next, path.clone()),
                        }
                    }
                    *next += 1;
                    return;
                }
                _ => return,
            }
        }
    }
}

fn defines(word: &str) -> bool {
    ["fn", "struct", "enum", "union", "trait", "type", "const", "static"].contains(&word)
}

/// The path of two or more words that begins here.
fn path_at(tokens: &[Token], from: usize) -> Option<Vec<String>> {
    let goes_on = from > 0 && matches!(tokens[from - 1], Token::Colons | Token::Sign('.'));
    let mut path = Vec::new();
    let mut i = from;
    while let Some(Token::Word(word)) = tokens.get(i) {
        path.push(word.clone());
        match tokens.get(i + 1) {
            Some(Token::Colons) => i += 2,
            _ => break,
        }
    }
    (!goes_on && path.len() > 1).then_some(path)
}
