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

    /// Whether what was started runs.
    fn is_open(&self) -> bool {
        Path::new("/proc").join(self.0.id().to_string()).join("exe").exists() || !cfg!(target_os = "linux")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // What it has made is cleared away then.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

/// A shell block of a document, and how it is to be run: `<!-- goes on; shows: WORDS -->` before it where it runs until Ctrl-C and
/// shows that it works, `<!-- not run: WHY -->` where it can't be run here, `<!-- in an empty directory: WHY -->` where a story of its
/// own begins. Without a comment it has to succeed.
struct Block {
    heading: String,
    comment: Option<String>,
    commands: String,
}

impl Block {
    /// All of a document.
    fn all(document: &str) -> Vec<Self> {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).unwrap();
        let (mut blocks, mut heading, mut comment) = (Vec::new(), String::new(), None);
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            if line == "```sh" {
                let commands = lines.by_ref().take_while(|line| *line != "```");
                let commands = commands.map(|line| line.to_owned() + "\n").collect();
                blocks.push(Self { heading: heading.clone(), comment: comment.take(), commands });
            } else if line.starts_with("```") {
                lines.by_ref().take_while(|line| *line != "```").for_each(drop);
            } else if line.starts_with('#') {
                line.clone_into(&mut heading);
            }
            comment =
                line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")).map(str::to_owned);
        }
        blocks
    }
}

/// Pastes all blocks of a document one after the other in an empty directory, and gives how many were run, and which were not.
fn paste_all(document: &str) -> (usize, Vec<String>) {
    let mut directory = empty_directory();
    let (mut open, mut heading): (Vec<(usize, Terminal)>, _) = (Vec::new(), String::new());
    // Variables of the terminal, with what has set them.
    let mut variables: Vec<(String, String)> = Vec::new();
    let (mut ran, mut not_run) = (0, Vec::new());
    for block in Block::all(document) {
        let depth = block.heading.find(' ').unwrap_or_default();
        if block.heading != heading {
            // What a section has started is ended with Ctrl-C when the next one begins; those below it are its own.
            open.retain(|(of, _)| *of < depth);
            heading.clone_from(&block.heading);
        }
        let mut commands = block.commands.replace("cargo run --release -- ", "container-tracker ");
        // The emulator of the tests listens elsewhere.
        if let Ok(file) = fs::read_to_string(directory.path().join("emulator.json")) {
            let file: serde_json::Value = serde_json::from_str(&file).unwrap();
            commands =
                commands.replace("8883", file["address"].as_str().unwrap().rsplit_once(':').unwrap().1);
        }
        for (name, line) in &variables {
            if commands.contains(&format!("${name}")) && !commands.contains(line) {
                commands.insert_str(0, &format!("{line}\n"));
            }
        }
        let set = block.commands.lines().filter_map(|line| Some((line.split_once("=$(")?.0, line)));
        variables.extend(set.map(|(name, line)| (name.to_owned(), line.to_owned())));
        match block.comment.as_deref().map(|comment| comment.split_once(": ").unwrap()) {
            Some(("not run", why)) => not_run.push(format!("{heading}: {why}")),
            Some(("goes on; shows", words)) => {
                let (terminal, mut shown) = Terminal::paste(directory.path(), &commands);
                let seen: Vec<_> =
                    shown.by_ref().take(500).take_while(|line| !line.contains(words)).collect();
                assert!(seen.len() < 500 && terminal.is_open(), "no {words:?} of {commands}: {seen:#?}");
                // Nobody is held up by what is not read.
                std::thread::spawn(move || shown.for_each(drop));
                open.push((depth, terminal));
                ran += 1;
            }
            Some(("in an empty directory", _)) => {
                directory = empty_directory();
                Terminal::all(directory.path(), &commands);
                ran += 1;
            }
            None => {
                Terminal::all(directory.path(), &commands);
                ran += 1;
            }
            Some(other) => panic!("{heading}: {other:?} is no way to run a block"),
        }
    }
    assert!(not_run.iter().all(|why| why.len() > 20), "{not_run:#?}");
    (ran, not_run)
}

#[test]
fn the_blocks_of_the_readme_work_one_after_the_other_in_an_empty_directory() {
    let (ran, not_run) = paste_all("README.md");
    println!("not run of README.md: {not_run:#?}");
    assert!(ran >= 7, "only {ran} blocks are run");
}

#[test]
fn the_labs_of_the_course_work_as_its_page_says() {
    let (ran, not_run) = paste_all("docs/az-220.md");
    assert_eq!((ran, not_run.len()), (3, 1), "{not_run:#?}");
}

#[test]
fn a_device_of_ones_own_follows_its_twin() {
    let blocks: Vec<_> = Block::all("README.md")
        .into_iter()
        .filter(|block| block.heading == "### A device at the emulator")
        .map(|block| block.commands)
        .collect();
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
fn the_page_on_the_cloud_works_from_its_beginning_to_its_end() {
    let (ran, not_run) = paste_all("docs/cloud.md");
    assert_eq!((ran, not_run.len()), (19, 4), "{not_run:#?}");
}

#[test]
fn openssl_makes_the_certificates_of_the_page_on_azure() {
    let directory = empty_directory();
    let shown = Terminal::all(directory.path(), &blocks("docs/azure.md", "## 2. Certificates\n").concat());
    assert!(shown.iter().any(|line| line == "sensor-thl-001.pem: OK"), "{shown:#?}");
    let pki = directory.path().join("pki");
    let shown = Terminal::all(&pki, "../bin/container-tracker pki show sensor-thl-001-chain.pem\n");
    assert!(shown.iter().any(|line| line.contains("Example Tracker Intermediate CA")), "{shown:#?}");
}

#[test]
fn what_is_pasted_on_a_pi_says_why_it_is_not_run_here() {
    let (ran, not_run) = paste_all("docs/raspberry-pi.md");
    assert_eq!(ran, 0, "{not_run:#?}");
}
