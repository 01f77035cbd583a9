//! The listening task on a pseudo-terminal, opened as a serial port is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![cfg(target_os = "linux")]

mod common;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use common::{Log, row};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{ControlModes, InputModes, LocalModes, tcgetattr};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracker_sensors::gps::{
    ByteSource, GpsState, PlausibilitySettings, Receiver, ReceiverSettings, SerialSource,
};
use tracker_sensors::health::{Health, State};

/// The far end of a cable: what is written here comes out of the port at `path`.
struct Cable {
    far_end: File,
    path: PathBuf,
}

impl Cable {
    /// A cable whose near end is found at `path`.
    fn plug_in(path: &Path) -> Self {
        let far_end =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("pseudo-terminals are to be had");
        grantpt(&far_end).expect("it is ours");
        unlockpt(&far_end).expect("it is ours");
        let device =
            ptsname(&far_end, Vec::new()).expect("it has a name").into_string().expect("of plain letters");
        symlink(device, path).expect("the name is free");
        Self { far_end: File::from(far_end), path: path.to_owned() }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.far_end.write_all(bytes).expect("the near end is open");
    }

    /// As when a USB receiver is pulled out: the device goes, and readers are told so.
    fn pull_out(self) {
        std::fs::remove_file(&self.path).expect("it was there");
    }
}

fn listen(path: &Path) -> (watch::Receiver<GpsState>, watch::Receiver<Health>) {
    let plausibility = PlausibilitySettings { build_date: None, time_scale: 1.0 };
    let settings = ReceiverSettings {
        first_backoff: Duration::from_millis(20),
        longest_backoff: Duration::from_millis(100),
        ..ReceiverSettings::new(plausibility, Instant::now())
    };
    let receiver = Receiver::new(SerialSource::new(path, 9600), settings);
    let ends = (receiver.state(), receiver.health());
    tokio::spawn(receiver.run());
    ends
}

async fn until<T>(end: &mut watch::Receiver<T>, what: &str, is_so: impl FnMut(&T) -> bool) {
    timeout(Duration::from_secs(30), end.wait_for(is_so)).await.expect(what).expect("the task lives");
}

/// Counters wake nobody.
async fn opened(health: &watch::Receiver<Health>, times: u64) {
    let opened = async {
        while health.borrow().starts < times {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(30), opened).await.expect("the port is opened");
}

#[tokio::test]
async fn a_port_that_vanishes_and_comes_back_gives_fixes_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ttyGPS");
    let log = Log::named("neo-m8n");
    let expected = log.expected_rows();
    let end_of = |index: usize| expected[index][12].as_u64().unwrap() as usize;

    let (mut state, mut health) = listen(&path);
    until(&mut health, "missing port", |health| health.state == State::Failed).await;
    let cause = health.borrow().cause.clone().unwrap();
    assert!(cause.contains("ttyGPS at 9600 baud"), "{cause}");
    assert!(cause.contains("is the receiver plugged in"), "{cause}");

    let mut cable = Cable::plug_in(&path);
    opened(&health, 1).await;
    // In small pieces, and beginning in the middle of a sentence.
    for piece in log.bytes[20..end_of(2)].chunks(50) {
        cable.send(piece);
    }
    until(&mut state, "third fix", |state| {
        state.fix.as_ref().is_some_and(|fix| row(fix)[0] == expected[2][0])
    })
    .await;
    let (mut third, mut as_expected) = (row(state.borrow().fix.as_ref().unwrap()), expected[2].clone());
    // The offset counts from where the reader came in.
    (third[12], as_expected[12]) = (0.into(), 0.into());
    assert_eq!(third, as_expected);
    until(&mut health, "well", |health| health.state == State::Ok).await;

    cable.pull_out();
    until(&mut health, "vanished", |health| health.state == State::Failed).await;

    let mut cable = Cable::plug_in(&path);
    opened(&health, 2).await;
    cable.send(&log.bytes[end_of(5)..end_of(8)]);
    until(&mut state, "fix after the return", |state| {
        state.fix.as_ref().is_some_and(|fix| row(fix)[0] == expected[8][0])
    })
    .await;
    until(&mut health, "well again", |health| health.state == State::Ok).await;
}

#[tokio::test]
async fn the_port_is_opened_raw() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ttyGPS");
    let cable = Cable::plug_in(&path);
    for baud in [4800, 9600, 38400, 115_200] {
        let mut source = SerialSource::new(&path, baud);
        let _stream = source.open().await.expect("it is plugged in");
        let terminal = tcgetattr(&cable.far_end).unwrap();
        assert!(!terminal.local_modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
        assert!(!terminal.input_modes.intersects(InputModes::ICRNL | InputModes::IXON | InputModes::ISTRIP));
        assert_eq!(terminal.control_modes & ControlModes::CSIZE, ControlModes::CS8);
        assert!(!terminal.control_modes.intersects(ControlModes::CSTOPB | ControlModes::CRTSCTS));
        assert_eq!(terminal.input_speed(), baud);
    }
}

#[tokio::test]
async fn another_reader_of_the_port_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ttyGPS");
    let _cable = Cable::plug_in(&path);
    let source = SerialSource::new(&path, 9600);
    let before = source.other_reader().unwrap_or_default();
    assert!(!before.contains("reads"), "{before}");
    let port = File::open(&path).unwrap();
    let mut other = std::process::Command::new("sleep").arg("60").stdin(port).spawn().unwrap();
    let found = source.other_reader().unwrap_or_default();
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(found.starts_with(&format!("sleep (process {}) reads ", other.id())), "{found}");
}

#[tokio::test]
async fn a_file_that_is_no_port_is_refused_with_advice() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no-port");
    File::create(&path).unwrap();
    let Err(error) = SerialSource::new(&path, 9600).open().await else { panic!("a plain file is no port") };
    assert!(error.to_string().contains("is this a serial device?"), "{error}");
}
