//! The chain that shows whether a record was changed.
//!
//! Every reading, and every statement of the device, has a hash over itself and the hash of the one before:
//!
//! ```text
//!  hash(n) = SHA-256( hash(n - 1) ‖ canonical body of n )        the first: 32 zeros for the one before
//! ```
//!
//! The body is the JSON object as it reaches the hub, alone or in a batch, with its `time` and `seq`, in canonical form
//! (`canonical.rs`), so that it can be computed again from an array, from columns, and from what other programs have made of
//! either. A message carries one hash, that of its last reading; whoever has the readings computes those between.
//!
//! The order is that of sequence numbers. What interrupts it is stated by an entry of the chain itself (`statement.rs`):
//!
//! | statement | when | what it says |
//! |---|---|---|
//! | `start` | evidence is switched on, the agent starts | which hash the chain goes on from |
//! | `certificate` | a key is used for the first time | the certificates of the key that signs |
//! | `signature` | daily, and at the end of a trip | the device's key has signed this hash |
//! | `thinned` | the journal has become coarser | which runs of readings are coarser now, and the hashes at their ends |
//! | `redated` | a receiver's time turns out to have been ahead | by how much, and which readings |
//! | `tripBegin`, `tripEnd` | a trip begins, ends | what it is measured by; its report |
//!
//! Nothing is trusted but a signature: what lies under a signed hash can't be changed, left out or added to without a hash that
//! does not fit. What comes after the last one can be cut off and nobody sees it; the next signature ends that.

// The rooms, from the ground up: a room takes names from those above it in this list, never from those below it.

// Base64 for URLs. Stands on nothing.
pub mod base64;
// The one way to write a JSON object. Stands on nothing.
pub mod canonical;
// A hash of the chain.
mod hash;
// What the device itself says in it.
mod statement;

pub use hash::Hash;
pub use statement::{PROPERTY, Run, STATEMENT, Statement, TO_SIGN_BY, VERSION, is_statement, to_sign};
