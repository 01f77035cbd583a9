//! `cloud enrollment-group`: enrollments of all devices below a CA.

use anyhow::Context;
use serde_json::{Value, json};

use super::attestation::{AttestationOptions, AttestationType, CaNames, Removals, SIGNING, with_keys};
use super::certificate::Condition;
use super::client::Call;
use super::enrollment_settings::EnrollmentSettings;
use super::output::Column;
use super::target::Target;

const PATH: &str = "enrollmentGroups";

const COLUMNS: &[Column<'_>] = &[
    ("EnrollmentId", "/enrollmentGroupId"),
    ("Status", "/provisioningStatus"),
    ("Attestation", "/attestation/type"),
    ("CaName", "/attestation/x509/caReferences/primary"),
    ("Allocation", "/allocationPolicy"),
    ("Hubs", "/iotHubs"),
    ("LastUpdated", "/lastUpdatedDateTimeUtc"),
];

/// Commands for enrollment groups.
#[derive(Debug, clap::Subcommand)]
pub(super) enum EnrollmentGroupCommand {
    /// Enroll all devices whose certificates a CA has signed.
    Create {
        #[command(flatten)]
        id: EnrollmentId,
        /// The kind of attestation; x509 unless a key is given.
        #[arg(long, visible_alias = "at", value_enum, value_name = "TYPE")]
        attestation_type: Option<AttestationType>,
        #[command(flatten)]
        attestation: AttestationOptions,
        #[command(flatten)]
        names: CaNames,
        #[command(flatten)]
        settings: EnrollmentSettings,
    },
    /// One group.
    Show {
        #[command(flatten)]
        id: EnrollmentId,
        /// With the symmetric keys.
        #[arg(long, visible_alias = "keys")]
        show_keys: bool,
    },
    /// All groups.
    List {
        /// This many at most.
        #[arg(long, value_name = "N")]
        top: Option<usize>,
    },
    /// Change what is given and keep the rest; `--provisioning-status disabled` refuses new registrations.
    Update {
        #[command(flatten)]
        id: EnrollmentId,
        #[command(flatten)]
        attestation: AttestationOptions,
        #[command(flatten)]
        names: CaNames,
        #[command(flatten)]
        removals: Removals,
        #[command(flatten)]
        settings: EnrollmentSettings,
        #[command(flatten)]
        condition: Condition,
    },
    /// Delete a group: nobody registers through it any more, and devices at their hubs stay there.
    Delete {
        #[command(flatten)]
        id: EnrollmentId,
        #[command(flatten)]
        condition: Condition,
    },
}

/// Names a group, or an individual enrollment.
#[derive(Debug, clap::Args)]
pub(super) struct EnrollmentId {
    /// The group's name, or the registration ID of an individual enrollment.
    #[arg(long, visible_alias = "eid", value_name = "ID")]
    pub enrollment_id: String,
}

impl EnrollmentGroupCommand {
    pub(super) fn run(self, target: &Target) -> anyhow::Result<()> {
        let dps = target.dps()?;
        let show = |value: Value| target.output.show(&value, COLUMNS);
        match self {
            Self::Create { id, attestation_type, attestation, names, settings } => {
                let id = id.enrollment_id;
                let attestation = attestation.create(attestation_type, &names, SIGNING)?;
                let mut group = json!({"enrollmentGroupId": id, "attestation": attestation});
                settings.apply(group.as_object_mut().context("a group is an object")?)?;
                show(dps.call(Call::put(&[PATH, &id], &group))?)
            }
            Self::Show { id, show_keys } => {
                let path = [PATH, &id.enrollment_id];
                let mut group = dps.call(Call::get(&path))?;
                if show_keys {
                    with_keys(&dps, &path, &mut group)?;
                }
                show(group)
            }
            Self::List { top } => {
                let query =
                    Call::post(&[PATH, "query"]).json(&json!({"query": "SELECT * FROM enrollmentGroups"}));
                show(dps.list(&query, top)?.into())
            }
            Self::Update { id, attestation, names, removals, settings, condition } => {
                let path = [PATH, &id.enrollment_id];
                let mut group = dps.call(Call::get(&path))?;
                let etag = condition.or(&group).to_owned();
                with_keys(&dps, &path, &mut group)?;
                attestation.apply(&mut group["attestation"], &names, SIGNING)?;
                removals.apply(&mut group["attestation"], SIGNING);
                settings.apply(group.as_object_mut().context("the service did not answer a group")?)?;
                show(dps.call(dps.if_match(Call::put(&path, &group), &etag))?)
            }
            Self::Delete { id, condition } => {
                let call = Call::delete(&[PATH, &id.enrollment_id]);
                dps.call(condition.apply(&dps, call)).map(drop)
            }
        }
    }
}
