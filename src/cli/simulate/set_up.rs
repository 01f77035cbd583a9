//! Certificates, directories and voyages, made on as many threads as there are processors and handed out in order.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::Context;
use tokio::task::{JoinHandle, spawn_blocking};

use super::container::Container;
use super::shared::Fleet;
use crate::config::Config;

/// Makes what a device needs to connect, and tells its configuration.
pub(super) type Configure = Arc<dyn Fn(&str) -> anyhow::Result<Config> + Send + Sync>;

/// A fleet that is being set up.
pub(super) struct SetUp {
    fleet: Fleet,
    configure: Configure,
    at_a_time: usize,
    begun: u16,
    making: VecDeque<JoinHandle<anyhow::Result<Container>>>,
}

impl SetUp {
    pub(super) fn new(fleet: Fleet, configure: Configure) -> Self {
        let at_a_time = std::thread::available_parallelism().map_or(2, |count| 2 * count.get());
        Self { fleet, configure, at_a_time, begun: 0, making: VecDeque::new() }
    }

    /// The next container; for ever nothing when there is none any more. Cancel-safe.
    pub(super) async fn next(&mut self) -> anyhow::Result<Container> {
        while self.making.len() < self.at_a_time && self.begun < self.fleet.args.devices {
            let (fleet, configure) = (self.fleet.clone(), self.configure.clone());
            let id = fleet.args.device(self.begun);
            self.begun += 1;
            self.making.push_back(spawn_blocking(move || Container::new(&fleet, &id, configure(&id)?)));
        }
        let Some(first) = self.making.front_mut() else { return std::future::pending().await };
        let made = first.await.context("a container can't be made")?;
        self.making.pop_front();
        made
    }

    /// Begins nothing any more.
    pub(super) fn cancel(&mut self) {
        self.begun = self.fleet.args.devices;
        self.making.drain(..).for_each(|making| making.abort());
    }
}
