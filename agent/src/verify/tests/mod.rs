//! Records of real journals, and what becomes of them in a forger's hands.

mod forgeries;
mod honest;
mod scene;

pub(crate) use scene::{Authority, Signer};
