//! What a condition is held against: a message with its twin.

use std::{borrow::Cow, cell::OnceCell};

use serde_json::Value;

use super::super::{
    super::expression::{Document, Path, member_without_case},
    message::RoutedMessage,
};
use crate::clock::wire_time;

pub(in crate::hub::routing) struct Subject<'m> {
    message: &'m RoutedMessage,
    twin: Option<&'m Value>,
    /// Read when it is first asked for, and once: most conditions look at properties alone.
    body: OnceCell<Option<Value>>,
}

impl<'m> Subject<'m> {
    pub(in crate::hub::routing) fn new(message: &'m RoutedMessage, twin: Option<&'m Value>) -> Self {
        Self { message, twin, body: OnceCell::new() }
    }

    fn property(&self, name: &str) -> Option<Value> {
        let Some(system) = name.strip_prefix('$') else {
            return self.message.property(name).map(Value::from);
        };
        if system.eq_ignore_ascii_case("enqueuedTime") {
            return Some(wire_time::print(self.message.enqueued_time).into());
        }
        // A name that begins with `$` may be an application property all the same.
        let found = self.message.system_property(system).or_else(|| self.message.property(name));
        found.map(Value::from)
    }
}

impl Document for Subject<'_> {
    fn value(&self, path: &Path) -> Option<Cow<'_, Value>> {
        let (first, rest) = path.split_first()?;
        let root = if first.eq_ignore_ascii_case("$body") {
            // A list as a whole, and what begins with a place in it, Azure does not look into.
            self.body.get_or_init(|| self.message.json_body()).as_ref().filter(|body| body.is_object())?
        } else if first.eq_ignore_ascii_case("$twin") {
            self.twin?
        } else {
            return if rest.is_empty() { self.property(first).map(Cow::Owned) } else { None };
        };
        let found = rest.iter().try_fold(root, |value, name| member_without_case(value, name));
        found.map(Cow::Borrowed)
    }
}
