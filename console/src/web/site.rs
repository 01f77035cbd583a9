//! What all handlers share.

use std::sync::Arc;

use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::refusal::Refusal;
use crate::backend::Backend;
use crate::history::{History, HistoryError};
use crate::ingest::Ingest;
use crate::model::{Abilities, Session, StoryEntry, StoryKind};

/// The backend, what is known of it, and who listens.
pub(super) struct Site {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) ingest: Ingest,
    /// Counts what pages can't see in the session: faults that came and went.
    pub(super) changes: watch::Sender<u64>,
}

impl Site {
    pub(super) fn new(backend: Arc<dyn Backend>, ingest: Ingest) -> Self {
        Self { backend, ingest, changes: watch::Sender::new(0) }
    }

    /// The session as a link sees it.
    pub(super) fn session(&self, is_read_only: bool) -> Session {
        let mut session = self.backend.session();
        if is_read_only {
            session.can = Abilities::default();
        }
        session.read_only = is_read_only;
        session.history_trouble = self.ingest.history_trouble();
        session
    }

    /// The fleet's time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.backend.session().time.now
    }

    /// Puts what somebody did here into the story.
    pub(super) fn tell(&self, device: &str, kind: StoryKind, text: impl Into<String>) {
        self.ingest.tell(StoryEntry::new(device, self.now(), kind, text));
    }

    /// The same, and has a look at what has become of it.
    pub(super) fn done(&self, device: &str, text: impl Into<String>) {
        self.tell(device, StoryKind::Operator, text);
        self.ingest.look_again();
    }

    /// Tells pages that the session is another one.
    pub(super) fn session_changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Runs a query of the history where it holds up nobody.
    pub(super) async fn query<T: Send + 'static>(
        &self,
        query: impl FnOnce(&History) -> Result<T, HistoryError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let history = self.ingest.history().clone();
        match spawn_blocking(move || query(&history)).await {
            Ok(answer) => answer.map_err(|error| refusal(&error)),
            Err(error) => Err(refusal(&HistoryError::Disk(error.to_string()))),
        }
    }
}

fn refusal(error: &HistoryError) -> Refusal {
    match error {
        HistoryError::NoSuchField(_) => Refusal::invalid("fields", format!("{error}.")),
        HistoryError::Disk(_) => {
            Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "history", format!("{error}."))
        }
    }
}
