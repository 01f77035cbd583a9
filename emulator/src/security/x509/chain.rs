//! Paths from a leaf upwards.
//!
//! DPS does not ask "is this chain trusted?" alone: it asks which enrollment the chain leads to, bottom-up. So all
//! paths that signatures allow are built first, as high as they go, and judged afterwards. Issuers are looked for
//! among the certificates the device presented and the verified CA certificates of the service, nowhere else.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex},
};

use chrono::{DateTime, Utc};
use tracker_certificates::NotIssued;

use super::Certificate;
use crate::{clock::wire_time, lock::lock};

/// Certificates in a path, leaf and root included.
const MAX_LENGTH: usize = 10;

/// Signatures checked for one device: cross-signed certificates must not become a burden by their combinations.
const MAX_SIGNATURE_CHECKS: usize = 64;

/// Signatures of CA certificates that are remembered; a service has few of them and their devices bring them along
/// every time.
const MAX_REMEMBERED: usize = 1024;

/// Signatures of CA certificates that were found good.
#[derive(Debug, Default)]
pub(crate) struct GoodSignatures(Mutex<HashSet<(String, String)>>);

impl GoodSignatures {
    fn check(&self, child: &Certificate, issuer: &Certificate) -> Result<(), NotIssued> {
        if !child.is_authority() {
            return child.check_signature(issuer);
        }
        let pair = (child.info.sha256_thumbprint.clone(), issuer.info.sha256_thumbprint.clone());
        if lock(&self.0).contains(&pair) {
            return Ok(());
        }
        child.check_signature(issuer)?;
        let mut remembered = lock(&self.0);
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(pair);
        Ok(())
    }
}

/// A leaf and its issuers, each signed by the next.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub certificates: Vec<Arc<Certificate>>,
    /// Why the one that bears the name of the issuer of the last has not issued it, if there is one.
    pub ended_by: Option<Ending>,
}

/// A certificate that has the right name, and is not the issuer all the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub subject: String,
    pub why: NotIssued,
}

/// Why a path can't be relied on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    Expired { subject: String, not_after: DateTime<Utc> },
    NotYetValid { subject: String, not_before: DateTime<Utc> },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { subject, not_after } => {
                write!(f, "the certificate \"{subject}\" expired at {}", wire_time::print(*not_after))
            }
            Self::NotYetValid { subject, not_before } => {
                write!(
                    f,
                    "the certificate \"{subject}\" is not valid before {}",
                    wire_time::print(*not_before)
                )
            }
        }
    }
}

impl Certificate {
    /// Whether the certificate is valid at `now`.
    pub(crate) fn check_validity(&self, now: DateTime<Utc>) -> Result<(), Flaw> {
        let subject = || self.info.subject_name.clone();
        if now > self.info.not_after_utc {
            return Err(Flaw::Expired { subject: subject(), not_after: self.info.not_after_utc });
        }
        if now < self.info.not_before_utc {
            return Err(Flaw::NotYetValid { subject: subject(), not_before: self.info.not_before_utc });
        }
        Ok(())
    }
}

/// All paths that start at `leaf`, each as high as its issuers are known, longest first.
pub(crate) fn paths(
    leaf: &Arc<Certificate>,
    presented: &[Arc<Certificate>],
    stored: &[Arc<Certificate>],
    known: &GoodSignatures,
) -> Vec<Path> {
    let mut pool: Vec<&Arc<Certificate>> = Vec::new();
    for candidate in presented.iter().chain(stored) {
        if !pool.iter().any(|known| known.is(candidate)) {
            pool.push(candidate);
        }
    }
    let mut search = Search { pool, known, checks_left: MAX_SIGNATURE_CHECKS, found: Vec::new() };
    search.climb(vec![Arc::clone(leaf)]);
    search.found.sort_by_key(|path| std::cmp::Reverse(path.certificates.len()));
    search.found
}

struct Search<'a> {
    pool: Vec<&'a Arc<Certificate>>,
    known: &'a GoodSignatures,
    checks_left: usize,
    found: Vec<Path>,
}

impl Search<'_> {
    fn climb(&mut self, path: Vec<Arc<Certificate>>) {
        let top = Arc::clone(path.last().expect("a path starts with its leaf"));
        let mut ended = true;
        let mut ended_by = None;
        if path.len() < MAX_LENGTH && !(top.is_self_issued() && path.len() > 1) {
            for candidate in self.pool.clone() {
                if path.iter().any(|used| used.is(candidate)) {
                    continue;
                }
                match self.has_issued(candidate, &top, path.len() - 1) {
                    Some(Ok(())) => {
                        ended = false;
                        let mut longer = path.clone();
                        longer.push(Arc::clone(candidate));
                        self.climb(longer);
                    }
                    Some(Err(NotIssued::Name)) | None => {}
                    Some(Err(why)) => {
                        ended_by = Some(Ending { subject: candidate.info.subject_name.clone(), why });
                    }
                }
            }
        }
        if ended {
            self.found.push(Path { certificates: path, ended_by });
        }
    }

    /// `None` when no more signatures are to be checked.
    fn has_issued(
        &mut self,
        issuer: &Certificate,
        child: &Certificate,
        intermediates_below: usize,
    ) -> Option<Result<(), NotIssued>> {
        if let Err(why) = issuer.may_have_issued(child, intermediates_below) {
            return Some(Err(why));
        }
        self.spend_check().then(|| self.known.check(child, issuer))
    }

    fn spend_check(&mut self) -> bool {
        let affordable = self.checks_left > 0;
        self.checks_left = self.checks_left.saturating_sub(1);
        affordable
    }
}
