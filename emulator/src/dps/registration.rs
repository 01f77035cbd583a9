//! Registration: from a device's request to a hub identity and a registration record.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::{runtime::Handle, time::Instant};
use tracker_protocol::dps::{RegistrationOperation, RegistrationState, RegistrationStatus};

use super::{
    Dps,
    applicant::{Applicant, TpmProof},
    attest::{AcceptedBy, Attestor, Credentials, NotAttested},
    issue::NotIssued,
    linked_hubs::Hubs,
    model::{AllocationPolicy, AttestationType, ProvisioningStatus},
    pending::{Failure, Pending},
    placement::{Decision, place},
    records::{Operation, Record},
    refused::POLICY_GONE,
    request::Asked,
    store::Store,
    tpm::Challenge,
    webhook,
};
use crate::{
    clock::wire_time,
    events::EventKind,
    hub::Authentication,
    id::{dps_etag, operation_id},
    security::{
        keys::{KeyLength, SymmetricKey, random_key},
        x509::{Certificate, Path, paths},
    },
};

/// What a register request leads to.
pub(super) enum Registered {
    /// The device shall ask for the operation.
    Operation(RegistrationOperation),
    /// The enrollment is disabled.
    Disabled(RegistrationOperation),
    /// An enrollment takes it, and no certificate can be issued for what it sent.
    NotIssued(NotIssued),
    /// No enrollment takes it.
    Refused(NotAttested),
}

impl Dps {
    /// Registers a device.
    ///
    /// The decision is made, and the hub identity written, at once; the device learns it when `assigning_time` has
    /// passed since `moment`. Only a webhook takes the time it takes.
    pub(super) fn register(
        &self,
        moment: Instant,
        applicant: &Applicant,
        credentials: Credentials<'_>,
        asked: &Asked,
    ) -> Registered {
        let registration_id = applicant.registration_id.as_str();
        let now = self.0.clock.now();
        let paths = self.paths(credentials);
        let challenge = match &applicant.tpm {
            TpmProof::SignIn(challenge) => {
                Some(challenge.clone()).filter(|challenge| challenge.is_good(moment))
            }
            TpmProof::Answer | TpmProof::NoWay => self.0.challenges.get(registration_id, moment),
        };
        let mut store = self.0.store.change();
        let attestor = Attestor {
            individuals: &store.individuals,
            groups: &store.groups,
            certificates: &store.certificates,
            paths: &paths,
            now,
            challenge: challenge.as_ref(),
        };
        let accepted_by = match attestor.attest(registration_id, credentials) {
            Ok(accepted_by) => accepted_by,
            Err(refusal) => return Registered::Refused(refusal),
        };
        let previous = store.registrations.get(&key(registration_id)).map(Record::state);
        let state = begun(registration_id, previous.as_ref(), now);
        if accepted_by.terms().provisioning_status == ProvisioningStatus::Disabled {
            return Registered::Disabled(self.bar(&mut store, registration_id, &accepted_by, state));
        }
        let issue = match self.judge_request(registration_id, &accepted_by, asked.csr.as_deref()) {
            Ok(issue) => issue,
            Err(why) => return Registered::NotIssued(why),
        };
        let identity =
            match challenge.filter(|_| accepted_by.terms().attestation.kind == AttestationType::Tpm) {
                Some(challenge) => Identity::of_tpm(&challenge),
                None => Identity::new(&accepted_by, registration_id, credentials, issue.is_some()),
            };
        let operation_id = operation_id();
        let operation = Operation {
            id: operation_id.clone(),
            ready: None,
            announced: false,
            issued: None,
            tpm: identity.tpm,
        };
        let state = RegistrationState {
            status: Some(RegistrationStatus::Assigning),
            x509: identity.x509.clone(),
            ..state
        };
        let mut record = Record::new(&state, accepted_by.group_id().map(str::to_owned));
        record.operation = Some(operation);
        self.0.events.tell(EventKind::Assigning {
            registration_id: registration_id.to_owned(),
            operation_id: operation_id.clone(),
            enrollment: accepted_by.to_string(),
        });
        let pending = Pending {
            registration_id: registration_id.to_owned(),
            api_version: applicant.api_version.clone(),
            operation_id: operation_id.clone(),
            accepted_by,
            authentication: identity.authentication,
            issue,
            previous,
        };
        if pending.accepted_by.terms().allocation_policy == AllocationPolicy::Custom {
            let request = webhook::Request::new(&pending, identity.x509, asked.payload.as_ref(), &store.hubs);
            self.ask_webhook(pending, request);
        } else {
            self.conclude(moment, &mut record, &store.hubs, &pending, Ok(None));
        }
        store.registrations.insert(key(registration_id), record);
        Registered::Operation(assigning(registration_id, operation_id))
    }

    /// Whether an enrollment takes a device by what it shows. Nothing is changed by it. `challenge`: what its TPM was given to
    /// sign a token with.
    pub(super) fn attest(
        &self,
        registration_id: &str,
        credentials: Credentials<'_>,
        challenge: Option<&Challenge>,
    ) -> Result<(), NotAttested> {
        let paths = self.paths(credentials);
        let store = self.0.store.lock();
        let attestor = Attestor {
            individuals: &store.individuals,
            groups: &store.groups,
            certificates: &store.certificates,
            paths: &paths,
            now: self.0.clock.now(),
            challenge,
        };
        attestor.attest(registration_id, credentials).map(drop)
    }

    /// The paths upwards from the leaf of a chain. Signatures take their time; other devices are served meanwhile.
    fn paths(&self, credentials: Credentials<'_>) -> Vec<Path> {
        match credentials {
            Credentials::Chain([leaf, presented @ ..]) => {
                let verified = self.0.store.lock().certificates.verified();
                paths(leaf, presented, &verified, &self.0.good_signatures)
            }
            Credentials::Chain([]) | Credentials::Token(_) => Vec::new(),
        }
    }

    /// Records that a disabled enrollment has barred its device.
    fn bar(
        &self,
        store: &mut Store,
        registration_id: &str,
        accepted_by: &AcceptedBy,
        state: RegistrationState,
    ) -> RegistrationOperation {
        let state = RegistrationState { status: Some(RegistrationStatus::Disabled), ..state };
        let record = Record::new(&state, accepted_by.group_id().map(str::to_owned));
        store.registrations.insert(key(registration_id), record);
        self.0.events.tell(EventKind::RegistrationDisabled {
            registration_id: registration_id.to_owned(),
            enrollment: accepted_by.to_string(),
        });
        disabled(registration_id)
    }

    fn ask_webhook(&self, pending: Pending, request: webhook::Request) {
        // Driven by hand, without a runtime, nobody can call a webhook: the device is told "assigning" for good.
        let Ok(runtime) = Handle::try_current() else { return };
        let dps = self.clone();
        runtime.spawn(async move {
            let answer = request.ask().await;
            let mut store = dps.0.store.change();
            let Store { registrations, hubs, .. } = &mut *store;
            let decision = answer.and_then(|answer| answer.decide(hubs));
            let current = registrations.get_mut(&key(&pending.registration_id)).filter(|record| {
                let operation = record.operation.as_ref();
                operation.is_some_and(|operation| operation.id == pending.operation_id)
            });
            // The device has asked anew meanwhile, or its record is deleted: nobody waits for this.
            if let Some(record) = current {
                dps.conclude(Instant::now(), record, hubs, &pending, decision.map(Some));
            }
        });
    }

    /// Ends an operation: the device is placed, or has failed.
    fn conclude(
        &self,
        moment: Instant,
        record: &mut Record,
        hubs: &Hubs,
        pending: &Pending,
        decision: Result<Option<(Decision, Option<Value>)>, Failure>,
    ) {
        let placed = decision.and_then(|decided| {
            let (decision, payload) =
                decided.map_or((None, None), |(decision, payload)| (Some(decision), payload));
            place(pending, hubs, decision.as_ref())
                .map_err(|message| Failure { error_code: 401_001, message })
                .and_then(|placement| Ok((placement, payload, self.issue(pending)?)))
        });
        let mut state = record.state();
        state.last_updated_date_time_utc = Some(wire_time::print(self.0.clock.now()));
        match placed {
            Ok((placement, payload, issued)) => {
                if let Some(operation) = &mut record.operation {
                    operation.issued = issued;
                }
                state.assigned_hub = Some(placement.hub);
                state.device_id = Some(placement.device_id);
                state.status = Some(RegistrationStatus::Assigned);
                state.substatus = Some(placement.substatus);
                state.connection_profile = placement.connection_profile;
                state.payload = payload;
            }
            Err(Failure { error_code, message }) => {
                state.assigned_hub = None;
                state.device_id = None;
                state.status = Some(RegistrationStatus::Failed);
                state.error_code = Some(error_code);
                state.error_message = Some(message);
            }
        }
        record.set_state(&state);
        if let Some(operation) = &mut record.operation {
            let delay = pending.issue.as_ref().map(|issue| issue.delay).unwrap_or_default();
            operation.ready = Some(moment + self.0.assigning_time + delay);
        }
    }

    /// The certificates for a device that is placed: base64 of DER each, the leaf first.
    fn issue(&self, pending: &Pending) -> Result<Option<Vec<String>>, Failure> {
        let Some(issue) = &pending.issue else { return Ok(None) };
        let issued = self.0.namespace.issue(&issue.policy, &issue.request, &pending.registration_id);
        let chain =
            issued.map_err(|error| Failure { error_code: POLICY_GONE, message: error.to_string() })?;
        self.0.events.tell(EventKind::CertificateIssued {
            service: "DPS".into(),
            device_id: pending.registration_id.clone(),
            policy: issue.policy.clone(),
        });
        Ok(Some(chain).filter(|_| !issue.is_lost))
    }

    /// How an operation stands; `None` if the device has none of this ID.
    pub(super) fn operation(
        &self,
        moment: Instant,
        registration_id: &str,
        operation_id: &str,
        never_assign: bool,
    ) -> Option<RegistrationOperation> {
        let mut store = self.0.store.lock();
        let record = store.registrations.get_mut(&key(registration_id))?;
        let known = record.state();
        let operation = record.operation.as_mut().filter(|operation| operation.id == operation_id)?;
        if never_assign || operation.ready.is_none_or(|ready| moment < ready) {
            return Some(assigning(registration_id, operation_id.to_owned()));
        }
        let is_assigned = known.status == Some(RegistrationStatus::Assigned);
        let state = RegistrationState {
            issued_certificate_chain: operation.issued.clone(),
            tpm: operation.tpm.clone().filter(|_| is_assigned),
            ..known
        };
        if !std::mem::replace(&mut operation.announced, true) {
            let text = |field: &Option<String>| field.clone().unwrap_or_default();
            self.0.events.tell(match state.status {
                Some(RegistrationStatus::Assigned) => EventKind::Assigned {
                    registration_id: registration_id.to_owned(),
                    hub: text(&state.assigned_hub),
                    device_id: text(&state.device_id),
                    substatus: state
                        .substatus
                        .as_ref()
                        .and_then(|substatus| serde_json::to_value(substatus).ok())
                        .and_then(|value| value.as_str().map(str::to_owned))
                        .unwrap_or_default(),
                },
                _ => EventKind::RegistrationRefused {
                    registration_id: registration_id.to_owned(),
                    error_code: state.error_code.unwrap_or_default(),
                    reason: text(&state.error_message),
                },
            });
        }
        Some(RegistrationOperation {
            operation_id: operation_id.to_owned(),
            status: state.status.clone().unwrap_or(RegistrationStatus::Unassigned),
            registration_state: Some(state),
        })
    }
}

/// Registration IDs are compared without regard to case.
fn key(registration_id: &str) -> String {
    registration_id.to_ascii_lowercase()
}

/// A record as a request begins it. The hub of before is where the twin is until it has moved, and stays known when the
/// device is barred: enabled again, it is no newcomer.
fn begun(
    registration_id: &str,
    previous: Option<&RegistrationState>,
    now: DateTime<Utc>,
) -> RegistrationState {
    let created = previous.and_then(|previous| previous.created_date_time_utc.clone());
    RegistrationState {
        registration_id: Some(registration_id.to_owned()),
        created_date_time_utc: created.or_else(|| Some(wire_time::print(now))),
        last_updated_date_time_utc: Some(wire_time::print(now)),
        assigned_hub: previous.and_then(|previous| previous.assigned_hub.clone()),
        device_id: previous.and_then(|previous| previous.device_id.clone()),
        etag: Some(dps_etag()),
        ..RegistrationState::default()
    }
}

/// What the device will be to the hub, and what the record tells of its certificate.
struct Identity {
    authentication: Authentication,
    x509: Option<Value>,
    /// What the device is told of its key, where a TPM has it.
    tpm: Option<Value>,
}

impl Identity {
    /// A TPM is given another key for the hub than it has for DPS.
    fn of_tpm(challenge: &Challenge) -> Self {
        let (key, told) = challenge.hub_key();
        let keys = SymmetricKey { primary_key: Some(key), secondary_key: Some(random_key(KeyLength::Hub)) };
        Self { authentication: Authentication::sas(keys), x509: None, tpm: Some(told) }
    }

    /// `is_issued`: it is given a certificate, by which the hub shall know it from now on.
    fn new(
        accepted_by: &AcceptedBy,
        registration_id: &str,
        credentials: Credentials<'_>,
        is_issued: bool,
    ) -> Self {
        let identity = match credentials {
            Credentials::Chain(chain) => {
                let leaf = chain.first();
                let thumbprint = leaf.map(|leaf| leaf.info.sha256_thumbprint.clone());
                Self {
                    authentication: Authentication::self_signed(thumbprint.unwrap_or_default()),
                    x509: leaf.map(|leaf| x509(leaf, chain.get(1), accepted_by.group_id())),
                    tpm: None,
                }
            }
            Credentials::Token(_) => Self {
                authentication: Authentication::sas(accepted_by.device_keys(registration_id)),
                x509: None,
                tpm: None,
            },
        };
        if is_issued {
            return Self { authentication: Authentication::certificate_authority(), ..identity };
        }
        identity
    }
}

fn assigning(registration_id: &str, operation_id: String) -> RegistrationOperation {
    RegistrationOperation {
        operation_id,
        status: RegistrationStatus::Assigning,
        registration_state: Some(RegistrationState {
            registration_id: Some(registration_id.to_owned()),
            status: Some(RegistrationStatus::Assigning),
            ..RegistrationState::default()
        }),
    }
}

fn disabled(registration_id: &str) -> RegistrationOperation {
    RegistrationOperation {
        operation_id: String::new(),
        status: RegistrationStatus::Disabled,
        registration_state: Some(RegistrationState {
            registration_id: Some(registration_id.to_owned()),
            status: Some(RegistrationStatus::Disabled),
            ..RegistrationState::default()
        }),
    }
}

fn x509(leaf: &Certificate, signer: Option<&Arc<Certificate>>, group_id: Option<&str>) -> Value {
    let mut x509 = json!({ "certificateInfo": leaf.info });
    if let Some(group_id) = group_id {
        x509["enrollmentGroupId"] = group_id.into();
        if let Some(signer) = signer {
            x509["signingCertificateInfo"] = json!(signer.info);
        }
    }
    x509
}
