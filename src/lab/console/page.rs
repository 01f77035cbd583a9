//! The page while it is served, whatever is behind it.

use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::json;
use tracker_console::backend::Backend;
use tracker_console::history::{History, HistoryOptions};
use tracker_console::ingest::Ingest;
use tracker_console::web::{ListenError, ListenOptions, Server, serve};

use crate::lab::screen::Screen;

/// What opens a link in the browser of whoever sits here.
#[cfg(target_os = "macos")]
const OPENER: &str = "open";
#[cfg(not(target_os = "macos"))]
const OPENER: &str = "xdg-open";

/// A page that is served until it is stopped.
pub(crate) struct Page {
    server: Server,
    ingest: Ingest,
}

impl Page {
    /// Listens first: who can't be reached needs no history.
    pub(crate) async fn serve(
        backend: Arc<dyn Backend>,
        history: HistoryOptions,
        options: ListenOptions,
    ) -> Result<Self, ListenError> {
        let history = History::open(history);
        let ingest = Ingest::start(backend.clone(), history);
        let server = serve(options, backend, ingest.clone()).await?;
        Ok(Self { server, ingest })
    }

    /// By which it is opened.
    pub(crate) fn link(&self) -> String {
        self.server.link()
    }

    /// What there is to say about the history: what was set aside, what can't be kept.
    pub(crate) fn notices(&self) -> Vec<String> {
        self.ingest.history().notices()
    }

    /// Prints the link, and what there is to say; opens a browser if it is asked to.
    pub(crate) fn announce(&self, screen: Screen, is_opened: bool) {
        let link = self.link();
        screen.note("console", &format!("The fleet in sight: {link}"), json!({"link": link}));
        for notice in self.notices() {
            screen.note("history", &notice, json!({}));
        }
        if is_opened && let Err(why) = open_in_browser(&link) {
            screen.note("browser", &why, json!({}));
        }
    }

    /// Closes the port, and writes what is not written yet.
    pub(crate) async fn stop(self) {
        drop(self.server);
        self.ingest.stop().await;
    }
}

/// Opens a link in a browser; the error says what to do instead. The link stands in the list of processes for a moment,
/// where other users of this machine may see it: whoever minds opens it by hand.
pub(crate) fn open_in_browser(link: &str) -> Result<(), String> {
    let mut opener = Command::new(OPENER);
    opener.arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    match opener.spawn() {
        Ok(mut opener) => {
            // Somebody has to learn that it has ended.
            std::thread::spawn(move || opener.wait());
            Ok(())
        }
        Err(error) => Err(format!("no browser can be opened ({OPENER}: {error}): open the link by hand")),
    }
}
