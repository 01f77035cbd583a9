//! Who manages the fleet: calls of a hub's service API, and waits until what was asked for has come about.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::lab::hub_service::{HubService, Verb};

/// How often the hub is asked, and for how long, until it is as expected.
const ASK_EVERY: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_mins(2);

/// The operator of one hub.
#[derive(Clone)]
pub(super) struct Operator(Arc<dyn HubService>);

impl Operator {
    pub(super) fn of(hub: Arc<dyn HubService>) -> Self {
        Self(hub)
    }

    pub(super) async fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        self.call(Verb::Get, path, Value::Null).await
    }

    pub(super) async fn put(&self, path: &[&str], body: Value) -> anyhow::Result<Value> {
        self.call(Verb::Put, path, body).await
    }

    pub(super) async fn post(&self, path: &[&str], body: Value) -> anyhow::Result<Value> {
        self.call(Verb::Post, path, body).await
    }

    pub(super) async fn delete(&self, path: &[&str]) -> anyhow::Result<()> {
        self.call(Verb::Delete, path, Value::Null).await.map(drop)
    }

    async fn call(&self, verb: Verb, path: &[&str], body: Value) -> anyhow::Result<Value> {
        let path: Vec<String> = path.iter().map(|&word| word.to_owned()).collect();
        let hub = self.0.clone();
        let called = tokio::task::spawn_blocking(move || {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            hub.call(verb, &path, &body)
        });
        called.await.context("the call was cut off")?
    }

    /// How many twins the condition holds for.
    pub(super) async fn count(&self, condition: &str) -> anyhow::Result<u64> {
        let query = format!("SELECT COUNT() AS number FROM devices WHERE {condition}");
        let rows = self.post(&["devices", "query"], json!({"query": query})).await?;
        Ok(rows[0]["number"].as_u64().unwrap_or_default())
    }

    /// Waits until the condition holds for so many; for how many it did at the last look.
    pub(super) async fn until_count(&self, condition: &str, wanted: usize) -> anyhow::Result<u64> {
        let end = Instant::now() + PATIENCE;
        loop {
            let count = self.count(condition).await?;
            if count == wanted as u64 || Instant::now() > end {
                return Ok(count);
            }
            sleep(ASK_EVERY).await;
        }
    }

    /// Waits until what is shown there is as wanted; what was shown last.
    pub(super) async fn until(
        &self,
        path: &[&str],
        is_wanted: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let end = Instant::now() + PATIENCE;
        loop {
            let shown = self.get(path).await?;
            if is_wanted(&shown) || Instant::now() > end {
                return Ok(shown);
            }
            sleep(ASK_EVERY).await;
        }
    }
}
