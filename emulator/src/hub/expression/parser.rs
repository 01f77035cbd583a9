//! From words to an expression, and what parsers of whole languages need beside it.

use serde_json::{Number, Value};

use super::{
    functions::Function,
    lexer::{Token, show, tokens},
    syntax::{Expression, Operator, Path},
};

/// Conditions in conditions; more is no text that a person has written.
const MAX_DEPTH: usize = 64;

/// Operators in one text: as many as an expression can be deep, and evaluating it costs a part of the stack for each.
const MAX_OPERATORS: usize = 1000;

/// What of the expressions a language has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Dialect {
    /// Queries over twins and jobs: `IN` and `NIN`.
    Twins,
    /// Conditions of routes: places in lists, and dashes within names.
    Routes,
}

pub(in crate::hub) struct Parser {
    tokens: Vec<Token>,
    next: usize,
    dialect: Dialect,
    depth: usize,
    operators: usize,
}

impl Parser {
    pub(in crate::hub) fn new(text: &str, dialect: Dialect) -> Result<Self, String> {
        let tokens = tokens(text, dialect == Dialect::Routes)?;
        Ok(Self { tokens, next: 0, dialect, depth: 0, operators: 0 })
    }

    pub(in crate::hub) fn expression(&mut self) -> Result<Expression, String> {
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
                self.count_operator()?;
                left = Expression::In(Box::new(left), self.list()?, negated);
                continue;
            }
            let Some(operator) = self.operator(level) else {
                return Ok(left);
            };
            self.count_operator()?;
            let right = self.level(level + 1)?;
            left = Expression::Binary(Box::new(left), operator, Box::new(right));
        }
    }

    fn count_operator(&mut self) -> Result<(), String> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            return Err(format!("there are more than {MAX_OPERATORS} operators"));
        }
        Ok(())
    }

    fn membership(&mut self) -> Option<bool> {
        if self.dialect != Dialect::Twins {
            return None;
        }
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
            Some(Token::Name(name)) => self.named(&name),
            Some(token) => Err(format!("{} is not expected", show(&token))),
            None => Err("the text ends too early".into()),
        }
    }

    /// A constant, a function, or a path.
    fn named(&mut self, name: &str) -> Result<Expression, String> {
        let constant = match name.to_ascii_lowercase().as_str() {
            "true" => Some(Expression::Literal(Value::Bool(true))),
            "false" => Some(Expression::Literal(Value::Bool(false))),
            "null" => Some(Expression::Literal(Value::Null)),
            "undefined" => Some(Expression::Undefined),
            _ => None,
        };
        if let Some(constant) = constant {
            self.next += 1;
            return Ok(constant);
        }
        let path = self.path()?;
        if !self.symbol("(") {
            return Ok(Expression::Path(path));
        }
        self.call(&path.join("."))
    }

    fn call(&mut self, name: &str) -> Result<Expression, String> {
        let (function, wanted) = Function::named(name).ok_or_else(|| match self.dialect {
            Dialect::Twins => format!("{name}() is not a function that queries have"),
            Dialect::Routes => format!("{name}() is not a function that conditions of routes have"),
        })?;
        let mut arguments = Vec::new();
        if !self.symbol(")") {
            arguments.push(self.expression()?);
            while self.symbol(",") {
                arguments.push(self.expression()?);
            }
            self.close()?;
        }
        if !wanted.contains(&arguments.len()) {
            let (least, most) = (wanted.start(), wanted.end());
            let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return Err(format!("{name}() takes {wanted} arguments, not {}", arguments.len()));
        }
        Ok(Expression::Call(function, arguments))
    }

    /// Names between dots; `['…']` and `[[…]]` stand for a name too, and `[7]` for a place in a list where there are such.
    pub(in crate::hub) fn path(&mut self) -> Result<Path, String> {
        let mut path = vec![self.name()?];
        loop {
            if self.symbol(".") {
                path.push(self.name()?);
            } else if self.peek() == Some(&Token::Symbol("["))
                && let (Some(inside), Some(Token::Symbol("]"))) =
                    (self.tokens.get(self.next + 1).cloned(), self.tokens.get(self.next + 2))
                && let Some(step) = self.step(inside)
            {
                path.push(step);
                self.next += 3;
            } else if let Some(Token::Quoted(name)) = self.peek().cloned() {
                path.push(name);
                self.next += 1;
            } else {
                return Ok(path);
            }
        }
    }

    fn step(&self, inside: Token) -> Option<String> {
        match inside {
            Token::Text(name) => Some(name),
            Token::Number(place) if self.dialect == Dialect::Routes && place.fract() == 0.0 => {
                Some((place as usize).to_string())
            }
            _ => None,
        }
    }

    pub(in crate::hub) fn name(&mut self) -> Result<String, String> {
        match self.take() {
            Some(Token::Name(name) | Token::Quoted(name)) => Ok(name),
            Some(token) => Err(format!("a name is expected, not {}", show(&token))),
            None => Err("a name is expected, and the text ends".into()),
        }
    }

    pub(in crate::hub) fn keyword(&mut self, keyword: &str) -> Result<(), String> {
        if self.word(keyword) {
            return Ok(());
        }
        let found = self.peek().map_or_else(|| "the end".to_owned(), show);
        Err(format!("{} is expected, not {found}", keyword.to_ascii_uppercase()))
    }

    pub(in crate::hub) fn close(&mut self) -> Result<(), String> {
        if self.symbol(")") { Ok(()) } else { Err("a parenthesis is not closed".into()) }
    }

    pub(in crate::hub) fn word(&mut self, keyword: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Name(name)) if name.eq_ignore_ascii_case(keyword));
        self.next += usize::from(found);
        found
    }

    pub(in crate::hub) fn symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(known)) if *known == symbol);
        self.next += usize::from(found);
        found
    }

    pub(in crate::hub) fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next)
    }

    pub(in crate::hub) fn take(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    /// Nothing is left.
    pub(in crate::hub) fn end(&self) -> Result<(), String> {
        match self.peek() {
            None => Ok(()),
            Some(token) => Err(format!("{} is not expected", show(token))),
        }
    }
}
