//! A panic at a terminal: this program starts itself anew there, and panics on purpose.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use ratatui_core::buffer::Buffer;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use super::keys::Key;
use super::look::Look;
use super::page::{Flow, Page};
use super::projector::Projector;

/// A page that can't be drawn.
struct Broken;

impl Page for Broken {
    fn refresh(&mut self) -> bool {
        true
    }

    fn press(&mut self, _key: Key) -> Flow {
        Flow::Stays
    }

    #[expect(clippy::panic, reason = "it is what this is about")]
    fn draw(&mut self, _buffer: &mut Buffer, _look: Look) {
        panic!("it can't be drawn");
    }
}

const LOOK: Look = Look { colour: true, unicode: true };

/// Only what is started by the test below has a terminal.
#[test]
#[ignore = "panics, and is started by another test"]
fn panics_while_it_draws() {
    let (then, ended) = sync_channel(1);
    let projector = Projector::start(Broken, LOOK, move || then.send(()).expect("somebody waits"));
    let projector = projector.expect("a terminal");
    ended.recv_timeout(Duration::from_secs(30)).expect("whoever shows the page is told of its end");
    drop(projector);
}

#[test]
fn a_panic_is_read_on_the_terminal_as_it_was() {
    let person = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&person).unwrap();
    unlockpt(&person).unwrap();
    let path = ptsname(&person, Vec::new()).unwrap().into_string().unwrap();
    let shell = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let before = tcgetattr(&shell).unwrap();
    let end = || Stdio::from(shell.try_clone().unwrap());
    let program = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "cli::terminal::screen::panic_tests::panics_while_it_draws",
            "--ignored",
            "--nocapture",
        ])
        .stdin(end())
        .stdout(end())
        .stderr(end())
        .status()
        .unwrap();
    assert!(program.success(), "the program goes on without its page");
    let now = tcgetattr(&shell).unwrap();
    assert_eq!((now.input_modes, now.local_modes), (before.input_modes, before.local_modes));
    assert!(now.local_modes.contains(LocalModes::ICANON));
    drop(shell);
    let mut written = Vec::new();
    // The last end of the terminal is gone, which Linux tells by an error.
    let _ = File::from(person).read_to_end(&mut written);
    let written = String::from_utf8_lossy(&written);
    let (shown, after) = written.split_once("\x1b[0m\x1b[?25h\x1b[?1049l").expect("it is left");
    assert!(shown.contains("\x1b[?1049h") && !shown.contains("can't be drawn"), "{shown:?}");
    assert!(after.contains("it can't be drawn") && !after.contains("\x1b[?"), "{after:?}");
}
