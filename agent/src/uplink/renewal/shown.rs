//! What the hub is shown of what was issued: the best first, and another where the hub has refused one.

use std::sync::Arc;

use crate::config::Config;
use crate::identity::Identity;
use crate::identity::operational::{Pair, Slot};
use crate::link::tls::{self, Tls};
use crate::platform::clock::Clock;
use crate::platform::watched_file::WatchedFile;
use crate::uplink::credentials::CredentialsError;
use crate::uplink::lifecycle::Issued;

/// A certificate with the TLS client that shows it: kept, so that TLS sessions are resumed.
#[derive(Debug, Clone)]
pub(super) struct Shown {
    pub(super) identity: Identity,
    pub(super) slot: Slot,
    tls: Tls,
}

/// Those there are, and which of them the hub has refused since it took one or DPS was asked.
#[derive(Debug, Default)]
pub(super) struct Choice {
    shown: Vec<Shown>,
    refused: Vec<String>,
    /// The file of the roots that servers were checked against.
    roots: Option<WatchedFile>,
}

impl Choice {
    /// These are there now, the best first.
    pub(super) fn replace(
        &mut self,
        pairs: Vec<Pair>,
        config: &Config,
        clock: &Arc<dyn Clock>,
    ) -> Result<(), CredentialsError> {
        let roots = config.connection.roots.as_deref();
        if self.roots.as_ref().is_some_and(WatchedFile::has_changed)
            || self.roots.is_some() != roots.is_some()
        {
            self.roots = roots.map(WatchedFile::new);
            self.shown.clear();
        }
        let mut shown = Vec::new();
        for Pair { identity, slot, .. } in pairs {
            let known = self.shown.iter().find(|known| known.identity.thumbprint == identity.thumbprint);
            let tls = match known {
                Some(known) => known.tls.clone(),
                None => {
                    let (store, _) = tls::roots_and_end(roots)?;
                    let tls = tls::client_config(store, &identity, clock.clone())?;
                    let leaf_alone = config.identity.leaf_alone_at_hub;
                    if leaf_alone { tls::with_leaf_alone(&tls, &identity) } else { tls }
                }
            };
            shown.push(Shown { identity, slot, tls });
        }
        self.shown = shown;
        Ok(())
    }

    /// Whether one can be used now; `None` while nobody knows the time.
    pub(super) fn issued(&self, clock: &dyn Clock) -> Option<Issued> {
        if self.shown.is_empty() {
            return Some(Issued::Unusable);
        }
        clock.certificate_time()?;
        let usable = self.usable(clock).next().is_some();
        Some(if usable { Issued::Usable } else { Issued::Unusable })
    }

    fn usable(&self, clock: &dyn Clock) -> impl Iterator<Item = &Shown> {
        let now = clock.certificate_time();
        let is_valid = move |identity: &Identity| {
            now.is_some_and(|now| identity.not_before <= now && now <= identity.not_after)
        };
        self.shown.iter().filter(move |shown| is_valid(&shown.identity))
    }

    /// The best that the hub has not refused; where it has refused all, the best begins anew.
    pub(super) fn best(&mut self, clock: &dyn Clock) -> Option<(Identity, Tls)> {
        if !self.has_another(clock) {
            self.refused.clear();
        }
        let best = self.usable(clock).find(|shown| self.is_left(shown))?;
        Some((best.identity.clone(), best.tls.clone()))
    }

    fn is_left(&self, shown: &Shown) -> bool {
        !self.refused.contains(&shown.identity.thumbprint)
    }

    fn has_another(&self, clock: &dyn Clock) -> bool {
        self.usable(clock).any(|shown| self.is_left(shown))
    }

    /// The hub has refused this one. Whether there is another to show.
    pub(super) fn refused(&mut self, thumbprint: &str, clock: &dyn Clock) -> bool {
        self.refused.push(thumbprint.into());
        self.has_another(clock)
    }

    /// The hub has taken this one: where it is new, it is current from now on. Whether it is, and whether another was refused
    /// before it.
    pub(super) fn taken(&mut self, thumbprint: &str) -> (bool, bool) {
        let refused = !std::mem::take(&mut self.refused).is_empty();
        let taken = self.shown.iter_mut().find(|shown| shown.identity.thumbprint == thumbprint);
        let is_new =
            taken.is_some_and(|shown| std::mem::replace(&mut shown.slot, Slot::Current) == Slot::Next);
        (is_new, refused)
    }
}
