//! Birth, and the twin.

use serde_json::{Map, Value};
use tracker_protocol::hub_v5::{
    Birth, BirthAck, CloudMessage, Correlation, DesiredPatch, ReportedPatch, ReportedPatchResponse,
    ReportedResult, Section, Sections, TwinGet, TwinGetResponse, TwinPush,
};

use super::session::FiveSession;
use crate::{
    faults::FaultKind,
    hub::{HubError, TwinError, twin::Versioned},
    session::Exchange,
};

impl FiveSession {
    /// The device says that it is there: only now it gets pushes and calls.
    pub(super) fn born(&mut self, birth: &Birth, correlation: Correlation, exchange: &mut Exchange<'_>) {
        if correlation != self.nonce {
            return self.ignore("a birth whose correlation data is not the correlationId of the user name");
        }
        let Ok([desired, reported]) = self.hub.sections(&self.device_id) else { return };
        self.is_born = true;
        self.desired_version = desired.0;
        let acknowledgement = BirthAck { desired_version: desired.0, reported_version: reported.0 };
        self.send(&CloudMessage::BirthAck(acknowledgement), correlation, None, exchange);
        let section = |asked: bool, known: u64, (version, properties): Versioned| {
            (asked && known != version).then(|| Section { version, payload: body(properties) })
        };
        let push = TwinPush {
            desired: section(birth.push_desired, birth.desired_version, desired),
            reported: section(birth.push_reported, birth.reported_version, reported),
        };
        if push.desired.is_some() || push.reported.is_some() {
            self.send(&CloudMessage::TwinPush(push), correlation, None, exchange);
        }
        self.hub.announce_arrival();
    }

    pub(super) fn twin_requested(
        &mut self,
        get: TwinGet,
        correlation: Correlation,
        exchange: &mut Exchange<'_>,
    ) {
        if self.injected_status().is_some() {
            return self.ignore("a twin request, as a fault was asked for: there is no answer that says so");
        }
        let (desired_asked, reported_asked) = match get.sections() {
            Sections::Unspecified => return self.ignore("a twin request that does not say which sections"),
            Sections::Desired => (true, false),
            Sections::Reported => (false, true),
            Sections::Both => (true, true),
        };
        let Ok([desired, reported]) = self.hub.sections(&self.device_id) else { return };
        // Zero is never a version, and so filters nothing.
        let payload = |asked: bool, known: u64, (version, properties): Versioned| {
            (asked && known != version).then(|| body(properties))
        };
        let answer = TwinGetResponse {
            desired_version: desired.0,
            reported_version: reported.0,
            desired_payload: payload(desired_asked, get.if_not_match_desired, desired),
            reported_payload: payload(reported_asked, get.if_not_match_reported, reported),
        };
        self.send(&CloudMessage::GetResponse(answer), correlation, None, exchange);
    }

    pub(super) fn reported(
        &mut self,
        patch: &ReportedPatch,
        correlation: Correlation,
        exchange: &mut Exchange<'_>,
    ) {
        let Ok([_, (before, _)]) = self.hub.sections(&self.device_id) else { return };
        let injected = self.injected_status().map(|status| match status {
            412 => ReportedResult::VersionMismatch,
            413 => ReportedResult::PayloadTooLarge,
            400..=499 => ReportedResult::PayloadInvalid,
            _ => ReportedResult::InternalError,
        });
        let (result, version) = match (injected, serde_json::from_slice(&patch.payload)) {
            (Some(result), _) => (result, before),
            (None, Ok(Value::Object(properties))) => {
                match self.hub.patch_reported(&self.device_id, &properties, Some(patch.if_match)) {
                    Ok(version) => (ReportedResult::Ok, version),
                    Err(HubError::PreconditionFailed(_)) => (ReportedResult::VersionMismatch, before),
                    Err(HubError::Twin(TwinError::Size { .. })) => (ReportedResult::PayloadTooLarge, before),
                    Err(HubError::Twin(_)) => (ReportedResult::PayloadInvalid, before),
                    Err(_) => (ReportedResult::InternalError, before),
                }
            }
            (None, _) => (ReportedResult::PayloadInvalid, before),
        };
        let answer = ReportedPatchResponse { result: result.into(), version };
        self.send(&CloudMessage::ReportedPatchResponse(answer), correlation, None, exchange);
    }

    pub(super) fn push_desired(
        &mut self,
        version: u64,
        patch: Map<String, Value>,
        exchange: &mut Exchange<'_>,
    ) {
        // What was changed before the birth is in its acknowledgement.
        if self.is_born && version > self.desired_version {
            self.desired_version = version;
            let message = CloudMessage::DesiredPatch(DesiredPatch { version, payload: body(patch) });
            self.send(&message, self.nonce, None, exchange);
        }
    }

    fn injected_status(&self) -> Option<u16> {
        self.hub.0.faults.take(self.place(), |kind| match kind {
            FaultKind::TwinError { status } => Some(*status),
            _ => None,
        })
    }
}

fn body(properties: Map<String, Value>) -> Vec<u8> {
    Value::Object(properties).to_string().into_bytes()
}
