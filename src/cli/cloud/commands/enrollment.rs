//! `cloud enrollment`: enrollments of one device each. They go before groups.

use anyhow::Context;
use serde_json::json;

use super::certificate::Condition;
use super::enrollment_group::EnrollmentId;
use super::enrollments::Enrollments;
use crate::cli::cloud::attestation::{AttestationOptions, AttestationType, CaNames, Member, Removals};
use crate::cli::cloud::enrollment_settings::EnrollmentSettings;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::target::Target;

const PATH: &str = "enrollments";

const COLUMNS: &[Column<'_>] = &[
    ("EnrollmentId", "/registrationId"),
    ("DeviceId", "/deviceId"),
    ("Status", "/provisioningStatus"),
    ("Attestation", "/attestation/type"),
    ("Registration", "/registrationState/status"),
    ("Hub", "/registrationState/assignedHub"),
    ("LastUpdated", "/lastUpdatedDateTimeUtc"),
];

/// Commands for individual enrollments.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli::cloud) enum EnrollmentCommand {
    /// Enroll one device by its own certificate; disabled, it keeps the device out even where a group would take it.
    Create {
        #[command(flatten)]
        id: EnrollmentId,
        /// The kind of attestation; x509 unless a key is given.
        #[arg(long, visible_alias = "at", value_enum, value_name = "TYPE")]
        attestation_type: Option<AttestationType>,
        /// Device ID at the hub, where it is not the registration ID.
        #[arg(long, short = 'd', visible_alias = "did", value_name = "ID")]
        device_id: Option<String>,
        #[command(flatten)]
        attestation: AttestationOptions,
        #[command(flatten)]
        settings: EnrollmentSettings,
    },
    /// One enrollment.
    Show {
        #[command(flatten)]
        id: EnrollmentId,
        /// With the symmetric keys.
        #[arg(long, visible_alias = "keys")]
        show_keys: bool,
    },
    /// All individual enrollments.
    List {
        /// This many at most.
        #[arg(long, value_name = "N")]
        top: Option<usize>,
    },
    /// Change what is given and keep the rest.
    Update {
        #[command(flatten)]
        id: EnrollmentId,
        /// Device ID at the hub, where it is not the registration ID.
        #[arg(long, short = 'd', visible_alias = "did", value_name = "ID")]
        device_id: Option<String>,
        #[command(flatten)]
        attestation: AttestationOptions,
        #[command(flatten)]
        removals: Removals,
        #[command(flatten)]
        settings: EnrollmentSettings,
        #[command(flatten)]
        condition: Condition,
    },
    /// Delete an enrollment; a group may take the device from then on.
    Delete {
        #[command(flatten)]
        id: EnrollmentId,
        #[command(flatten)]
        condition: Condition,
    },
}

impl EnrollmentCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let dps = target.dps()?;
        let enrollments = Enrollments { dps, path: PATH, columns: COLUMNS, output: target.output };
        let no_names = CaNames::default();
        match self {
            Self::Create { id, attestation_type, device_id, attestation, settings } => {
                let id = id.enrollment_id;
                let attestation = attestation.create(attestation_type, &no_names, Member::Client(&id))?;
                let mut enrollment = json!({"registrationId": id, "attestation": attestation});
                if let Some(device_id) = device_id {
                    enrollment["deviceId"] = device_id.into();
                }
                settings.apply(enrollment.as_object_mut().context("an enrollment is an object")?)?;
                enrollments.create(&id, &enrollment)
            }
            Self::Show { id, show_keys } => enrollments.show(&id.enrollment_id, show_keys),
            Self::List { top } => enrollments.list(top),
            Self::Update { id, device_id, attestation, removals, settings, condition } => {
                let member = Member::Client(&id.enrollment_id);
                enrollments.update(&id.enrollment_id, &condition, |enrollment| {
                    attestation.apply(&mut enrollment["attestation"], &no_names, member)?;
                    removals.apply(&mut enrollment["attestation"], member);
                    if let Some(device_id) = device_id {
                        enrollment["deviceId"] = device_id.into();
                    }
                    let members = enrollment.as_object_mut();
                    settings.apply(members.context("the service did not answer an enrollment")?)
                })
            }
            Self::Delete { id, condition } => enrollments.delete(&id.enrollment_id, &condition),
        }
    }
}
