//! `cloud method`: direct methods of devices.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;

use crate::cli::cloud::bulk::{Conduct, Done, Task, Verb, Wanted, Which, Work, ask, look};
use crate::cli::cloud::json_argument::json as json_argument;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

/// Commands for direct methods.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum MethodCommand {
    /// Call a method of a connected device and show its answer, whatever status it gives.
    Invoke {
        #[command(flatten)]
        which: Which,
        /// The method: a tracker knows ping, getStatus, getDiagnostics and more.
        #[arg(long, visible_alias = "mn", value_name = "NAME")]
        method_name: String,
        /// What the method is given, JSON or a file.
        #[arg(long, visible_alias = "mp", value_name = "JSON", default_value = "null")]
        method_payload: String,
        /// Seconds to wait for the device's answer, 5 to 300.
        #[arg(long, visible_aliases = ["to", "method-response-timeout"], value_name = "SECONDS", default_value_t = 30)]
        timeout: u64,
        /// Seconds to wait for a device that is not connected, 0 to 300.
        #[arg(long, value_name = "SECONDS", default_value_t = 0)]
        method_connect_timeout: u64,
        #[command(flatten)]
        conduct: Conduct,
    },
}

impl MethodCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let Self::Invoke { which, method_name, method_payload, timeout, method_connect_timeout, conduct } =
            self;
        let body = json!({
            "methodName": method_name,
            "payload": json_argument("--method-payload", &method_payload)?,
            "responseTimeoutInSeconds": timeout,
            "connectTimeoutInSeconds": method_connect_timeout,
        });
        let wait = Duration::from_secs(timeout.saturating_add(method_connect_timeout).min(600));
        let call = |id: &str| Call::post(&["twins", id, "methods"]).json(&body).patient(wait);
        if let Some(id) = which.only(&conduct) {
            return target.output.show(
                &target.hub_of(id)?.call(call(id))?,
                &[("Status", "/status"), ("Payload", "/payload")],
            );
        }
        let looked = look(target, which.selection()?, &Wanted::unseen())?;
        let command = format!("method invoke --method-name {method_name}");
        ask(&looked, &conduct, &command)?;
        let verb = Verb {
            command,
            done: "answered",
            is_so: "answered already",
            thing: "device",
            member: "deviceId",
            columns: &[("Status", "/result/status"), ("Payload", "/result/payload")],
        };
        let work = Work { verb, conduct: &conduct, output: &target.output, hubs: &looked.hubs, dps: None };
        work.carry_out(Task::of(&looked, false), |id, hub| {
            hub.context("it is at no hub")?.call(call(id)).map(Done::Changed)
        })
    }
}
