//! Screens in a terminal: what they show, and that the terminal is as it was before, whatever ends them.

#![cfg(all(feature = "lab", target_os = "linux"))]
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::process::{Child, Command, Stdio};
use std::thread;

use support::service::{Installation, Manager};
use support::terminal::{CLEAR, ENTERED, Terminal, signal};

#[test]
fn status_shows_an_agent_and_leaves_the_terminal_as_it_was() {
    let installation = Installation::new();
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    manager.hear("READY=1");
    let log = installation.path("log");
    for end in ["q", "\x1b", "\x03", "-INT", "-TERM", "-HUP"] {
        let terminal = Terminal::new(80, 50);
        let mut program = installation.program("status");
        let program = terminal.before(&mut program).args(["--watch", "--log"]).arg(&log).spawn().unwrap();
        for words in ["sensor-thl-001", "asks DPS for a hub", "asking DPS"] {
            terminal.wait_to_see(words, 1);
        }
        let clears = terminal.text().matches(CLEAR).count();
        terminal.resize(60, 30);
        terminal.wait_to_see("asks DPS for a hub", clears + 1);
        assert!(terminal.screen().lines().all(|line| line.chars().count() <= 60), "{}", terminal.screen());
        if end.starts_with('-') {
            signal(&program, end);
        } else {
            terminal.press(end);
        }
        let (ended, after) = terminal.is_left_by(program);
        assert_eq!((ended.code(), &*after), (Some(1), ""), "{end:?}: nothing was delivered yet");
    }
    service.stop();
}

#[test]
fn status_without_a_screen_says_why_and_shows_lines() {
    let installation = Installation::new();
    // Without colours, and in ASCII alone.
    let terminal = Terminal::new(60, 24);
    let mut program = installation.program("status");
    let program =
        terminal.before(&mut program).arg("--watch").env("NO_COLOR", "1").env("LC_ALL", "C").spawn();
    terminal.wait_to_see("no agent runs here", 1);
    terminal.press("q");
    terminal.is_left_by(program.unwrap());
    let text = terminal.text();
    assert!(text.is_ascii() && !text.contains("\x1b[0;1;3"), "{text:?}");

    let terminal = Terminal::new(80, 24);
    let mut program = installation.program("status");
    let mut program = terminal.before(&mut program).arg("--watch").env("TERM", "dumb").spawn().unwrap();
    terminal.wait_for("no screen: this terminal moves no cursor");
    terminal.wait_for("no agent runs here");
    signal(&program, "-TERM");
    program.wait().unwrap();
    assert!(!terminal.text().contains(ENTERED));

    // Nobody reads more than a line.
    let mut program = installation.program("status");
    let mut program = program.arg("--watch").stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let ended = Command::new("head").arg("-n1").stdin(program.stdout.take().unwrap()).output().unwrap();
    assert!(String::from_utf8(ended.stdout).unwrap().contains("no agent runs here"));
    assert!(program.wait().unwrap().code().is_some(), "it ends by itself");
}

#[test]
fn a_log_that_is_none_is_refused_before_anything_is_shown() {
    let installation = Installation::new();
    let terminal = Terminal::new(80, 24);
    let mut program = installation.program("status");
    let program = terminal.before(&mut program).args(["--watch", "--log", "/nowhere/agent.log"]);
    let ended = program.status().unwrap();
    terminal.wait_for("can't read the log /nowhere/agent.log (--log)");
    assert!(!ended.success() && !terminal.text().contains(ENTERED));
}

/// The fleet, at a terminal of this size.
fn simulation(terminal: &Terminal, arguments: &[&str]) -> Child {
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    let program = terminal.before(&mut program);
    program.args(["simulate", "--screen", "terminal", "--interval", "1"]).args(arguments).spawn().unwrap()
}

#[test]
fn simulate_shows_a_fleet_and_its_sums_stand_on_the_terminal_as_it_was() {
    let ends = ["q", "\x1b", "\x03", "-INT", "-TERM", "-HUP", "--duration"];
    let at_a_size = |(end, size): (&'static str, (u16, u16))| {
        let terminal = Terminal::new(size.0, size.1);
        let duration: &[&str] = if end == "--duration" { &["--duration", "10"] } else { &[] };
        let program = simulation(&terminal, duration);
        match end {
            // Nobody knows how far it comes until then.
            "--duration" => terminal.wait_to_see("of 2 online", 1),
            _ => {
                terminal.wait_to_see("2 of 2 online", 1);
                terminal.wait_to_see("●", 1);
            }
        }
        match end {
            "--duration" => {}
            signalled if signalled.starts_with('-') => signal(&program, end),
            keys => terminal.press(keys),
        }
        let (ended, after) = terminal.is_left_by(program);
        assert!(ended.success(), "{end:?}: {ended}");
        assert!(after.contains(" devices: ") && after.contains(" 0 lost"), "{end:?}: {after:?}");
        assert_eq!(after.lines().count(), 1, "{end:?}: {after:?}");
    };
    thread::scope(|side_by_side| {
        for end in ends.into_iter().zip([(60, 24), (80, 24), (200, 50)].into_iter().cycle()) {
            side_by_side.spawn(move || at_a_size(end));
        }
    });
}

#[test]
fn an_error_is_read_on_the_terminal_as_it_was() {
    let terminal = Terminal::new(80, 24);
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    // No directory can be made there once the screen is shown.
    let program = terminal
        .before(&mut program)
        .args(["simulate", "--screen", "terminal"])
        .env("TMPDIR", "/nowhere")
        .spawn();
    let (ended, after) = terminal.is_left_by(program.unwrap());
    assert!(!ended.success());
    assert!(after.contains("container-tracker: no temporary directory"), "{after:?}");
}

#[test]
fn simulate_without_a_terminal_says_so_and_shows_lines() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    let output = program
        .args(["simulate", "--screen", "terminal", "--devices", "1", "--duration", "2"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(err.starts_with("no screen: the output is no terminal; lines instead\n"), "{err}");
    assert!(out.contains("A local Azure listens") && !out.contains('\x1b'), "{out}");
}

#[test]
fn a_simulation_at_a_terminal_of_80_columns_has_a_line_for_each_start_and_each_reading() {
    let directory = tempfile::tempdir().unwrap();
    let terminal = Terminal::new(80, 24);
    let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    program.args(["simulate", "--interval", "1", "--no-console"]).current_dir(directory.path());
    let mut program = terminal.before(&mut program).env("NO_COLOR", "1").spawn().unwrap();
    let is_measured =
        |line: &str, name: &str| line.contains(name) && line.contains("▶") && line.contains("km/h");
    for name in [" thl-001 ", " thl-002 "] {
        terminal.wait_until(|text| text.lines().any(|line| is_measured(line, name)));
    }
    signal(&program, "-INT");
    assert!(program.wait().unwrap().success());
    terminal.wait_for("0 lost");
    let text = terminal.text();
    let of_devices =
        text.lines().filter(|line| line.contains("thl-00") && !line.contains("cloud twin update"));
    assert!(
        of_devices.clone().count() >= 4 && of_devices.clone().all(|line| line.chars().count() <= 80),
        "{text}"
    );
    assert_eq!(text.matches('●').count(), 2, "{text}");
    assert!(!text.contains("asking DPS") && !text.contains("is well"), "{text}");
}
