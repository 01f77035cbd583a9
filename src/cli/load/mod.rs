//! `container-tracker load`: thousands of light devices, each with a certificate of its own, divided over as many programs as are
//! wanted; and what all of them say, added up.
//!
//! ```text
//!  options, scheduler ─▶ part ─┐
//!  emulators, or a DPS ─▶ places ─┤─▶ lab::load ─▶ summary, from time to time and at the end ─▶ merge
//!  CA, or files ─▶ leafs ─────────┘        └─▶ counts: what the hubs say
//! ```

mod arguments;
mod counts;
mod enrolled;
mod leafs;
mod merge;
mod methods;
mod part;
mod places;
mod progress;
mod report;
mod run;
mod shard;

pub(in crate::cli) use arguments::LoadArgs;

use std::process::ExitCode;

use arguments::LoadCommand;

/// Plays a part of a fleet, or adds up what parts have said.
pub(in crate::cli) fn run(args: &LoadArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        Some(LoadCommand::Merge(args)) => merge::run(args),
        None => run::run(args),
    }
}
