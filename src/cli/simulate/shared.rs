//! What the containers of a fleet share.

use std::sync::Arc;

use tracker_sensors::simulated::SimulatedClock;

use super::arguments::SimulateArgs;
use super::ledger::Ledger;
use super::logbook::Logbook;
use crate::lab::screen::Screen;

/// What containers of a fleet share.
#[derive(Clone)]
pub(super) struct Fleet {
    pub(super) args: Arc<SimulateArgs>,
    pub(super) screen: Screen,
    pub(super) ledger: Arc<Ledger>,
    pub(super) logbook: Arc<Logbook>,
    pub(super) time: SimulatedClock,
}
