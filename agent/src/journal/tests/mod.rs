//! The journal's worker, driven by hand.

mod bench;
mod bundles;
mod chatty;
mod displaced;
#[cfg(all(unix, feature = "lab"))]
mod evidence;
mod faults;
mod model;
mod numbers;
mod rows;
#[cfg(unix)]
mod waiting;
