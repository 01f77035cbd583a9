//! What individual enrollments and groups have in common in the API.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::Refusal;
use crate::{
    dps::{AttestationMechanism, Dps, DpsError, EnrollmentGroup, IndividualEnrollment},
    etag::IfMatch,
};

/// A kind of enrollment.
pub(super) trait Resource: Serialize + DeserializeOwned {
    /// The member that names it.
    const ID: &'static str;
    /// The member of a bulk request that lists several.
    const LIST: &'static str;
    /// `x-ms-item-type` of a page.
    const ITEM_TYPE: &'static str;

    fn id(&self) -> &str;
    fn etag(&self) -> Option<&str>;
    fn attestation(&self) -> &AttestationMechanism;
    fn without_keys(self) -> Self;
    fn create(self, dps: &Dps) -> Result<Self, DpsError>;
    fn update(self, dps: &Dps, if_match: &IfMatch) -> Result<Self, DpsError>;
    fn get(dps: &Dps, id: &str) -> Result<Self, DpsError>;
    fn list(dps: &Dps) -> Vec<Self>;
    fn delete(dps: &Dps, id: &str, if_match: &IfMatch) -> Result<(), DpsError>;
}

/// Reads an enrollment as clients send it: nulls count as absent, and what the service sets is passed over.
///
/// `path_id` is the ID in the path; that of the body may be left out, and may not differ.
pub(super) fn parse<R: Resource>(mut body: Value, path_id: &str) -> Result<R, Refusal> {
    drop_nulls(&mut body);
    let Value::Object(members) = &mut body else {
        return Err(Refusal::bad_request("the body is not a JSON object"));
    };
    for set_by_service in ["createdDateTimeUtc", "lastUpdatedDateTimeUtc", "registrationState", "etag"] {
        members.remove(set_by_service);
    }
    let id = members.entry(R::ID).or_insert_with(|| path_id.into());
    if !id.as_str().is_some_and(|id| id.eq_ignore_ascii_case(path_id)) {
        return Err(Refusal::bad_request(format!(
            "{} in the body is not the one in the path, \"{path_id}\"",
            R::ID
        )));
    }
    serde_json::from_value(body)
        .map_err(|error| Refusal::bad_request(format!("the body is not an enrollment: {error}")))
}

fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

impl Resource for EnrollmentGroup {
    const ID: &'static str = "enrollmentGroupId";
    const LIST: &'static str = "enrollmentGroups";
    const ITEM_TYPE: &'static str = "enrollmentGroup";

    fn id(&self) -> &str {
        &self.enrollment_group_id
    }

    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    fn attestation(&self) -> &AttestationMechanism {
        &self.attestation
    }

    fn without_keys(self) -> Self {
        Self { attestation: self.attestation.without_keys(), ..self }
    }

    fn create(self, dps: &Dps) -> Result<Self, DpsError> {
        dps.create_enrollment_group(self)
    }

    fn update(self, dps: &Dps, if_match: &IfMatch) -> Result<Self, DpsError> {
        dps.update_enrollment_group(self, if_match)
    }

    fn get(dps: &Dps, id: &str) -> Result<Self, DpsError> {
        dps.enrollment_group(id)
    }

    fn list(dps: &Dps) -> Vec<Self> {
        dps.enrollment_groups()
    }

    fn delete(dps: &Dps, id: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        dps.delete_enrollment_group(id, if_match)
    }
}

impl Resource for IndividualEnrollment {
    const ID: &'static str = "registrationId";
    const LIST: &'static str = "enrollments";
    const ITEM_TYPE: &'static str = "enrollment";

    fn id(&self) -> &str {
        &self.registration_id
    }

    fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    fn attestation(&self) -> &AttestationMechanism {
        &self.attestation
    }

    fn without_keys(self) -> Self {
        Self { attestation: self.attestation.without_keys(), ..self }
    }

    fn create(self, dps: &Dps) -> Result<Self, DpsError> {
        dps.create_individual_enrollment(self)
    }

    fn update(self, dps: &Dps, if_match: &IfMatch) -> Result<Self, DpsError> {
        dps.update_individual_enrollment(self, if_match)
    }

    fn get(dps: &Dps, id: &str) -> Result<Self, DpsError> {
        dps.individual_enrollment(id)
    }

    fn list(dps: &Dps) -> Vec<Self> {
        dps.individual_enrollments()
    }

    fn delete(dps: &Dps, id: &str, if_match: &IfMatch) -> Result<(), DpsError> {
        dps.delete_individual_enrollment(id, if_match)
    }
}
