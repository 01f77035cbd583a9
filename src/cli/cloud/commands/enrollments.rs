//! What enrollment groups and individual enrollments have in common: how they are shown, listed, changed and deleted.

use serde_json::{Value, json};

use super::certificate::Condition;
use crate::cli::cloud::attestation::with_keys;
use crate::cli::cloud::output::{Column, Output};
use crate::cli::cloud::service::client::{Call, Client};

/// The enrollments of one kind.
pub(in crate::cli::cloud) struct Enrollments {
    /// The service that has them.
    pub dps: Client,
    /// The first segment of their paths.
    pub path: &'static str,
    /// What a table shows of them.
    pub columns: &'static [Column<'static>],
    /// How results are printed.
    pub output: Output,
}

impl Enrollments {
    pub(in crate::cli::cloud) fn create(&self, id: &str, enrollment: &Value) -> anyhow::Result<()> {
        self.print(&self.dps.call(Call::put(&[self.path, id], enrollment))?)
    }

    pub(in crate::cli::cloud) fn show(&self, id: &str, with_its_keys: bool) -> anyhow::Result<()> {
        let path = [self.path, id];
        let mut enrollment = self.dps.call(Call::get(&path))?;
        if with_its_keys {
            with_keys(&self.dps, &path, &mut enrollment)?;
        }
        self.print(&enrollment)
    }

    pub(in crate::cli::cloud) fn list(&self, top: Option<usize>) -> anyhow::Result<()> {
        let text = format!("SELECT * FROM {}", self.path);
        let query = Call::post(&[self.path, "query"]).json(&json!({"query": text}));
        self.print(&self.dps.list(&query, top)?.into())
    }

    /// Reads it, lets `change` change it, and writes it if nobody else has written meanwhile.
    pub(in crate::cli::cloud) fn update(
        &self,
        id: &str,
        condition: &Condition,
        change: impl FnOnce(&mut Value) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let path = [self.path, id];
        let mut enrollment = self.dps.call(Call::get(&path))?;
        let etag = condition.or(&enrollment).to_owned();
        with_keys(&self.dps, &path, &mut enrollment)?;
        change(&mut enrollment)?;
        self.print(&self.dps.call(self.dps.if_match(Call::put(&path, &enrollment), &etag))?)
    }

    pub(in crate::cli::cloud) fn delete(&self, id: &str, condition: &Condition) -> anyhow::Result<()> {
        let call = Call::delete(&[self.path, id]);
        self.dps.call(condition.apply(&self.dps, call)).map(drop)
    }

    fn print(&self, value: &Value) -> anyhow::Result<()> {
        self.output.show(value, self.columns)
    }
}
