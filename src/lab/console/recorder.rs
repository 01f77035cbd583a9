//! Messages of devices that keep evidence, for the check: as routes or `cloud monitor` write them, and as `verify` reads them.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;
use tokio::task::spawn_blocking;
use tracker_console::backend::BackendError;
use tracker_console::model::{Verdict, Verification};
use tracker_emulator::TelemetryMessage;

use super::forms::sentence;
use crate::lab::local_cloud::write as write_file;
use crate::verify::Verify;
use tracker_evidence::PROPERTY;

/// The most bytes that are kept; a fleet with evidence gets on for hours with it.
const MOST: usize = 64 * 1024 * 1024;
/// What a message takes beside its body.
const OVERHEAD: usize = 512;

/// The messages.
#[derive(Default)]
pub(crate) struct Recorder(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    by_device: HashMap<String, Vec<Piece>>,
    bytes: usize,
    is_full: bool,
}

/// A message.
#[derive(Clone)]
enum Piece {
    /// The emulator's own, no copy.
    Message(Arc<TelemetryMessage>),
    /// As it was told.
    Line(Arc<str>),
}

impl Recorder {
    /// Keeps a message if it is part of the evidence.
    pub(super) fn take(&self, message: &Arc<TelemetryMessage>) {
        if message.properties.get(PROPERTY).is_some() {
            self.keep(&message.device_id, message.body.len(), || Piece::Message(message.clone()));
        }
    }

    /// The same of a message in the form of `cloud monitor`.
    pub(crate) fn take_line(&self, device: &str, has_chain: bool, line: &str) {
        if has_chain {
            self.keep(device, line.len(), || Piece::Line(line.into()));
        }
    }

    fn keep(&self, device: &str, size: usize, piece: impl FnOnce() -> Piece) {
        let mut kept = self.kept();
        let size = size + OVERHEAD;
        if kept.bytes + size > MOST {
            kept.is_full = true;
            return;
        }
        kept.bytes += size;
        kept.by_device.entry(device.to_owned()).or_default().push(piece());
    }

    /// The record of a device, a line a message; and whether some had no room. `None` where there is no evidence.
    fn lines(&self, device: &str) -> Option<(String, bool)> {
        let kept = self.kept();
        let (pieces, is_full) = (kept.by_device.get(device)?.clone(), kept.is_full);
        drop(kept);
        Some((pieces.iter().map(Piece::line).collect(), is_full))
    }

    /// Looks whether what was received of a device is what it has measured.
    pub(crate) async fn judge(
        &self,
        device: &str,
        verify: Verify,
        root: &Path,
    ) -> Result<Verification, BackendError> {
        let none = || Verification {
            verdict: Verdict::NoEvidence,
            lines: vec![format!(
                "{device} has sent no evidence since the console looks: its desired property evidence switches it on."
            )],
        };
        let Some((lines, is_full)) = self.lines(device) else { return Ok(none()) };
        let root = root.to_owned();
        let judged = spawn_blocking(move || {
            let directory = tempfile::Builder::new().prefix("container-tracker-").tempdir()?;
            let path = directory.path().join("record.jsonl");
            write_file(&path, &lines, 0o600)?;
            verify(&[path], &root)
        });
        let failed = |error: &anyhow::Error| {
            BackendError::NotPossible(sentence(format!("The check fails: {error:#}")))
        };
        let judgements =
            judged.await.map_err(|error| failed(&error.into()))?.map_err(|error| failed(&error))?;
        let Some(judgement) = judgements.into_iter().next() else { return Ok(none()) };
        let has_fault = judgement.details.get("fault").is_some_and(|fault| !fault.is_null());
        let verdict = match (judgement.is_good, has_fault) {
            (true, _) => Verdict::Untouched,
            (false, true) => Verdict::Changed,
            (false, false) => Verdict::Unsigned,
        };
        let mut lines = judgement.sentences;
        if is_full {
            lines.push(
                "  note: the console keeps no messages any more since its room for them is full".into(),
            );
        }
        Ok(Verification { verdict, lines })
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    fn line(&self) -> String {
        match self {
            // The body goes in base64: what was hashed are its bytes.
            Self::Message(message) => {
                let record = json!({
                    "EnqueuedTimeUtc": message.enqueued_time,
                    "Properties": message.application_properties(),
                    "SystemProperties": {"connectionDeviceId": message.device_id},
                    "Body": BASE64_STANDARD.encode(&message.body),
                });
                format!("{record}\n")
            }
            Self::Line(line) => format!("{line}\n"),
        }
    }
}
