//! A device in the fleet: how it does, what of it was shown, and when each member last changed.

use super::device::Device;
use super::members::{self, COUNT, Members};
use super::recent::Recent;
use crate::model::Row;

/// A device in the fleet.
#[derive(Default)]
pub(super) struct Entry {
    pub(super) device: Device,
    pub(super) recent: Recent,
    /// What was last looked at.
    pub(super) shown: Option<Row>,
    /// With which version each member changed.
    changed: [u64; COUNT],
    /// Whether it may have changed since.
    pub(super) is_dirty: bool,
    /// Whether it has changed since it was kept.
    pub(super) is_unsaved: bool,
    /// Whether a hub has, or had, an identity of it.
    pub(super) is_known: bool,
    pub(super) is_listed: bool,
}

impl Entry {
    /// Shows a row; whether it is another one.
    pub(super) fn show(&mut self, row: Row, version: u64) -> bool {
        let members = match &self.shown {
            Some(shown) => members::differing(shown, &row),
            None => members::ALL,
        };
        for (number, changed) in self.changed.iter_mut().enumerate() {
            if members >> number & 1 == 1 {
                *changed = version;
            }
        }
        self.shown = Some(row);
        members != 0
    }

    /// Members that have changed since a version.
    pub(super) fn changed_since(&self, version: u64) -> Members {
        self.changed
            .iter()
            .enumerate()
            .fold(0, |members, (number, at)| members | Members::from(*at > version) << number)
    }
}
