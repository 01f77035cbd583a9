//! `cloud enrollment`: enrollments of one device each. They go before groups.

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::certificate::Condition;
use super::enrollment_group::EnrollmentId;
use super::enrollments::Enrollments;
use crate::cli::cloud::attestation::{
    AttestationOptions, AttestationType, CaNames, Member, Removals, with_keys,
};
use crate::cli::cloud::bulk::{
    Conduct, Done, Task, Verb, WhichEnrollments, Work, again_if_it_changes, ask, wanted_of,
};
use crate::cli::cloud::enrollment_settings::EnrollmentSettings;
use crate::cli::cloud::merge_patch::is_in;
use crate::cli::cloud::output::Column;
use crate::cli::cloud::service::client::{Call, Client};
use crate::cli::cloud::target::Target;
use crate::cli::cloud::tpm_keys::TpmOptions;

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
    /// Enroll one device by its own certificate, key or TPM; disabled, it keeps the device out even where a group would take it.
    Create {
        #[command(flatten)]
        which: WhichEnrollments,
        /// The kind of attestation; x509 unless a key is given, or one of a TPM.
        #[arg(long, visible_alias = "at", value_enum, value_name = "TYPE")]
        attestation_type: Option<AttestationType>,
        /// Device ID at the hub, where it is not the registration ID.
        #[arg(long, short = 'd', visible_alias = "did", value_name = "ID")]
        device_id: Option<String>,
        #[command(flatten)]
        attestation: AttestationOptions,
        #[command(flatten)]
        tpm: TpmOptions,
        #[command(flatten)]
        settings: EnrollmentSettings,
        #[command(flatten)]
        conduct: Conduct,
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
        which: WhichEnrollments,
        /// Device ID at the hub, where it is not the registration ID.
        #[arg(long, short = 'd', visible_alias = "did", value_name = "ID")]
        device_id: Option<String>,
        #[command(flatten)]
        attestation: AttestationOptions,
        #[command(flatten)]
        tpm: TpmOptions,
        #[command(flatten)]
        removals: Removals,
        #[command(flatten)]
        settings: EnrollmentSettings,
        #[command(flatten)]
        condition: Condition,
        #[command(flatten)]
        conduct: Conduct,
    },
    /// Delete an enrollment; a group may take the device from then on.
    Delete {
        #[command(flatten)]
        which: WhichEnrollments,
        #[command(flatten)]
        condition: Condition,
        #[command(flatten)]
        conduct: Conduct,
    },
}

impl EnrollmentCommand {
    pub(in crate::cli::cloud) fn run(self, target: &Target) -> anyhow::Result<()> {
        let (dps, output) = (target.dps()?.patient(), target.output.clone());
        let enrollments = Enrollments { dps, path: PATH, columns: COLUMNS, output };
        match self {
            Self::Create { which, attestation_type, device_id, attestation, tpm, settings, conduct } => {
                let new = New { kind: attestation_type, device_id, attestation, tpm, settings };
                if let Some(id) = which.only(&conduct) {
                    return enrollments.create(id, &new.body(id)?);
                }
                let verb = verb("enrollment create", "created", "there already");
                new.fits_several()?;
                many(target, &enrollments, which, &conduct, verb, |id| create_one(&enrollments.dps, id, &new))
            }
            Self::Show { id, show_keys } => enrollments.show(&id.enrollment_id, show_keys),
            Self::List { top } => enrollments.list(top),
            Self::Update { which, device_id, attestation, tpm, removals, settings, condition, conduct } => {
                let new = New { kind: None, device_id, attestation, tpm, settings };
                if let Some(id) = which.only(&conduct) {
                    let change = |enrollment: &mut Value| new.change(id, &removals, enrollment);
                    return enrollments.update(id, &condition, change);
                }
                new.fits_several()?;
                condition.of_one_only()?;
                let verb = verb("enrollment update", "updated", "as wanted already");
                many(target, &enrollments, which, &conduct, verb, |id| {
                    again_if_it_changes(|| update_one(&enrollments.dps, id, &new, &removals))
                })
            }
            Self::Delete { which, condition, conduct } => {
                if let Some(id) = which.only(&conduct) {
                    return enrollments.delete(id, &condition);
                }
                condition.of_one_only()?;
                let verb = verb("enrollment delete", "deleted", "not there any more");
                many(target, &enrollments, which, &conduct, verb, |id| {
                    let call = condition.apply(&enrollments.dps, Call::delete(&[PATH, id]));
                    Ok(enrollments.dps.find(call)?.map_or(Done::IsSo, Done::Changed))
                })
            }
        }
    }
}

/// What an enrollment is to have.
struct New {
    kind: Option<AttestationType>,
    device_id: Option<String>,
    attestation: AttestationOptions,
    tpm: TpmOptions,
    settings: EnrollmentSettings,
}

impl New {
    fn body(&self, id: &str) -> anyhow::Result<Value> {
        let attestation = if self.is_of_tpm()? {
            self.tpm.create(id)?
        } else {
            let attestation = self.attestation.of_device(id);
            attestation.create(self.kind, &CaNames::default(), Member::Client(id))?
        };
        let mut enrollment = json!({"registrationId": id, "attestation": attestation});
        if let Some(device_id) = &self.device_id {
            enrollment["deviceId"] = device_id.as_str().into();
        }
        self.settings.apply(enrollment.as_object_mut().context("an enrollment is an object")?)?;
        Ok(enrollment)
    }

    fn is_of_tpm(&self) -> anyhow::Result<bool> {
        match self.kind {
            None => Ok(self.tpm.is_given()),
            Some(AttestationType::Tpm) => Ok(true),
            Some(_) if self.tpm.is_given() => {
                bail!("--endorsement-key and --storage-root-key go with --attestation-type tpm")
            }
            Some(_) => Ok(false),
        }
    }

    fn change(&self, id: &str, removals: &Removals, enrollment: &mut Value) -> anyhow::Result<()> {
        let member = Member::Client(id);
        let attestation = self.attestation.of_device(id);
        attestation.apply(&mut enrollment["attestation"], &CaNames::default(), member)?;
        self.tpm.apply(&mut enrollment["attestation"], id)?;
        removals.apply(&mut enrollment["attestation"], member);
        if let Some(device_id) = &self.device_id {
            enrollment["deviceId"] = device_id.as_str().into();
        }
        let members = enrollment.as_object_mut();
        self.settings.apply(members.context("the service did not answer an enrollment")?)
    }

    /// Refuses what only one device can have.
    fn fits_several(&self) -> anyhow::Result<()> {
        if self.device_id.is_some() {
            bail!("--device-id is of one enrollment: name that one alone");
        }
        self.attestation.fits_several()?;
        self.tpm.fits_several()
    }
}

fn create_one(dps: &Client, id: &str, new: &New) -> anyhow::Result<Done> {
    let body = new.body(id)?;
    let Some(there) = dps.find(Call::get(&[PATH, id]))? else {
        return dps.call(Call::put(&[PATH, id], &body)).map(|_| Done::Changed(Value::Null));
    };
    // The service tells neither keys nor, letter by letter, certificates.
    let mut wanted = body;
    if let Some(members) = wanted.as_object_mut() {
        members.remove("attestation");
    }
    if is_in(&there, &wanted) {
        return Ok(Done::IsSo);
    }
    bail!("there is one already that is set otherwise: change it with `cloud enrollment update`")
}

fn update_one(dps: &Client, id: &str, new: &New, removals: &Removals) -> anyhow::Result<Done> {
    let path = [PATH, id];
    let mut enrollment = dps.call(Call::get(&path))?;
    let etag = enrollment["etag"].as_str().unwrap_or("*").to_owned();
    with_keys(dps, &path, &mut enrollment)?;
    let before = enrollment.clone();
    new.change(id, removals, &mut enrollment)?;
    if enrollment == before {
        return Ok(Done::IsSo);
    }
    dps.call(dps.if_match(Call::put(&path, &enrollment), &etag)).map(|_| Done::Changed(Value::Null))
}

/// Does it to each enrollment.
fn many(
    target: &Target,
    enrollments: &Enrollments,
    which: WhichEnrollments,
    conduct: &Conduct,
    verb: Verb,
    act: impl Fn(&str) -> anyhow::Result<Done> + Sync,
) -> anyhow::Result<()> {
    let (ids, looked) = wanted_of(target, which.selection()?)?;
    if let Some(looked) = &looked {
        ask(looked, conduct, &verb.command)?;
    }
    let (dps, output) = (Some(&enrollments.dps), &enrollments.output);
    let work = Work { verb, conduct, output, hubs: &[], dps };
    work.carry_out(ids.into_iter().map(Task::new).collect(), |id, _| act(id))
}

fn verb(command: &str, done: &'static str, is_so: &'static str) -> Verb {
    Verb { command: command.into(), done, is_so, thing: "enrollment", member: "enrollmentId", columns: &[] }
}
