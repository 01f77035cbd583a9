//! What the documents have a newcomer paste, run as it is written, in an empty directory.

#![cfg(all(feature = "lab", unix))]
#![allow(clippy::disallowed_methods)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// The shell blocks of a document after some words, up to the next heading.
fn blocks(document: &str, words: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
    let (_, section) = text.split_once(&format!("\n{words}")).unwrap();
    let section = section.split("\n## ").next().unwrap().split("\n### ").next().unwrap();
    section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

/// An empty directory, with the program on the path; but for the port, of which other tests want one too.
fn empty_directory() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_container-tracker");
    let script = format!("#!/bin/sh\n[ $1 = emulator ] && set -- \"$@\" --port 0\nexec {program} \"$@\"\n");
    let on_path = directory.path().join("bin/container-tracker");
    fs::create_dir(on_path.parent().unwrap()).unwrap();
    fs::write(&on_path, script).unwrap();
    fs::set_permissions(&on_path, fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// A shell that ends with what it runs.
struct Terminal(Child);

impl Terminal {
    /// Pastes commands, and gives the lines that are shown at once.
    fn all(directory: &Path, commands: &str) -> Vec<String> {
        let (mut terminal, lines) = Self::paste(directory, &format!("{commands}true"));
        let lines = lines.collect();
        assert!(terminal.0.wait().unwrap().success(), "{lines:#?}");
        lines
    }

    /// Pastes commands, of which the last takes the place of the shell, and gives the lines that are shown.
    fn paste(directory: &Path, commands: &str) -> (Self, impl Iterator<Item = String> + use<>) {
        let (before, last) = match commands.trim_end().rsplit_once('\n') {
            Some((before, last)) => (before, last),
            None => ("", commands),
        };
        let mut child = Command::new("sh")
            .args(["-e", "-c", &format!("{before}\nexec {last}")])
            .current_dir(directory)
            .env("PATH", format!("{}:{}", directory.join("bin").display(), std::env::var("PATH").unwrap()))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        (Self(child), lines)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_device_of_ones_own_delivers_to_the_emulator_and_follows_its_twin() {
    let blocks = blocks("README.md", "### A device at the emulator\n");
    let [emulator, device, operator] = &blocks[..] else { panic!("{blocks:#?}") };
    let directory = empty_directory();
    let (_emulator, mut shown) = Terminal::paste(directory.path(), emulator);
    assert!(shown.any(|line| line.contains("`container-tracker cloud …` works on it")), "it starts");
    let file = fs::read_to_string(directory.path().join("emulator.json")).unwrap();
    let file: serde_json::Value = serde_json::from_str(&file).unwrap();
    let port = file["address"].as_str().unwrap().rsplit_once(':').unwrap().1;

    let (_device, mut device_shows) = Terminal::paste(directory.path(), &device.replace("8883", port));
    assert!(device_shows.any(|line| line.contains("online at hub-1.azure-devices.net")), "it gets that far");

    let (_operator, shown) = Terminal::paste(directory.path(), operator);
    let is_message = |line: &String| line.contains("\"temperature\"") && line.contains("sensor-thl-001");
    assert_eq!(shown.filter(is_message).take(2).count(), 2, "messages come");
    assert!(device_shows.any(|line| line.contains("twin: telemetryInterval = 2")), "it follows");
}

#[test]
fn a_ca_is_proved_as_the_page_on_the_cloud_says() {
    let directory = empty_directory();
    let authority: String = blocks("docs/azure.md", "## 2. Certificates\n").into_iter().take(2).collect();
    Terminal::all(directory.path(), &authority);
    let pki = directory.path().join("pki");
    std::os::unix::fs::symlink(directory.path().join("bin"), pki.join("bin")).unwrap();
    let (_emulator, mut shown) = Terminal::paste(&pki, "container-tracker emulator");
    assert!(shown.any(|line| line.contains("`container-tracker cloud …` works on it")), "it starts");
    let shown = Terminal::all(&pki, &blocks("docs/cloud.md", "**The CA.**")[0]);
    // The table at the end.
    assert!(
        shown.last().is_some_and(|line| line.starts_with("root ") && line.contains("true")),
        "{shown:#?}"
    );
}
