//! The door to the storage of files: as much of Azure Storage's REST as clients of block blobs use.
//!
//! ```text
//!  PUT /{container}/{blob}                      Put Blob
//!  PUT /{container}/{blob}?comp=block&blockid=  Put Block
//!  PUT /{container}/{blob}?comp=blocklist       Put Block List
//!  GET, HEAD, DELETE /{container}/{blob}        read, look, delete
//!  GET /{container}?restype=container&comp=list List Blobs
//! ```
//!
//! It is at the port of the services, under every name: calls that come with the signature of a storage (`sig`) are its own.
//! Bodies go to the disk as they come; nothing is held in memory but what is on its way.

mod refusal;
mod target;
mod properties;
mod intake;
mod block_list;
mod outgoing;
mod listing;
mod write;

use chrono::{DateTime, Utc};
use hyper::{Method, body::Incoming};
use target::Target;

use super::{answer::Answer, call::Call};
use crate::{
    security::sas::without_port,
    storage::{Scope, Shown, Storage, StorageError},
};

/// What Azure's storage accounts end with.
const ACCOUNTS: &str = ".blob.core.windows.net";

/// Whether a call is for the storage.
pub(super) fn is_meant(call: &Call) -> bool {
    call.parameter("sig").is_some() || without_port(call.host()).to_ascii_lowercase().ends_with(ACCOUNTS)
}

/// Answers one.
pub(super) async fn respond(
    storage: &Storage,
    call: &Call,
    mut body: Incoming,
    now: DateTime<Utc>,
) -> Answer {
    let answered = match judge(storage, call, now) {
        Ok(target) => handle(storage, call, &target, &mut body).await,
        Err(refusal) => Err(refusal),
    };
    let answer = match answered {
        Ok(answer) => answer,
        Err(error) => {
            // Clients that are still sending would not read the answer.
            intake::drain(&mut body).await;
            refusal::answer(&error, now)
        }
    };
    refusal::stamped(answer, call, now)
}

/// What is meant, if the caller may do it.
fn judge(storage: &Storage, call: &Call, now: DateTime<Utc>) -> Result<Target, StorageError> {
    let target = Target::of(call)?;
    let parameter = |name: &str| call.parameter(name).map(str::to_owned);
    let scope = match &target {
        Target::Container(container) => Scope::Container(container),
        Target::Blob(blob) => Scope::Blob(blob),
    };
    let permitted = storage.account().check(&Shown(&parameter), scope, now)?;
    let needed = match (&target, &call.method) {
        (Target::Container(_), _) => "l",
        (Target::Blob(_), &Method::GET | &Method::HEAD) => "r",
        (Target::Blob(_), &Method::DELETE) => "d",
        // `c` is for blobs that are not there yet.
        (Target::Blob(_), _) => "wc",
    };
    if needed.chars().any(|letter| permitted.contains(letter)) {
        return Ok(target);
    }
    let why = format!("the signature permits \"{permitted}\" and not \"{}\" (sp)", &needed[..1]);
    Err(StorageError::new(403, "AuthorizationPermissionMismatch", why))
}

async fn handle(
    storage: &Storage,
    call: &Call,
    target: &Target,
    body: &mut Incoming,
) -> Result<Answer, StorageError> {
    let comp = call.parameter("comp").unwrap_or_default().to_ascii_lowercase();
    let blob = match target {
        Target::Container(container) if call.method == Method::GET && comp == "list" => {
            return listing::list(storage, container, call);
        }
        Target::Container(_) => {
            return Err(StorageError::not_implemented("calls of a container other than List Blobs"));
        }
        Target::Blob(blob) => blob,
    };
    match (call.method.as_str(), comp.as_str()) {
        ("PUT", "") => write::put(storage, blob, call, body).await,
        ("PUT", "block") => write::put_block(storage, blob, call, body).await,
        ("PUT", "blocklist") => write::put_block_list(storage, blob, call, body).await,
        ("GET" | "HEAD", "") => outgoing::give(storage, blob, call).await,
        ("DELETE", "") => write::delete(storage, blob),
        (method, _) => Err(StorageError::not_implemented(&format!(
            "{} with comp={}: it has Put Blob, Put Block, Put Block List, Get Blob, Delete Blob and List Blobs",
            method.chars().take(10).collect::<String>(),
            comp.chars().take(40).collect::<String>(),
        ))),
    }
}
