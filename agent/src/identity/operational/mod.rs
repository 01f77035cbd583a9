//! The operational certificate: issued by Azure for a key that was made here, and renewed before it ends. The certificate in
//! `identity.certificate` lets the device into DPS, and nothing here ever touches it.
//!
//! ```text
//!  request() ──▶ request.json, request.key ──▶ the service
//!  take()    ◀── the issued chain: next.pem holds it with its key
//!  proved()      the hub has taken it: next.pem becomes current.pem in one step, and the one before is gone
//! ```
//!
//! All of it is in `<state>/operational/`, and holds over power cuts at every step (`tests/`): a pair is one file, which is
//! replaced whole, so that a key is never without its certificate; and the pair that the hub has taken last stays until it
//! takes another. A key in a token is made after its name is on disk, and destroyed after no file names it any more.
//!
//! | file | job |
//! |---|---|
//! | `pairs.rs` | what is done with them, in an order that survives power cuts |
//! | `disk.rs` | what is durable when |
//! | `stored.rs`, `slot.rs`, `request.rs`, `record.rs` | the files |
//! | `key.rs`, `token_keys.rs`, `csr.rs` | a key is made, and asks for its certificate |
//! | `issued.rs` | whether what came is the answer |
//! | `due.rs`, `summary.rs` | when the next one is due, and how it all stands |
//! | `trial.rs` | whether the service issues at all |
//! | `settings.rs`, `error.rs` | `[identity.operational]`; a sentence for everything that can be wrong |

mod csr;
mod disk;
mod due;
mod error;
mod issued;
mod key;
mod pairs;
mod record;
mod request;
mod settings;
mod slot;
mod stored;
mod summary;
mod token_keys;
mod trial;

#[cfg(test)]
mod tests;

pub use due::renewal_due;
pub use error::OperationalError;
pub use pairs::{Pair, Pairs};
pub use request::CertificateRequest;
pub use settings::{KeyPlace, Operational};
pub use slot::Slot;
pub use summary::{PairSummary, Summary};
pub use trial::Trial;
