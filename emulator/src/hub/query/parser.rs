//! From words to a query.

use super::super::expression::{Dialect, Expression, Parser, Path, Token};

#[derive(Debug)]
pub(super) struct Query {
    pub top: Option<usize>,
    /// `None` for `*`.
    pub items: Option<Vec<Item>>,
    pub condition: Option<Expression>,
    pub group_by: Vec<Path>,
    /// Over `devices.modules`.
    pub of_modules: bool,
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

pub(super) fn parse(text: &str) -> Result<Query, String> {
    let mut parser = QueryParser { words: Parser::new(text, Dialect::Twins)?, alias: None };
    let query = parser.query()?;
    parser.words.end()?;
    Ok(query)
}

struct QueryParser {
    words: Parser,
    alias: Option<String>,
}

impl QueryParser {
    fn query(&mut self) -> Result<Query, String> {
        self.words.keyword("select")?;
        let top = self.top()?;
        let items = if self.words.symbol("*") { None } else { Some(self.items()?) };
        self.words.keyword("from")?;
        let of_modules = self.collection()?;
        let condition = if self.words.word("where") { Some(self.words.expression()?) } else { None };
        let mut group_by = Vec::new();
        if self.words.word("group") {
            self.words.keyword("by")?;
            group_by.push(self.words.path()?);
            while self.words.symbol(",") {
                group_by.push(self.words.path()?);
            }
        }
        if self.words.word("order") {
            return Err("ORDER BY is not part of the language".into());
        }
        let mut query = Query { top, items, condition, group_by, of_modules };
        self.strip_alias(&mut query);
        Ok(query)
    }

    fn top(&mut self) -> Result<Option<usize>, String> {
        if !self.words.word("top") {
            return Ok(None);
        }
        let in_parentheses = self.words.symbol("(");
        let Some(Token::Number(number)) = self.words.take() else {
            return Err("TOP needs a number".into());
        };
        if in_parentheses && !self.words.symbol(")") {
            return Err("a parenthesis is not closed".into());
        }
        Ok(Some(number as usize))
    }

    /// `devices` or `devices.modules`, with an alias if there is one. Tells whether it is the latter.
    fn collection(&mut self) -> Result<bool, String> {
        let path = self.words.path()?;
        let names: Vec<_> = path.iter().map(|name| name.to_ascii_lowercase()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let of_modules = match names.as_slice() {
            ["devices"] => false,
            ["devices", "modules"] => true,
            ["devices", "jobs"] => return Err("FROM devices.jobs is not implemented by this emulator".into()),
            _ => {
                let what = path.join(".");
                return Err(format!("FROM {what} is not a collection: devices and devices.modules are"));
            }
        };
        self.words.word("as");
        if let Some(Token::Name(name)) = self.words.peek()
            && !["where", "group", "order"].iter().any(|keyword| name.eq_ignore_ascii_case(keyword))
        {
            self.alias = Some(name.clone());
            self.words.take();
        }
        Ok(of_modules)
    }

    fn items(&mut self) -> Result<Vec<Item>, String> {
        let mut items = vec![self.item()?];
        while self.words.symbol(",") {
            items.push(self.item()?);
        }
        Ok(items)
    }

    fn item(&mut self) -> Result<Item, String> {
        let path = self.words.path()?;
        let value = if self.words.symbol("(") {
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
            let of = if self.words.symbol(")") {
                None
            } else if self.words.symbol("*") {
                self.words.close()?;
                None
            } else {
                let of = self.words.path()?;
                self.words.close()?;
                Some(of)
            };
            if of.is_none() && !matches!(aggregate, Aggregate::Count) {
                return Err(format!("{function}() needs a path"));
            }
            Column::Aggregate(aggregate, of)
        } else {
            Column::Path(path)
        };
        let name = if self.words.word("as") { Some(self.words.name()?) } else { None };
        Ok(Item { name, value })
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
            condition.for_each_path(&mut |path| strip(path));
        }
    }
}
