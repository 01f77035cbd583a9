//! `cloud registration`: the records of devices that have registered, or tried to.

use serde_json::{Value, json};

use super::certificate::Condition;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Target;

const PATH: &str = "registrations";

const COLUMNS: &[Column<'_>] = &[
    ("RegistrationId", "/registrationId"),
    ("Status", "/status"),
    ("Substatus", "/substatus"),
    ("Hub", "/assignedHub"),
    ("DeviceId", "/deviceId"),
    ("Error", "/errorMessage"),
    ("LastUpdated", "/lastUpdatedDateTimeUtc"),
];

/// Commands for registration records.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum RegistrationCommand {
    /// The records of a group, or of all groups and individual enrollments.
    List {
        /// The group; all groups and individual enrollments when it is not given.
        #[arg(long, visible_aliases = ["eid", "group-id"], value_name = "ID")]
        enrollment_id: Option<String>,
        /// This many at most.
        #[arg(long, value_name = "N")]
        top: Option<usize>,
    },
    /// The record of one device.
    Show {
        #[command(flatten)]
        id: RegistrationId,
    },
    /// Delete a record; the device at its hub stays, and a later registration is a first one again.
    Delete {
        #[command(flatten)]
        id: RegistrationId,
        #[command(flatten)]
        condition: Condition,
    },
}

#[derive(Debug, clap::Args)]
pub(in crate::cli::cloud) struct RegistrationId {
    /// The registration ID: the common name of the device's certificate.
    #[arg(long, visible_alias = "rid", value_name = "ID")]
    registration_id: String,
}

impl RegistrationCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let dps = target.dps()?;
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::List { enrollment_id: Some(group), top } => show(of_group(&dps, &group, top)?.into()),
            Self::List { enrollment_id: None, top } => show(all(&dps, top)?.into()),
            Self::Show { id } => show(dps.call(Call::get(&[PATH, &id.registration_id]))?),
            Self::Delete { id, condition } => {
                let call = Call::delete(&[PATH, &id.registration_id]);
                dps.call(condition.apply(&dps, call)).map(drop)
            }
        }
    }
}

fn of_group(dps: &Client, group: &str, top: Option<usize>) -> anyhow::Result<Vec<Value>> {
    dps.list(&Call::post(&[PATH, group, "query"]), top)
}

/// The service lists records by group only, and those of individual enrollments one by one.
fn all(dps: &Client, top: Option<usize>) -> anyhow::Result<Vec<Value>> {
    let query = |of: &str| Call::post(&[of, "query"]).json(&json!({"query": "SELECT *"}));
    let mut records = Vec::new();
    for group in dps.list(&query("enrollmentGroups"), None)? {
        records.extend(of_group(dps, group["enrollmentGroupId"].as_str().unwrap_or_default(), None)?);
    }
    for enrollment in dps.list(&query("enrollments"), None)? {
        let id = enrollment["registrationId"].as_str().unwrap_or_default();
        // One that nobody has used yet has none.
        let found = dps.find(Call::get(&[PATH, id]))?;
        let is_new = |record: &Value| {
            !records.iter().any(|known: &Value| known["registrationId"] == record["registrationId"])
        };
        records.extend(found.filter(is_new));
    }
    records.truncate(top.unwrap_or(usize::MAX));
    Ok(records)
}
