//! From words to a query.

use serde_json::{Number, Value};

use super::lexer::{Token, tokens};

/// Conditions in conditions; more is no query that a person has written.
const MAX_DEPTH: usize = 64;

#[derive(Debug)]
pub(super) struct Query {
    pub top: Option<usize>,
    /// `None` for `*`.
    pub items: Option<Vec<Item>>,
    pub condition: Option<Expression>,
    pub group_by: Vec<Path>,
    /// No such collection has members here: `devices.modules`.
    pub is_empty: bool,
}

/// A column of the answer.
#[derive(Debug)]
pub(super) struct Item {
    pub name: Option<String>,
    pub value: Column,
}

#[derive(Debug)]
pub(super) enum Column {
    Path(Path),
    Aggregate(Aggregate, Option<Path>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Aggregate {
    Count,
    Sum,
    Average,
    Minimum,
    Maximum,
}

/// The names from a twin down to a value.
pub(super) type Path = Vec<String>;

#[derive(Debug)]
pub(super) enum Expression {
    Literal(Value),
    Path(Path),
    IsDefined(Path),
    Not(Box<Expression>),
    Negate(Box<Expression>),
    In(Box<Expression>, Vec<Expression>, bool),
    Binary(Box<Expression>, Operator, Box<Expression>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

pub(super) fn parse(text: &str) -> Result<Query, String> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, alias: None, depth: 0 };
    let query = parser.query()?;
    match parser.peek() {
        None => Ok(query),
        Some(token) => Err(format!("{} is not expected", show(token))),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    alias: Option<String>,
    depth: usize,
}

impl Parser {
    fn query(&mut self) -> Result<Query, String> {
        self.keyword("select")?;
        let top = self.top()?;
        let items = if self.symbol("*") { None } else { Some(self.items()?) };
        self.keyword("from")?;
        let is_empty = self.collection()?;
        let condition = if self.word("where") { Some(self.expression()?) } else { None };
        let mut group_by = Vec::new();
        if self.word("group") {
            self.keyword("by")?;
            group_by.push(self.path()?);
            while self.symbol(",") {
                group_by.push(self.path()?);
            }
        }
        if self.word("order") {
            return Err("ORDER BY is not part of the language".into());
        }
        let mut query = Query { top, items, condition, group_by, is_empty };
        self.strip_alias(&mut query);
        Ok(query)
    }

    fn top(&mut self) -> Result<Option<usize>, String> {
        if !self.word("top") {
            return Ok(None);
        }
        let in_parentheses = self.symbol("(");
        let Some(Token::Number(number)) = self.take() else {
            return Err("TOP needs a number".into());
        };
        if in_parentheses && !self.symbol(")") {
            return Err("a parenthesis is not closed".into());
        }
        Ok(Some(number as usize))
    }

    /// `devices`, with an alias if there is one. Tells whether the collection has no members here.
    fn collection(&mut self) -> Result<bool, String> {
        let path = self.path()?;
        let names: Vec<_> = path.iter().map(|name| name.to_ascii_lowercase()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let is_empty = match names.as_slice() {
            ["devices"] => false,
            ["devices", "modules"] => true,
            ["devices", "jobs"] => return Err("FROM devices.jobs is not implemented by this emulator".into()),
            _ => return Err(format!("FROM {} is not a collection: devices is", path.join("."))),
        };
        self.word("as");
        if let Some(Token::Name(name)) = self.peek()
            && !["where", "group", "order"].iter().any(|keyword| name.eq_ignore_ascii_case(keyword))
        {
            self.alias = Some(name.clone());
            self.next += 1;
        }
        Ok(is_empty)
    }

    fn items(&mut self) -> Result<Vec<Item>, String> {
        let mut items = vec![self.item()?];
        while self.symbol(",") {
            items.push(self.item()?);
        }
        Ok(items)
    }

    fn item(&mut self) -> Result<Item, String> {
        let path = self.path()?;
        let value = if self.symbol("(") {
            let function = path.join(".");
            let aggregate = match function.to_ascii_lowercase().as_str() {
                "count" => Aggregate::Count,
                "sum" => Aggregate::Sum,
                "avg" => Aggregate::Average,
                "min" => Aggregate::Minimum,
                "max" => Aggregate::Maximum,
                _ => {
                    return Err(format!(
                        "{function}() is not an aggregate: COUNT, SUM, AVG, MIN and MAX are"
                    ));
                }
            };
            let of = if self.symbol(")") {
                None
            } else if self.symbol("*") {
                self.close()?;
                None
            } else {
                let of = self.path()?;
                self.close()?;
                Some(of)
            };
            if of.is_none() && !matches!(aggregate, Aggregate::Count) {
                return Err(format!("{function}() needs a path"));
            }
            Column::Aggregate(aggregate, of)
        } else {
            Column::Path(path)
        };
        let name = if self.word("as") { Some(self.name()?) } else { None };
        Ok(Item { name, value })
    }

    fn expression(&mut self) -> Result<Expression, String> {
        self.level(0)
    }

    /// Operators from the loosest to the tightest.
    fn level(&mut self, level: usize) -> Result<Expression, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH * 8 {
            return Err("the condition is nested too deep".into());
        }
        let found = self.level_inner(level);
        self.depth -= 1;
        found
    }

    fn level_inner(&mut self, level: usize) -> Result<Expression, String> {
        if level == 2 && self.word("not") {
            return Ok(Expression::Not(Box::new(self.level(2)?)));
        }
        if level == 6 {
            return self.unary();
        }
        let mut left = self.level(level + 1)?;
        loop {
            if level == 3
                && let Some(negated) = self.membership()
            {
                left = Expression::In(Box::new(left), self.list()?, negated);
                continue;
            }
            let Some(operator) = self.operator(level) else {
                return Ok(left);
            };
            let right = self.level(level + 1)?;
            left = Expression::Binary(Box::new(left), operator, Box::new(right));
        }
    }

    fn membership(&mut self) -> Option<bool> {
        if self.word("in") {
            return Some(false);
        }
        if self.word("nin") {
            return Some(true);
        }
        let not_in = matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case("not"))
            && matches!(self.tokens.get(self.next + 1), Some(Token::Name(name)) if name.eq_ignore_ascii_case("in"));
        not_in.then(|| {
            self.next += 2;
            true
        })
    }

    fn operator(&mut self, level: usize) -> Option<Operator> {
        let symbols: &[(&str, Operator)] = match level {
            0 => return self.word("or").then_some(Operator::Or),
            1 => return self.word("and").then_some(Operator::And),
            3 => &[
                ("=", Operator::Equal),
                ("!=", Operator::NotEqual),
                ("<>", Operator::NotEqual),
                ("<=", Operator::LessOrEqual),
                ("<", Operator::Less),
                (">=", Operator::GreaterOrEqual),
                (">", Operator::Greater),
            ],
            4 => &[("+", Operator::Add), ("-", Operator::Subtract)],
            5 => &[("*", Operator::Multiply), ("/", Operator::Divide), ("%", Operator::Remainder)],
            _ => &[],
        };
        let found = symbols.iter().find(|(symbol, _)| self.peek() == Some(&Token::Symbol(symbol)));
        found.map(|(_, operator)| {
            self.next += 1;
            *operator
        })
    }

    fn list(&mut self) -> Result<Vec<Expression>, String> {
        let end = match self.take() {
            Some(Token::Symbol("[")) => "]",
            Some(Token::Symbol("(")) => ")",
            _ => return Err("IN needs a list in brackets".into()),
        };
        let mut values = vec![self.level(4)?];
        while self.symbol(",") {
            values.push(self.level(4)?);
        }
        if self.symbol(end) {
            return Ok(values);
        }
        Err("a list is not closed".into())
    }

    fn unary(&mut self) -> Result<Expression, String> {
        if self.symbol("-") {
            self.depth += 1;
            let inner = if self.depth > MAX_DEPTH * 8 {
                Err("the condition is nested too deep".into())
            } else {
                self.unary()
            };
            self.depth -= 1;
            return Ok(Expression::Negate(Box::new(inner?)));
        }
        match self.peek().cloned() {
            Some(Token::Number(number)) => {
                self.next += 1;
                Ok(Expression::Literal(Number::from_f64(number).map_or(Value::Null, Value::Number)))
            }
            Some(Token::Text(text)) => {
                self.next += 1;
                Ok(Expression::Literal(Value::String(text)))
            }
            Some(Token::Symbol("(")) => {
                self.next += 1;
                let inner = self.expression()?;
                self.close()?;
                Ok(inner)
            }
            Some(Token::Quoted(_)) => Ok(Expression::Path(self.path()?)),
            Some(Token::Name(name)) => {
                let literal = match name.to_ascii_lowercase().as_str() {
                    "true" => Some(Value::Bool(true)),
                    "false" => Some(Value::Bool(false)),
                    "null" => Some(Value::Null),
                    _ => None,
                };
                if let Some(literal) = literal {
                    self.next += 1;
                    return Ok(Expression::Literal(literal));
                }
                let path = self.path()?;
                if !self.symbol("(") {
                    return Ok(Expression::Path(path));
                }
                let function = path.join(".");
                if !function.eq_ignore_ascii_case("is_defined") {
                    return Err(format!(
                        "{function}() is not a function of twin queries: IS_DEFINED is the only one"
                    ));
                }
                let of = self.path()?;
                self.close()?;
                Ok(Expression::IsDefined(of))
            }
            Some(token) => Err(format!("{} is not expected", show(&token))),
            None => Err("the query ends too early".into()),
        }
    }

    /// Names between dots; `['…']` and `[[…]]` stand for a name too.
    fn path(&mut self) -> Result<Path, String> {
        let mut path = vec![self.name()?];
        loop {
            if self.symbol(".") {
                path.push(self.name()?);
            } else if self.peek() == Some(&Token::Symbol("["))
                && let (Some(Token::Text(name)), Some(Token::Symbol("]"))) =
                    (self.tokens.get(self.next + 1).cloned(), self.tokens.get(self.next + 2))
            {
                path.push(name);
                self.next += 3;
            } else if let Some(Token::Quoted(name)) = self.peek().cloned() {
                path.push(name);
                self.next += 1;
            } else {
                return Ok(path);
            }
        }
    }

    fn name(&mut self) -> Result<String, String> {
        match self.take() {
            Some(Token::Name(name) | Token::Quoted(name)) => Ok(name),
            Some(token) => Err(format!("a name is expected, not {}", show(&token))),
            None => Err("a name is expected, and the query ends".into()),
        }
    }

    fn keyword(&mut self, keyword: &str) -> Result<(), String> {
        if self.word(keyword) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "the end".to_owned(), show);
        Err(format!("{} is expected, not {found}", keyword.to_ascii_uppercase()))
    }

    fn close(&mut self) -> Result<(), String> {
        if self.symbol(")") { Ok(()) } else { Err("a parenthesis is not closed".into()) }
    }

    fn word(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(known)) if *known == symbol);
        self.next += usize::from(found);
        found
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    /// `SELECT c.deviceId FROM devices c` is about `deviceId`.
    fn strip_alias(&self, query: &mut Query) {
        let alias = self.alias.as_deref().unwrap_or("devices");
        let strip = |path: &mut Path| {
            if path.len() > 1 && path.first().is_some_and(|first| first.eq_ignore_ascii_case(alias)) {
                path.remove(0);
            }
        };
        for item in query.items.iter_mut().flatten() {
            match &mut item.value {
                Column::Path(path) | Column::Aggregate(_, Some(path)) => strip(path),
                Column::Aggregate(_, None) => {}
            }
        }
        query.group_by.iter_mut().for_each(strip);
        if let Some(condition) = &mut query.condition {
            condition.for_each_path(&strip);
        }
    }
}

impl Expression {
    fn for_each_path(&mut self, change: &impl Fn(&mut Path)) {
        match self {
            Self::Literal(_) => {}
            Self::Path(path) | Self::IsDefined(path) => change(path),
            Self::Not(inner) | Self::Negate(inner) => inner.for_each_path(change),
            Self::In(left, list, _) => {
                left.for_each_path(change);
                for value in list {
                    value.for_each_path(change);
                }
            }
            Self::Binary(left, _, right) => {
                left.for_each_path(change);
                right.for_each_path(change);
            }
        }
    }
}

fn show(token: &Token) -> String {
    match token {
        Token::Name(name) | Token::Quoted(name) => format!("\"{name}\""),
        Token::Text(text) => format!("'{text}'"),
        Token::Number(number) => number.to_string(),
        Token::Symbol(symbol) => format!("\"{symbol}\""),
    }
}
