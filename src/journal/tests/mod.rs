//! The journal's worker, driven by hand.

mod bench;
mod chatty;
mod faults;
mod model;
mod numbers;
mod rows;
