//! The page on which a story is watched.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use tracker_console::history::HistoryOptions;
use tracker_console::web::ListenOptions;
use tracker_emulator::Emulator;
use tracker_emulator::pki::CertificateAuthority;
use tracker_sensors::simulated::SimulatedClock;

use crate::lab::console::{Backlogs, Page, Parts, Simulation};
use crate::lab::director::Director;
use crate::lab::hub_service::OpenHub;
use crate::lab::local_cloud::write;
use crate::lab::screen::Screen;
use crate::platform::clock::system_time;
use crate::verify::judgements;

/// Hours a second of time as it is.
const REAL_TIME: f64 = 1.0 / 3600.0;
/// The root that the devices' certificates lead to.
const ROOT_FILE: &str = "device-root.pem";

/// Whether, and how, a story is watched.
pub(crate) struct Watching<'a> {
    /// For all files of the story.
    pub(crate) directory: &'a Path,
    /// How the page listens; without, there is none.
    pub(crate) page: Option<ListenOptions>,
    /// Opens it in a browser.
    pub(crate) is_opened: bool,
    /// Each step waits until somebody goes on.
    pub(crate) is_stepping: bool,
    /// The service API of hubs.
    pub(crate) open_hub: OpenHub,
}

impl Watching<'_> {
    /// Serves the page, if it is wanted, and prints its link.
    pub(super) async fn show(
        self,
        title: &str,
        emulator: &Emulator,
        root: &CertificateAuthority,
        director: Director,
        screen: Screen,
    ) -> anyhow::Result<Option<Page>> {
        let Some(options) = self.page else { return Ok(None) };
        let root_file = self.directory.join(ROOT_FILE);
        write(&root_file, &root.certificate_pem(), 0o644)?;
        let backend = Simulation::new(Parts {
            dps: emulator.dps().clone(),
            faults: emulator.faults().clone(),
            events: emulator.events(),
            backlogs: Backlogs::default(),
            clock: SimulatedClock::new(system_time(), REAL_TIME),
            title: title.into(),
            directory: self.directory.to_owned(),
            root: root_file,
            verify: judgements,
            director: Some(director),
        });
        let history = HistoryOptions::temporary(self.directory.join("console.sqlite"));
        let page =
            Page::serve(Arc::new(backend), history, options).await.context("the page can't be served")?;
        page.announce(screen, self.is_opened);
        Ok(Some(page))
    }
}
