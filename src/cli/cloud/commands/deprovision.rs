//! `cloud deprovision`: takes devices out of a hub and out of the provisioning service.

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::cli::cloud::bulk::{Conduct, Done, Task, Verb, Wanted, Which, Work, ask, look};
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Target;

/// Take devices out: their own enrollment, registration record, device identity and twin are deleted.
///
/// A group that would take such a device takes it again when it registers: a disabled enrollment of its own keeps it out
/// (cloud enrollment create --provisioning-status disabled), instead of this. With --login, name the provisioning service and the hub.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct DeprovisionCommand {
    #[command(flatten)]
    which: Which,
    #[command(flatten)]
    conduct: Conduct,
}

impl DeprovisionCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let dps = target.dps()?.patient();
        let looked = look(target, self.which.selection()?, &Wanted::unseen())?;
        ask(&looked, &self.conduct, "deprovision")?;
        let verb = Verb {
            command: "deprovision".into(),
            done: "taken out",
            is_so: "not there any more",
            thing: "device",
            member: "deviceId",
            columns: &[("Deleted", "/result/deleted")],
        };
        let service = Provisioning { dps: &dps, by_device: OnceLock::new() };
        let work = Work {
            verb,
            conduct: &self.conduct,
            output: &target.output,
            hubs: &looked.hubs,
            dps: Some(&dps),
        };
        work.carry_out(Task::of(&looked, true), |id, hub| service.take_out(id, hub))
    }
}

/// The provisioning service, and what was read of it.
struct Provisioning<'a> {
    dps: &'a Client,
    /// Registration IDs of enrollments that have another device ID.
    by_device: OnceLock<HashMap<String, String>>,
}

impl Provisioning<'_> {
    /// The enrollment first, or the device could come back meanwhile; the identity last, as it is what is looked for.
    fn take_out(&self, device_id: &str, hub: Option<&Client>) -> anyhow::Result<Done> {
        let registration_id = self.registration_id(device_id)?;
        let mut deleted = Vec::new();
        for (noun, path) in [("enrollment", "enrollments"), ("registration", "registrations")] {
            if gone(self.dps, &[path, &registration_id])? {
                deleted.push(noun);
            }
        }
        if let Some(hub) = hub
            && gone(hub, &["devices", device_id])?
        {
            deleted.push("device");
        }
        Ok(if deleted.is_empty() {
            Done::IsSo
        } else {
            Done::Changed(json!({"deleted": deleted.join(", ")}))
        })
    }

    fn registration_id(&self, device_id: &str) -> anyhow::Result<String> {
        let names = match self.by_device.get() {
            Some(names) => names,
            None => {
                let read = self.renamed()?;
                self.by_device.get_or_init(|| read)
            }
        };
        Ok(names.get(device_id).cloned().unwrap_or_else(|| device_id.to_owned()))
    }

    fn renamed(&self) -> anyhow::Result<HashMap<String, String>> {
        let mut names = HashMap::new();
        let query =
            Call::post(&["enrollments", "query"]).json(&json!({"query": "SELECT * FROM enrollments"}));
        self.dps.pages(&query, |page| {
            let text = |value: &Value| value.as_str().map(str::to_owned);
            names.extend(
                page.iter().filter_map(|one| Some((text(&one["deviceId"])?, text(&one["registrationId"])?))),
            );
            true
        })?;
        Ok(names)
    }
}

/// Deletes it; false if there was none.
fn gone(client: &Client, path: &[&str]) -> anyhow::Result<bool> {
    Ok(client.find(client.if_match(Call::delete(path), "*"))?.is_some())
}
