//! What is told of the pairs: by `check`, `status`, `provision`, and to the cloud. Nothing of it is secret.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::disk::{Disk, Folder};
use super::due::renewal_due;
use super::error::OperationalError;
use super::record::Record;
use super::request::CertificateRequest;
use super::settings::Operational;
use super::slot::{Held, Slot};
use super::stored::Stored;
use crate::platform::state_directory::StateDirectory;

/// How the issued certificates stand.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// What may be shown to the hub, the best first.
    pub pairs: Vec<PairSummary>,
    /// What was asked for and has not come yet.
    pub request: Option<CertificateRequest>,
    /// What could not be read, or was put aside, one sentence each.
    pub troubles: Vec<String>,
}

/// How one of them stands.
#[derive(Debug, Clone, PartialEq)]
pub struct PairSummary {
    /// Which of the two.
    pub slot: Slot,
    /// The whole subject of the leaf.
    pub subject: String,
    /// The whole issuer of the leaf.
    pub issuer: String,
    /// SHA-256 of the leaf, in hexadecimal.
    pub thumbprint: String,
    /// First moment of validity.
    pub not_before: DateTime<Utc>,
    /// Last moment of validity.
    pub not_after: DateTime<Utc>,
    /// When a new one is to be asked for.
    pub renewal_due: DateTime<Utc>,
    /// What the key is called in the token; `None` where it is in the file.
    pub object: Option<String>,
    /// How often the hub has refused it since it took it last; more than 3 are not counted.
    pub refusals: u8,
}

impl Summary {
    /// How they stand in this state directory. Changes nothing, and asks no token: for those who look while an agent works
    /// there.
    pub fn look(operational: &Operational, state_directory: &Path) -> Result<Self, OperationalError> {
        let folder = Folder::new(StateDirectory::new(state_directory).operational());
        let stored = Stored::read(&folder).map_err(|source| OperationalError::Disk {
            what: "read",
            path: folder.path(""),
            source,
        })?;
        let Stored { next, current, asked, record, useless, mut troubles, .. } = stored;
        troubles.extend(useless.into_iter().map(|(_, why)| why));
        let request = asked.and_then(|asked| asked.request());
        Ok(Self::of(next.as_ref(), current.as_ref(), &record, request, operational.renew_at, troubles))
    }

    pub(super) fn of(
        next: Option<&Held>,
        current: Option<&Held>,
        record: &Record,
        request: Option<CertificateRequest>,
        renew_at: f64,
        troubles: Vec<String>,
    ) -> Self {
        let of = |slot, held: &Held| {
            let leaf = held.chain.leaf();
            let thumbprint = held.chain.thumbprint();
            PairSummary {
                slot,
                subject: leaf.subject.clone(),
                issuer: leaf.issuer.clone(),
                not_before: leaf.not_before,
                not_after: leaf.not_after,
                renewal_due: renewal_due(leaf.not_before, leaf.not_after, renew_at, &thumbprint),
                object: held.object.clone(),
                refusals: record.refusals(&thumbprint),
                thumbprint,
            }
        };
        let slots = [(Slot::Next, next), (Slot::Current, current)];
        let mut pairs: Vec<_> =
            slots.into_iter().filter_map(|(slot, held)| held.map(|held| of(slot, held))).collect();
        pairs.sort_by_key(|pair| pair.refusals);
        Self { pairs, request, troubles }
    }

    /// When a new certificate is to be asked for; `None` where there is none yet.
    pub fn renewal_due(&self) -> Option<DateTime<Utc>> {
        self.pairs.first().map(|pair| pair.renewal_due)
    }
}
