//! The namespace: its CAs and policies, and what comes of them.

use std::{fmt, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use tracker_certificates::certificate_pem;

use super::{
    CertificatePolicy, CertificateRequest, IssuanceError, IssuingAuthority,
    authority::{Authority, KeptAuthority},
    model::LONGEST,
};
use crate::{
    clock::Clock,
    id::guid,
    lock::{Changes, Tracked},
    security::x509::Certificate,
};

/// Azure's limit; each may have one policy.
const MAX_AUTHORITIES: usize = 3;

/// An emulated namespace of Azure Device Registry. Clones are the same namespace.
#[derive(Clone)]
pub struct Namespace(Arc<Core>);

struct Core {
    name: String,
    p384_only: bool,
    clock: Arc<dyn Clock>,
    state: Tracked<State>,
}

#[derive(Default)]
struct State {
    root: Option<Authority>,
    /// In the order in which they were made.
    issuing: Vec<Issuing>,
}

struct Issuing {
    name: String,
    authority: Authority,
    policy: Option<Policy>,
}

/// A policy of a CA.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Policy {
    name: String,
    validity_seconds: u64,
}

/// What of a namespace has to outlive a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct KeptNamespace {
    root: Option<KeptAuthority>,
    issuing: Vec<KeptIssuing>,
}

impl KeptNamespace {
    pub(crate) fn is_empty(&self) -> bool {
        self.root.is_none() && self.issuing.is_empty()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct KeptIssuing {
    name: String,
    authority: KeptAuthority,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    policy: Option<Policy>,
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Namespace").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl Namespace {
    /// `p384_only`: no other keys than EC P-384 get certificates.
    pub(crate) fn new(
        name: &str,
        p384_only: bool,
        clock: Arc<dyn Clock>,
        changes: Changes,
        kept: &KeptNamespace,
    ) -> Result<Self, IssuanceError> {
        let restore = |kept: &KeptAuthority, name: &str| {
            Authority::restore(kept).ok_or_else(|| IssuanceError::Kept(name.to_owned()))
        };
        let root = kept.root.as_ref().map(|kept| restore(kept, "root")).transpose()?;
        let issuing = kept.issuing.iter().map(|kept| {
            let authority = restore(&kept.authority, &kept.name)?;
            Ok::<_, IssuanceError>(Issuing {
                name: kept.name.clone(),
                authority,
                policy: kept.policy.clone(),
            })
        });
        let state = State { root, issuing: issuing.collect::<Result<_, _>>()? };
        Ok(Self(Arc::new(Core {
            name: name.to_owned(),
            p384_only,
            clock,
            state: Tracked::new(state, changes),
        })))
    }

    pub(crate) fn keep(&self) -> KeptNamespace {
        let state = self.0.state.lock();
        KeptNamespace {
            root: state.root.as_ref().map(Authority::keep),
            issuing: state.issuing.iter().map(Issuing::keep).collect(),
        }
    }

    /// Its name, as enrollments may give it in `namespaceName`.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The issuing CAs, in the order in which they were made.
    pub fn authorities(&self) -> Vec<IssuingAuthority> {
        let state = self.0.state.lock();
        state.issuing.iter().map(|issuing| issuing.show(state.root.as_ref())).collect()
    }

    /// One issuing CA.
    pub fn authority(&self, name: &str) -> Result<IssuingAuthority, IssuanceError> {
        let known = self.authorities().into_iter().find(|known| known.name == name);
        known.ok_or_else(|| IssuanceError::AuthorityNotFound(name.to_owned()))
    }

    /// Makes an issuing CA, and the root above it if there is none yet. All hubs trust it at once: Azure's need a
    /// synchronisation of credentials before.
    pub fn create_authority(&self, name: &str) -> Result<IssuingAuthority, IssuanceError> {
        let mut state = self.0.state.change();
        state.create_authority(name, &self.0.name)?;
        let created = state.issuing.last().map(|issuing| issuing.show(state.root.as_ref()));
        created.ok_or_else(|| IssuanceError::AuthorityNotFound(name.to_owned()))
    }

    /// Deletes an issuing CA that has no policy: from the next connection on, hubs take no leaf of it any more.
    pub fn delete_authority(&self, name: &str) -> Result<(), IssuanceError> {
        let mut state = self.0.state.change();
        if let Some(policy) = &state.issuing_of(name)?.policy {
            let (authority, policy) = (name.to_owned(), policy.name.clone());
            return Err(IssuanceError::AuthorityInUse { authority, policy });
        }
        state.issuing.retain(|issuing| issuing.name != name);
        Ok(())
    }

    /// All policies, in the order of their CAs.
    pub fn policies(&self) -> Vec<CertificatePolicy> {
        self.0.state.lock().issuing.iter().filter_map(Issuing::show_policy).collect()
    }

    /// One policy.
    pub fn policy(&self, name: &str) -> Result<CertificatePolicy, IssuanceError> {
        let known = self.policies().into_iter().find(|known| known.name == name);
        known.ok_or_else(|| IssuanceError::PolicyNotFound(name.to_owned()))
    }

    /// Makes a policy whose leafs live for `validity`: whole seconds, from 1 second to 90 days. It belongs to the CA
    /// `authority`; without one, to the first that has none yet, which is made if need be.
    pub fn create_policy(
        &self,
        name: &str,
        authority: Option<&str>,
        validity: Duration,
    ) -> Result<CertificatePolicy, IssuanceError> {
        check_name(name, "a certificate policy")?;
        if validity.is_zero() || validity > LONGEST || validity.subsec_nanos() != 0 {
            return Err(IssuanceError::Validity(validity));
        }
        let mut state = self.0.state.change();
        if state.policy(name).is_some() {
            return Err(IssuanceError::PolicyConflict(name.to_owned()));
        }
        let authority = match authority {
            Some(authority) => authority.to_owned(),
            None => state.free_authority(&self.0.name)?,
        };
        let issuing = state.issuing_of(&authority)?;
        if let Some(policy) = &issuing.policy {
            return Err(IssuanceError::AuthorityTaken { authority, policy: policy.name.clone() });
        }
        issuing.policy = Some(Policy { name: name.to_owned(), validity_seconds: validity.as_secs() });
        Ok(CertificatePolicy { name: name.to_owned(), authority, validity })
    }

    /// Deletes a policy. What was issued by it stays valid until it ends, as its CA stays.
    pub fn delete_policy(&self, name: &str) -> Result<(), IssuanceError> {
        let mut state = self.0.state.change();
        let of = |issuing: &&mut Issuing| issuing.policy.as_ref().is_some_and(|policy| policy.name == name);
        let issuing = state.issuing.iter_mut().find(of);
        issuing.ok_or_else(|| IssuanceError::PolicyNotFound(name.to_owned()))?.policy = None;
        Ok(())
    }

    /// Whether what an enrollment names is there, and belongs together.
    pub(crate) fn check_names(
        &self,
        namespace: Option<&str>,
        authority: Option<&str>,
        policy: &str,
    ) -> Result<(), IssuanceError> {
        if let Some(named) = namespace.filter(|named| !named.eq_ignore_ascii_case(&self.0.name)) {
            return Err(IssuanceError::OtherNamespace { named: named.to_owned(), name: self.0.name.clone() });
        }
        let known = self.policy(policy)?;
        match authority.filter(|named| **named != known.authority) {
            None => Ok(()),
            Some(named) => Err(IssuanceError::OtherAuthority {
                policy: known.name,
                authority: known.authority,
                named: named.to_owned(),
            }),
        }
    }

    /// Whether a request may get a certificate for this name.
    pub(crate) fn check(
        &self,
        request: &CertificateRequest,
        common_name: &str,
    ) -> Result<(), super::CsrError> {
        request.check(common_name, self.0.p384_only)
    }

    /// Issues a leaf for a request that was checked: base64 of DER each, leaf, issuing CA, root.
    pub(crate) fn issue(
        &self,
        policy: &str,
        request: &CertificateRequest,
        common_name: &str,
    ) -> Result<Vec<String>, IssuanceError> {
        let now = self.0.clock.now();
        let state = self.0.state.lock();
        let found = state.policy(policy).zip(state.root.as_ref());
        let ((issuing, policy), root) =
            found.ok_or_else(|| IssuanceError::PolicyNotFound(policy.to_owned()))?;
        let validity = Duration::from_secs(policy.validity_seconds);
        let leaf = issuing.authority.issue(common_name, request, now, validity)?;
        Ok(vec![leaf, issuing.authority.certificate.base64(), root.certificate.base64()])
    }

    /// What hubs take leafs from: the issuing CAs.
    pub(crate) fn trusted(&self) -> Vec<Arc<Certificate>> {
        let state = self.0.state.lock();
        state.issuing.iter().map(|issuing| Arc::clone(&issuing.authority.certificate)).collect()
    }
}

impl State {
    fn create_authority(&mut self, name: &str, namespace: &str) -> Result<(), IssuanceError> {
        check_name(name, "an issuing CA")?;
        if self.issuing.iter().any(|issuing| issuing.name == name) {
            return Err(IssuanceError::AuthorityConflict(name.to_owned()));
        }
        if self.issuing.len() >= MAX_AUTHORITIES {
            return Err(IssuanceError::TooManyAuthorities(self.issuing.len()));
        }
        let root = match self.root.take() {
            Some(root) => root,
            None => Authority::generate(&format!("{namespace} root {}", word()), None)?,
        };
        let root = self.root.insert(root);
        // A name of its own each time: one that is made anew has another key.
        let authority = Authority::generate(&format!("{namespace} {name} {}", word()), Some(root))?;
        self.issuing.push(Issuing { name: name.to_owned(), authority, policy: None });
        Ok(())
    }

    /// The first CA without a policy; a new one if all have theirs.
    fn free_authority(&mut self, namespace: &str) -> Result<String, IssuanceError> {
        if let Some(free) = self.issuing.iter().find(|issuing| issuing.policy.is_none()) {
            return Ok(free.name.clone());
        }
        let is_free = |name: &String| !self.issuing.iter().any(|issuing| issuing.name == *name);
        let names = ["default".to_owned()].into_iter().chain((2..).map(|number| format!("default-{number}")));
        let name = names.take(MAX_AUTHORITIES + 1).find(is_free).unwrap_or_default();
        self.create_authority(&name, namespace)?;
        Ok(name)
    }

    fn issuing_of(&mut self, name: &str) -> Result<&mut Issuing, IssuanceError> {
        let known = self.issuing.iter_mut().find(|issuing| issuing.name == name);
        known.ok_or_else(|| IssuanceError::AuthorityNotFound(name.to_owned()))
    }

    fn policy(&self, name: &str) -> Option<(&Issuing, &Policy)> {
        let policies = self.issuing.iter().filter_map(|issuing| Some((issuing, issuing.policy.as_ref()?)));
        policies.into_iter().find(|(_, policy)| policy.name == name)
    }
}

impl Issuing {
    fn show(&self, root: Option<&Authority>) -> IssuingAuthority {
        let certificate = &self.authority.certificate;
        let chain = [Some(&self.authority), root];
        IssuingAuthority {
            name: self.name.clone(),
            subject: certificate.info.subject_name.clone(),
            thumbprint: certificate.info.sha256_thumbprint.clone(),
            not_after: certificate.info.not_after_utc,
            chain_pem: chain
                .into_iter()
                .flatten()
                .map(|authority| certificate_pem(&authority.certificate.base64()))
                .collect(),
            policy: self.policy.as_ref().map(|policy| policy.name.clone()),
        }
    }

    fn show_policy(&self) -> Option<CertificatePolicy> {
        self.policy.as_ref().map(|policy| CertificatePolicy {
            name: policy.name.clone(),
            authority: self.name.clone(),
            validity: Duration::from_secs(policy.validity_seconds),
        })
    }

    fn keep(&self) -> KeptIssuing {
        let (name, authority) = (self.name.clone(), self.authority.keep());
        KeptIssuing { name, authority, policy: self.policy.clone() }
    }
}

fn check_name(name: &str, of: &'static str) -> Result<(), IssuanceError> {
    let may_be_in_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let is_name = (1..=64).contains(&name.len())
        && name.chars().all(may_be_in_name)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if is_name { Ok(()) } else { Err(IssuanceError::Name(of)) }
}

/// Tells CAs apart that bear one name.
fn word() -> String {
    guid().chars().take(8).collect()
}
