//! How a hub is spoken to: what differs between the kinds of hubs, behind one trait.

mod classic;
mod opening;
#[cfg(feature = "mqtt5")]
mod v5;
mod words;

pub use classic::{MODEL_ID, username};
pub use opening::Opening;
pub use words::Dialect;
pub(super) use words::Word;
