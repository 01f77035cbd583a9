//! The routing of a hub, which is read and written as a whole.

use anyhow::bail;
use serde_json::{Value, json};

use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::{Target, only_emulated};

const PATH: &str = "routing";

/// The routing as it was read; nobody else's change since then is overwritten.
pub(super) struct RoutingDocument {
    pub hub: Client,
    routing: Value,
    etag: String,
}

impl RoutingDocument {
    /// Reads it. `what` is a part of it, and `instead` the command of `az` for that part.
    pub(super) fn read(target: &Target, what: &str, instead: &str) -> anyhow::Result<Self> {
        Self::of(target.hub()?, what, instead)
    }

    /// Reads that of the hub that has a device.
    pub(super) fn read_of(
        target: &Target,
        device_id: &str,
        what: &str,
        instead: &str,
    ) -> anyhow::Result<Self> {
        Self::of(target.hub_of(device_id)?, what, instead)
    }

    fn of(hub: Client, what: &str, instead: &str) -> anyhow::Result<Self> {
        let what = format!("{what} (they belong to Azure Resource Manager)");
        let hub = only_emulated(hub, &what, instead)?;
        let mut answer = hub.call(Call::get(&[PATH]))?;
        let etag = answer["etag"].as_str().unwrap_or("*").to_owned();
        Ok(Self { hub, routing: answer["properties"]["routing"].take(), etag })
    }

    /// A part of it, by the pointer to it.
    pub(super) fn part(&self, pointer: &str) -> Value {
        self.routing.pointer(pointer).cloned().unwrap_or_default()
    }

    /// Replaces a part.
    pub(super) fn set(&mut self, pointer: &str, value: Value) {
        if let Some(part) = self.routing.pointer_mut(pointer) {
            *part = value;
        }
    }

    /// The members of a list, with what names each of them.
    pub(super) fn list(&self, pointer: &str) -> Vec<Value> {
        self.part(pointer).as_array().cloned().unwrap_or_default()
    }

    /// One member of a list.
    pub(super) fn find(&self, pointer: &str, key: &str, name: &str) -> Option<Value> {
        self.list(pointer).into_iter().find(|item| is_named(item, key, name))
    }

    /// Adds a member to a list; one of this name must not be there.
    pub(super) fn add(&mut self, pointer: &str, key: &str, item: Value) -> anyhow::Result<()> {
        let name = item[key].as_str().unwrap_or_default();
        if self.find(pointer, key, name).is_some() {
            bail!("{name} is there already; delete it first");
        }
        let mut list = self.list(pointer);
        list.push(item);
        self.set(pointer, list.into());
        Ok(())
    }

    /// Takes a member out of a list; whether it was there.
    pub(super) fn remove(&mut self, pointer: &str, key: &str, name: &str) -> bool {
        let (before, mut list) = (self.list(pointer).len(), self.list(pointer));
        list.retain(|item| !is_named(item, key, name));
        let was_there = list.len() < before;
        self.set(pointer, list.into());
        was_there
    }

    /// Writes it.
    pub(super) fn write(self) -> anyhow::Result<()> {
        let body = json!({"properties": {"routing": self.routing}});
        let call = Call::put(&[PATH], &body);
        self.hub.call(self.hub.if_match(call, &self.etag)).map(drop)
    }
}

fn is_named(item: &Value, key: &str, name: &str) -> bool {
    item[key].as_str().is_some_and(|known| known.eq_ignore_ascii_case(name))
}
