//! `cloud fault`: misbehaviour of the emulator on request.

use anyhow::bail;
use serde::Serialize;
use serde_json::{Value, json};
use tracker_emulator::{Fault, FaultKind, FaultyService};

use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::Call;
use crate::cli::cloud::target::Target;

const PATH: &str = "faults";

const COLUMNS: &[Column<'_>] = &[
    ("Id", "/id"),
    ("Fault", "/fault"),
    ("Service", "/service"),
    ("Device", "/device"),
    ("Times", "/times"),
    ("Probability", "/probability"),
];

const STRIKES: &[Column<'_>] =
    &[("Number", "/number"), ("Fault", "/fault/fault"), ("Service", "/service"), ("Device", "/device")];

/// Commands for faults. Emulator only.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum FaultCommand {
    /// Put a fault in force.
    Inject {
        #[command(flatten)]
        place: Place,
        #[command(subcommand)]
        kind: Kind,
    },
    /// The faults in force.
    List,
    /// The faults that have struck, in their order: for tests.
    History {
        /// Forget them, and begin anew, for chance as well.
        #[arg(long)]
        forget: bool,
    },
    /// End a fault, or all of them.
    Clear {
        /// The number that inject and list show.
        #[arg(long, value_name = "N", required_unless_present = "all")]
        id: Option<u64>,
        /// End all.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

/// Where a fault strikes, and how often.
#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct Place {
    /// dps, hubs, or the host name of one hub; by default the service that the fault is about.
    #[arg(long, value_name = "SERVICE", global = true)]
    service: Option<String>,
    /// Only this device; its registration ID at DPS.
    #[arg(long, short = 'd', value_name = "ID", global = true)]
    device_id: Option<String>,
    /// End after so many times; by default it stays until it is cleared.
    #[arg(long, value_name = "N", global = true)]
    times: Option<u32>,
    /// Strike now and then, with this probability from 0 to 1. Which times it strikes a device is reckoned from the emulator's
    /// --faults-seed.
    #[arg(long, value_name = "P", global = true)]
    probability: Option<f64>,
}

/// What goes wrong: the options of each fault. Its JSON is that of [`FaultKind`], which it is read as.
#[derive(Debug, Clone, clap::Subcommand, Serialize)]
#[serde(tag = "fault", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub(in crate::cli::cloud) enum Kind {
    /// Refuse connections with an MQTT return code.
    RefuseConnect {
        /// 1 protocol, 2 identifier, 3 unavailable, 4 credentials, 5 not authorised; at hubs of MQTT 5 also a reason code, 128 to 255.
        #[arg(long, value_name = "CODE", default_value_t = 3)]
        code: u8,
    },
    /// Let DPS answer with an error.
    DpsError {
        /// Like 429 or 503.
        #[arg(long, value_name = "STATUS", default_value_t = 503)]
        status: u16,
        /// How long the device is asked to wait.
        #[arg(long, value_name = "SECONDS")]
        #[serde(rename = "retryAfterSeconds")]
        retry_after: Option<u64>,
    },
    /// Let DPS work on registrations for ever.
    NeverAssign,
    /// Refuse requests for certificates, at DPS or at a hub.
    IssueRefused {
        /// Azure's number, like 400040, 429002 or 500001.
        #[arg(long, value_name = "CODE", default_value_t = 500_001)]
        code: u32,
    },
    /// Issue certificates late.
    IssueSlow {
        /// How late.
        #[arg(long, value_name = "MILLISECONDS")]
        milliseconds: u64,
    },
    /// Issue certificates that never arrive.
    IssueLost,
    /// Refuse to read the twin, and to take what devices report.
    TwinError {
        /// Like 400, 429 or 500.
        #[arg(long, value_name = "STATUS", default_value_t = 429)]
        status: u16,
    },
    /// Answer registrations, or twin requests, with something that is not JSON.
    GarbageBody,
    /// Take telemetry and acknowledge nothing.
    #[command(name = "withhold-puback")]
    WithholdPubAck,
    /// Acknowledge telemetry late.
    #[command(name = "delay-puback")]
    DelayPubAck {
        /// How late.
        #[arg(long, value_name = "MILLISECONDS")]
        milliseconds: u64,
    },
    /// Acknowledge telemetry twice.
    #[command(name = "duplicate-puback")]
    DuplicatePubAck,
    /// Deliver messages, desired properties and method calls twice.
    DuplicateDelivery,
    /// Let every packet of the device arrive late.
    Latency {
        /// How late.
        #[arg(long, value_name = "MILLISECONDS")]
        milliseconds: u64,
    },
    /// Throttle devices that publish more often.
    Throttle {
        /// Publishes allowed in a second.
        #[arg(long, value_name = "N")]
        per_second: u32,
    },
    /// Refuse subscriptions at hubs of MQTT 5.
    RefuseSubscribe {
        /// Reason code, 128 to 255.
        #[arg(long, value_name = "CODE", default_value_t = 151)]
        code: u8,
    },
    /// Refuse what is published at hubs of MQTT 5.
    RefusePublish {
        /// Reason code, 128 to 255; 151 is "quota exceeded".
        #[arg(long, value_name = "CODE", default_value_t = 151)]
        code: u8,
    },
    /// End the connection in words, at hubs of MQTT 5.
    Disconnect {
        /// Reason code; 137 is "server busy".
        #[arg(long, value_name = "CODE", default_value_t = 137)]
        code: u8,
    },
    /// Close the connection at the device's next packet.
    DropConnection,
    /// Read packets and do nothing about them.
    BlackHole,
}

impl FaultCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let dps = target.dps()?;
        if dps.is_azure() {
            bail!("faults can be injected into an emulator only, and {} is Azure", dps.host());
        }
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Inject { place, kind } => {
                let probability = place.probability;
                let mut fault = json!(place.fault(&kind)?);
                if let Some(probability) = probability {
                    fault["probability"] = json!(probability);
                }
                show(dps.call(Call::post(&[PATH]).json(&fault))?)
            }
            Self::List => show(dps.call(Call::get(&[PATH]))?),
            Self::History { forget: true } => dps.call(Call::delete(&[PATH, "history"])).map(drop),
            Self::History { forget: false } => {
                let strikes = dps.call(Call::get(&[PATH, "history"]))?;
                target.output.show(&strikes, STRIKES)
            }
            Self::Clear { id: Some(id), .. } => dps.call(Call::delete(&[PATH, &id.to_string()])).map(drop),
            Self::Clear { id: None, .. } => dps.call(Call::delete(&[PATH])).map(drop),
        }
    }
}

impl Place {
    fn fault(self, kind: &Kind) -> serde_json::Result<Fault> {
        let kind: FaultKind = serde_json::from_value(json!(kind))?;
        let service = match (self.service, &kind) {
            (Some(service), _) => FaultyService::from(service),
            (None, FaultKind::DpsError { .. } | FaultKind::NeverAssign) => FaultyService::Dps,
            (None, _) => FaultyService::AnyHub,
        };
        Ok(Fault { service, device: self.device_id, kind, times: self.times })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: FaultCommand,
    }

    fn injected(line: &str) -> Fault {
        let words = ["fault", "inject"].into_iter().chain(line.split(' '));
        match Line::try_parse_from(words).unwrap().command {
            FaultCommand::Inject { place, kind } => place.fault(&kind).unwrap(),
            _ => unreachable!("inject was asked for"),
        }
    }

    #[test]
    fn every_fault_of_the_command_line_is_one_of_the_emulator() {
        let kinds = [
            ("refuse-connect", FaultKind::RefuseConnect { code: 3 }),
            ("dps-error", FaultKind::DpsError { status: 503, retry_after: None }),
            (
                "dps-error --status 429 --retry-after 7",
                FaultKind::DpsError { status: 429, retry_after: Some(Duration::from_secs(7)) },
            ),
            ("never-assign", FaultKind::NeverAssign),
            ("twin-error", FaultKind::TwinError { status: 429 }),
            ("garbage-body", FaultKind::GarbageBody),
            ("withhold-puback", FaultKind::WithholdPubAck),
            ("delay-puback --milliseconds 250", FaultKind::DelayPubAck { delay: Duration::from_millis(250) }),
            ("duplicate-puback", FaultKind::DuplicatePubAck),
            ("duplicate-delivery", FaultKind::DuplicateDelivery),
            ("latency --milliseconds 250", FaultKind::Latency { delay: Duration::from_millis(250) }),
            ("throttle --per-second 5", FaultKind::Throttle { per_second: 5 }),
            ("refuse-subscribe", FaultKind::RefuseSubscribe { code: 151 }),
            ("refuse-publish --code 135", FaultKind::RefusePublish { code: 135 }),
            ("disconnect", FaultKind::Disconnect { code: 137 }),
            ("drop-connection", FaultKind::DropConnection),
            ("black-hole", FaultKind::BlackHole),
        ];
        for (line, kind) in kinds {
            assert_eq!(injected(line).kind, kind, "{line}");
        }
    }

    #[test]
    fn a_fault_strikes_the_service_that_it_is_about_unless_told_otherwise() {
        assert_eq!(injected("never-assign").service, FaultyService::Dps);
        assert_eq!(injected("black-hole").service, FaultyService::AnyHub);
        let fault = injected("black-hole --service dps -d d1 --times 2");
        assert_eq!(
            (fault.service, fault.device.as_deref(), fault.times),
            (FaultyService::Dps, Some("d1"), Some(2))
        );
    }
}
