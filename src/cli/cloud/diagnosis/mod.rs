//! What is wrong with a device, by what it says and by what hub and provisioning service know of it.

mod facts;
mod findings;
mod judge;
mod page;
#[cfg(test)]
mod tests;

pub(super) use facts::{Answer, Facts};
pub(super) use findings::{Finding, Level};
pub(super) use judge::judge;
pub(super) use page::print;
