//! Files as blobs: what devices upload, and what jobs read and write. Behind a door that speaks as much of Azure Storage as
//! clients of blobs need, and knows shared access signatures alone.
//!
//! ```text
//!  {root}/
//!    blobs/{container}/{name of the blob}   as it was sent; folders where the name has slashes
//!    properties/{digest}.json               content type and the like
//!    staged/{digest}/{digest}               blocks that no list has made a blob of yet
//!    incoming/{number}                      what is being received
//! ```
//!
//! Invariants: a blob is there whole or not at all, and on the disk before its sender is told so; no name leads out of its
//! container, neither by `..` nor by a link that somebody has put there; what is kept is bounded, in each blob and in all.

mod error;
mod name;
mod shared_access;
mod disk;
mod received;
mod staged;
mod store;

pub(crate) use error::StorageError;
pub(crate) use name::{BlobName, ContainerName};
pub(crate) use received::Received;
pub(crate) use shared_access::{Account, Scope, Shown};
pub(crate) use store::{BlobFacts, MAX_BLOB, MAX_BLOCKS, Properties, Storage};
