//! `cloud diagnose`: what is wrong with a device, and what helps.

use std::time::Duration;

use anyhow::bail;
use serde_json::{Value, json};

use crate::cli::cloud::diagnosis::{Answer, Facts, Finding, Level, judge, print};
use crate::cli::cloud::output::{Column, OutputFormat};
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::service::service_error::ServiceError;
use crate::cli::cloud::target::Target;
use crate::platform::clock::system_time;

/// The method of trackers.
const METHOD: &str = "getDiagnostics";
const COLUMNS: &[Column<'_>] =
    &[("Level", "/level"), ("About", "/about"), ("Finding", "/text"), ("WhatHelps", "/mend")];

/// Ask a tracker what it knows of itself, look what hub and provisioning service know of it, and say what is wrong and what helps.
///
/// The exit code is 0 when nothing is wrong, and 1 when something is, or the device can't be asked.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct DiagnoseCommand {
    /// The device.
    #[arg(long, short = 'd', value_name = "ID")]
    device_id: String,
    /// Seconds to wait for the device's answer, 5 to 300.
    #[arg(long, visible_alias = "to", value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(5..=300))]
    timeout: u64,
    /// Lines of its log, 0 to 50.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(0..=50))]
    lines: u64,
}

impl DiagnoseCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let id = &self.device_id;
        let hub = target.hub_of(id)?;
        let identity = hub.call(Call::get(&["devices", id]))?;
        let twin = hub.call(Call::get(&["twins", id]))?;
        let dps = target.dps().ok();
        let known = |what: &str| dps.as_ref().map(|dps| dps.find(Call::get(&[what, id]))).transpose();
        let (registration, enrollment) = (known("registrations")?.flatten(), known("enrollments")?.flatten());
        let answer = if identity["status"] == "disabled" { Answer::NotAsked } else { self.ask(&hub)? };
        let facts = Facts {
            id: id.clone(),
            hub: hub.name().to_owned(),
            identity,
            twin,
            has_dps: dps.is_some(),
            registration,
            enrollment,
            answer,
        };
        let now = system_time();
        let findings = judge(&facts, now);
        let output = target.output.usually(OutputFormat::Table);
        match output.format() {
            OutputFormat::Table if !output.chooses() => print(&facts, &findings, now),
            OutputFormat::Json => output.show(&document(&facts, &findings), COLUMNS)?,
            _ if output.chooses() => output.show(&document(&facts, &findings), COLUMNS)?,
            _ => output.show(&findings.iter().map(Finding::value).collect(), COLUMNS)?,
        }
        match findings.iter().filter(|finding| finding.level > Level::Note).count() {
            0 => Ok(()),
            1 => bail!("{id}: 1 thing is wrong"),
            many => bail!("{id}: {many} things are wrong"),
        }
    }

    /// What becomes of the call. What only says that the device can't be asked now is no error.
    fn ask(&self, hub: &Client) -> anyhow::Result<Answer> {
        let body = json!({
            "methodName": METHOD, "payload": {"lines": self.lines}, "responseTimeoutInSeconds": self.timeout,
        });
        let call = Call::post(&["twins", &self.device_id, "methods"]).json(&body);
        let answered = match hub.call(call.patient(Duration::from_secs(self.timeout))) {
            Ok(answered) => answered,
            Err(error) => {
                return match error.downcast_ref::<ServiceError>() {
                    Some(ServiceError { status: 404, code, .. }) if is_offline(code.as_deref()) => {
                        Ok(Answer::Offline)
                    }
                    Some(ServiceError { status: 504, .. }) => Ok(Answer::Silent(self.timeout)),
                    _ => Err(error),
                };
            }
        };
        let payload = answered["payload"].clone();
        Ok(match answered["status"].as_i64() {
            Some(200) if payload["status"].is_object() => Answer::Told(payload),
            Some(404) => Answer::Older,
            status => Answer::Odd {
                status: status.unwrap_or_default(),
                words: payload["message"].as_str().unwrap_or("no explanation").chars().take(300).collect(),
            },
        })
    }
}

fn is_offline(code: Option<&str>) -> bool {
    matches!(code, Some("DeviceNotOnline" | "404103"))
}

fn document(facts: &Facts, findings: &[Finding]) -> Value {
    let identity = &facts.identity;
    let (outcome, answer) = match &facts.answer {
        Answer::Told(answer) => ("answered", answer.clone()),
        Answer::Older => ("unknownMethod", Value::Null),
        Answer::Odd { .. } => ("refused", Value::Null),
        Answer::Offline => ("offline", Value::Null),
        Answer::Silent(_) => ("timeout", Value::Null),
        Answer::NotAsked => ("disabled", Value::Null),
    };
    json!({
        "deviceId": facts.id,
        "hub": facts.hub,
        "outcome": outcome,
        "isWell": findings.iter().all(|finding| finding.level == Level::Note),
        "findings": findings.iter().map(Finding::value).collect::<Vec<_>>(),
        "identity": {
            "status": identity["status"],
            "statusReason": identity["statusReason"],
            "connectionState": identity["connectionState"],
            "connectionStateUpdatedTime": identity["connectionStateUpdatedTime"],
            "lastActivityTime": identity["lastActivityTime"],
            "authenticationType": identity["authentication"]["type"],
        },
        "registration": facts.registration.as_ref().map(|record| json!({
            "status": record["status"], "assignedHub": record["assignedHub"],
            "lastUpdatedDateTimeUtc": record["lastUpdatedDateTimeUtc"],
        })),
        "enrollment": facts.enrollment.as_ref().map(|own| json!({"provisioningStatus": own["provisioningStatus"]})),
        "last": facts.twin["properties"]["reported"]["last"],
        "answer": answer,
    })
}
