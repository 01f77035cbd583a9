//! Where an outlet leads, and one attempt to bring something there.

use std::{path::PathBuf, time::Duration};

use super::{file, parcel::Parcel};
use crate::{id::guid, net::outgoing};

/// How long an answer is waited for, as Event Grid does.
const PATIENCE: Duration = Duration::from_secs(30);

/// Lines that are written to a file at a time.
const LINES: usize = 256;

/// One place to deliver to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::hub) enum Target {
    /// Each object is the body of a POST.
    Webhook { url: String },
    /// Each object comes in an array of its own, with Event Grid's headers.
    EventGrid { url: String, subscription: String },
    /// Each object is a line.
    File { path: PathBuf },
}

/// An attempt did not succeed.
pub(super) struct Failure {
    pub why: String,
    /// It will never succeed.
    pub is_final: bool,
}

impl Target {
    /// How many parcels an attempt takes.
    pub(super) fn batch(&self) -> usize {
        if matches!(self, Self::File { .. }) { LINES } else { 1 }
    }

    pub(super) async fn deliver(&self, parcels: &[Parcel]) -> Result<(), Failure> {
        match self {
            Self::Webhook { url } => post(url, &[("x-ms-request-id", guid())], first(parcels)).await,
            Self::EventGrid { url, subscription } => {
                let attempts = parcels.first().map(|parcel| parcel.attempts).unwrap_or_default();
                let headers = [
                    ("aeg-event-type", "Notification".to_owned()),
                    ("aeg-subscription-name", subscription.to_ascii_uppercase()),
                    ("aeg-delivery-count", attempts.to_string()),
                    ("aeg-data-version", "1".to_owned()),
                    ("aeg-metadata-version", "1".to_owned()),
                ];
                post(url, &headers, format!("[{}]", first(parcels))).await
            }
            Self::File { path } => {
                let lines = parcels.iter().map(|parcel| parcel.payload.clone()).collect();
                write(path.clone(), lines).await.map_err(|why| Failure { why, is_final: false })
            }
        }
    }
}

/// Appends lines to a file, on a thread that may wait for the disk.
pub(super) async fn write(path: PathBuf, lines: Vec<String>) -> Result<(), String> {
    let shown = path.display().to_string();
    let written = tokio::task::spawn_blocking(move || file::append(&path, &lines)).await;
    match written {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("{shown}: {error}")),
        Err(error) => Err(format!("{shown}: {error}")),
    }
}

fn first(parcels: &[Parcel]) -> String {
    parcels.first().map(|parcel| parcel.payload.clone()).unwrap_or_default()
}

async fn post(url: &str, headers: &[(&'static str, String)], body: String) -> Result<(), Failure> {
    let asked = outgoing::post_json(url, headers, body);
    let (why, is_final) = match tokio::time::timeout(PATIENCE, asked).await {
        Ok(Ok((200..=204, _))) => return Ok(()),
        // The same would be answered to the same.
        Ok(Ok((status @ (400 | 413), _))) => (format!("HTTP {status}"), true),
        Ok(Ok((status, _))) => (format!("HTTP {status}"), false),
        Ok(Err(error)) => (error.to_string(), false),
        Err(_elapsed) => (format!("no answer within {} seconds", PATIENCE.as_secs()), false),
    };
    Err(Failure { why, is_final })
}
