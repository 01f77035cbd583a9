//! What all devices of a program share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::watch;

use super::dial::Roads;
use super::pacer::Pacer;
use super::place::{Leafs, Place};
use super::plan::{Happening, Plan};
use super::shard::Span;
use super::sources::Sources;
use super::tally::Tally;

/// How far the program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// Devices come and measure.
    Going,
    /// This has happened to all of them.
    Happened(Happening),
    /// They say goodbye.
    Leaving,
}

/// What a program is to play.
#[derive(Debug)]
pub struct Order {
    /// The fleet.
    pub plan: Plan,
    /// Its part.
    pub span: Span,
    /// Where devices go: that of number n to the n-th of them, around and around.
    pub places: Vec<Place>,
    /// Who they are.
    pub leafs: Box<dyn Leafs>,
    /// Where they come from.
    pub sources: Sources,
    /// Handshakes at a time.
    pub at_once: usize,
    /// Registrations a minute.
    pub registrations_a_minute: Option<f64>,
}

/// What all devices of a program share.
#[derive(Debug)]
pub struct Shared {
    /// The fleet.
    pub plan: Plan,
    /// This program's part.
    pub span: Span,
    /// What has happened so far.
    pub tally: Tally,
    pub(super) places: Vec<Place>,
    pub(super) leafs: Box<dyn Leafs>,
    pub(super) roads: Roads,
    pub(super) pacer: Pacer,
    pub(super) stage: watch::Sender<Stage>,
    /// What message IDs of this attempt begin with.
    pub(super) run: String,
    /// At which hub of its place a device is online, counted from 1; 0 for none.
    at: Vec<AtomicU8>,
}

impl Shared {
    /// Of an order.
    pub fn new(order: Order) -> Arc<Self> {
        let at = std::iter::repeat_with(AtomicU8::default).take(order.span.count as usize).collect();
        Arc::new(Self {
            plan: order.plan,
            span: order.span,
            tally: Tally::default(),
            places: order.places,
            leafs: order.leafs,
            roads: Roads::new(order.sources),
            pacer: Pacer::new(order.at_once, order.registrations_a_minute),
            stage: watch::Sender::new(Stage::Going),
            run: format!("{:08x}", rand::random::<u32>()),
            at,
        })
    }

    /// Whether the provisioning service wants to be left alone now.
    pub fn is_held(&self) -> bool {
        self.pacer.is_held()
    }

    /// The name of a device.
    pub fn name(&self, number: u32) -> String {
        self.leafs.name(number).unwrap_or_else(|| self.plan.name(number))
    }

    /// Which place a device goes to.
    pub fn place_of(&self, number: u32) -> usize {
        (number as usize).checked_rem(self.places.len()).unwrap_or_default()
    }

    /// At which hub of its place a device is online.
    pub fn hub_of(&self, number: u32) -> Option<usize> {
        let index = number.checked_sub(self.span.first)?;
        usize::from(self.at.get(index as usize)?.load(Ordering::Relaxed)).checked_sub(1)
    }

    pub(super) fn is_at(&self, number: u32, hub: Option<&str>) {
        let place = self.places.get(self.place_of(number));
        let known =
            |name| place.and_then(|place| place.hubs.iter().position(|hub| hub.eq_ignore_ascii_case(name)));
        let index = hub.and_then(known).and_then(|index| u8::try_from(index + 1).ok()).unwrap_or_default();
        if let Some(at) = number.checked_sub(self.span.first).and_then(|index| self.at.get(index as usize)) {
            at.store(index, Ordering::Relaxed);
        }
    }
}
