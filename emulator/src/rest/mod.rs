//! REST over HTTPS, as Microsoft's tools and service SDKs call it, and devices; with a few additions of ours.
//!
//! ```text
//!  TLS ─▶ HTTP/1.1 ─▶ Call ─▶ authorize: which service, which rights ─▶ dps │ hub ─▶ Dps, Hub
//!           │           └ bounded: time for headers, size of the body        └─▶ answers, errors in each service's shape
//!           ├─▶ blobs: files that devices upload, by the signatures of a storage
//!           └─▶ upgrade ─▶ WebSocket ─▶ the front, as if the client had come to the port of the devices
//! ```
//!
//! # Which service is meant
//!
//! All services share one port. The host name of the request (without port) decides when it is that of the
//! provisioning service or of a hub. Under any other name, such as `localhost`, the key decides: every service has
//! its own, so the one whose key has signed the token is the one that is meant.
//!
//! # Paths
//!
//! Azure does not care about case, and takes a trailing slash; identifiers in paths are percent-encoded. So paths are
//! split and decoded here, and matched word by word against the table of each service; a router that matches text
//! would not do.

mod event_stream;
mod answer;
mod call;
mod tracking;
mod paging;
mod stream;
mod authorize;
mod route;
mod dps;
mod hub;
mod device;
mod blobs;
mod respond;
mod upgrade;
mod spelling;
mod listen;

pub(crate) use dps::read_enrollment;
pub(crate) use hub::enter_device;
pub(crate) use listen::{converse, listen};
