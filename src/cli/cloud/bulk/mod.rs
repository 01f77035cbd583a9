//! One verb for many devices: which are meant, what is so already, many calls at a time, and a row for each of what became of it.
//!
//! ```text
//!  -d … │ --from FILE │ --where "…" ─▶ look (what is there, and what is so already) ─▶ ask, if it is everything
//!       ─▶ work (threads, gate for 429, ledger, progress) ─▶ rows and a summary
//! ```
//!
//! The same command again does what is left: looking first finds what is done, and a ledger (--done) remembers it where that
//! can't be seen, as for methods.

mod everything;
mod ledger;
mod look;
mod members;
mod progress;
mod report;
mod selection;
mod work;

pub(super) use everything::ask;
pub(super) use look::{look, of_each, wanted_of};
pub(super) use members::Wanted;
pub(super) use report::Verb;
pub(super) use selection::{Conduct, Which, WhichEnrollments};
pub(super) use work::{Done, Task, Work, again_if_it_changes};
