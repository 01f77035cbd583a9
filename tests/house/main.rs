//! The house stands: no room imports from one above it, no files hold on to each other in a circle, and files are small.
//!
//! The order in which `lib.rs` lists its modules is the house from the ground up. Read from the sources alone, tests left
//! out, so that it takes no time and needs no tool.

#![allow(missing_docs, unreachable_pub, clippy::panic, clippy::disallowed_methods)]

mod items;
mod modules;
mod plan;
mod planted;
mod sizes;
mod tokens;

use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_agent_stands() {
    let faults = plan::faults(&root().join("agent/src"));
    assert!(faults.is_empty(), "in agent/src/:\n{faults}");
}

#[test]
fn the_command_line_stands() {
    let faults = plan::faults(&root().join("src"));
    assert!(faults.is_empty(), "in src/:\n{faults}");
}

#[test]
fn the_emulator_stands() {
    let faults = plan::faults(&root().join("emulator/src"));
    assert!(faults.is_empty(), "in emulator/src/:\n{faults}");
}

#[test]
fn the_console_stands() {
    let faults = plan::faults(&root().join("console/src"));
    assert!(faults.is_empty(), "in console/src/:\n{faults}");
}

#[test]
fn the_reader_of_certificates_stands() {
    let faults = plan::faults(&root().join("certificates/src"));
    assert!(faults.is_empty(), "in certificates/src/:\n{faults}");
}

#[test]
fn the_chain_of_evidence_stands() {
    let faults = plan::faults(&root().join("evidence/src"));
    assert!(faults.is_empty(), "in evidence/src/:\n{faults}");
}

#[test]
fn amqp_stands() {
    let faults = plan::faults(&root().join("amqp/src"));
    assert!(faults.is_empty(), "in amqp/src/:\n{faults}");
}

#[test]
fn tls_stands() {
    let faults = plan::faults(&root().join("tls/src"));
    assert!(faults.is_empty(), "in tls/src/:\n{faults}");
}

#[test]
fn files_are_small_and_introduce_themselves() {
    let faults = sizes::faults(
        root(),
        &[
            "src",
            "agent",
            "protocol",
            "timers",
            "tls",
            "sensors",
            "certificates",
            "evidence",
            "amqp",
            "emulator/src",
            "emulator/tests",
            "emulator/examples",
            "console/src",
            "tests",
            "benches",
        ],
        &["debian", "fuzz/fuzz_targets"],
    );
    assert!(faults.is_empty(), "{faults}");
}
