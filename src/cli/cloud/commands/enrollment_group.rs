//! `cloud enrollment-group`: enrollments of all devices below a CA.

use anyhow::Context;
use serde_json::json;

use super::certificate::Condition;
use super::enrollments::Enrollments;
use crate::cli::cloud::attestation::{AttestationOptions, AttestationType, CaNames, Member, Removals};
use crate::cli::cloud::enrollment_settings::EnrollmentSettings;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::target::Target;

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
pub(in crate::cli::cloud) enum EnrollmentGroupCommand {
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
pub(in crate::cli::cloud) struct EnrollmentId {
    /// The group's name, or the registration ID of an individual enrollment.
    #[arg(long, visible_alias = "eid", value_name = "ID")]
    pub enrollment_id: String,
}

impl EnrollmentGroupCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let output = target.output.clone();
        let groups = Enrollments { dps: target.dps()?, path: PATH, columns: COLUMNS, output };
        match self {
            Self::Create { id, attestation_type, attestation, names, settings } => {
                let id = id.enrollment_id;
                let attestation = attestation.create(attestation_type, &names, Member::Signing)?;
                let mut group = json!({"enrollmentGroupId": id, "attestation": attestation});
                settings.apply(group.as_object_mut().context("a group is an object")?)?;
                groups.create(&id, &group)
            }
            Self::Show { id, show_keys } => groups.show(&id.enrollment_id, show_keys),
            Self::List { top } => groups.list(top),
            Self::Update { id, attestation, names, removals, settings, condition } => {
                groups.update(&id.enrollment_id, &condition, |group| {
                    attestation.apply(&mut group["attestation"], &names, Member::Signing)?;
                    removals.apply(&mut group["attestation"], Member::Signing);
                    settings.apply(group.as_object_mut().context("the service did not answer a group")?)
                })
            }
            Self::Delete { id, condition } => groups.delete(&id.enrollment_id, &condition),
        }
    }
}
