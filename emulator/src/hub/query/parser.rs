//! From words to a query.

use super::super::expression::{Dialect, Expression, MAX_LENGTH, Parser, Path, Token};

/// What a query looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Collection {
    Devices,
    Modules,
    /// What jobs have done to each device.
    Jobs,
}

#[derive(Debug)]
pub(in crate::hub) struct Query {
    pub(in crate::hub) collection: Collection,
    pub(super) top: Option<usize>,
    /// `None` for `*`.
    pub(super) items: Option<Vec<Item>>,
    pub(super) condition: Option<Expression>,
    pub(super) group_by: Vec<Path>,
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
    check_length(text)?;
    let mut parser = QueryParser { words: Parser::new(text, Dialect::Twins)?, alias: None };
    let query = parser.query()?;
    parser.words.end()?;
    Ok(query)
}

/// `*`, a condition over devices, or `FROM collection [WHERE condition]`.
pub(super) fn parse_scope(text: &str) -> Result<(Collection, Option<Expression>), String> {
    check_length(text)?;
    let mut parser = QueryParser { words: Parser::new(text, Dialect::Twins)?, alias: None };
    let mut collection = Collection::Devices;
    let mut condition = None;
    if parser.words.word("from") {
        collection = parser.collection()?;
        if parser.words.word("where") {
            condition = Some(parser.words.expression()?);
        }
    } else if !parser.words.symbol("*") {
        condition = Some(parser.words.expression()?);
    }
    parser.words.end()?;
    if let Some(condition) = &mut condition {
        condition.for_each_path(&mut |path| parser.strip(collection, path));
    }
    Ok((collection, condition))
}

fn check_length(text: &str) -> Result<(), String> {
    if text.chars().count() > MAX_LENGTH {
        return Err(format!("the query has more than {MAX_LENGTH} characters"));
    }
    Ok(())
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
        let collection = if self.words.word("from") {
            self.collection()?
        } else {
            // Azure's own examples leave it out.
            Collection::Devices
        };
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
        if collection == Collection::Jobs && (items.is_some() || !group_by.is_empty()) {
            return Err("over devices.jobs there is SELECT * alone, without GROUP BY".into());
        }
        let mut query = Query { collection, top, items, condition, group_by };
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

    /// The name of a collection, with an alias if there is one.
    fn collection(&mut self) -> Result<Collection, String> {
        let path = self.words.path()?;
        let names: Vec<_> = path.iter().map(|name| name.to_ascii_lowercase()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let collection = match names.as_slice() {
            ["devices"] => Collection::Devices,
            ["devices", "modules"] => Collection::Modules,
            ["devices", "jobs"] => Collection::Jobs,
            _ => {
                let path = path.join(".");
                return Err(format!(
                    "FROM {path} is not a collection: devices, devices.modules and devices.jobs are"
                ));
            }
        };
        self.words.word("as");
        if let Some(Token::Name(name)) = self.words.peek()
            && !["where", "group", "order"].iter().any(|keyword| name.eq_ignore_ascii_case(keyword))
        {
            self.alias = Some(name.clone());
            self.words.take();
        }
        Ok(collection)
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
        let collection = query.collection;
        let strip = |path: &mut Path| self.strip(collection, path);
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

    /// The same for one path; without an alias the collection itself may stand there, or `devices` alone.
    fn strip(&self, collection: Collection, path: &mut Path) {
        let full: &[&str] = match (self.alias.as_deref(), collection) {
            (Some(alias), _) => &[alias],
            (None, Collection::Devices) => &["devices"],
            (None, Collection::Modules) => &["devices", "modules"],
            (None, Collection::Jobs) => &["devices", "jobs"],
        };
        let begins = |known: &[&str]| {
            path.len() > known.len()
                && path.iter().zip(known).all(|(name, known)| name.eq_ignore_ascii_case(known))
        };
        if begins(full) {
            path.drain(..full.len());
        } else if begins(&full[..1]) {
            path.remove(0);
        }
        // Azure's documents call it so in a condition, and otherwise in what is found.
        if collection == Collection::Jobs && path.len() == 1 && path[0].eq_ignore_ascii_case("createdTimeUtc")
        {
            "createdDateTimeUtc".clone_into(&mut path[0]);
        }
    }
}
