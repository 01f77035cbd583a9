//! A terminal at which the program is started: what it wrote there, keys, and how it left it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use super::pseudo_terminal;

const PATIENCE: Duration = Duration::from_mins(1);

/// What ends a screen: style, cursor and page as before.
pub const LEFT: &str = "\x1b[0m\x1b[?25h\x1b[?1049l";
/// What begins one.
pub const ENTERED: &str = "\x1b[?1049h";
/// What begins a drawing anew.
pub const CLEAR: &str = "\x1b[2J";

/// A terminal.
pub struct Terminal {
    person: File,
    path: PathBuf,
    /// Kept open, as by a shell.
    shell: File,
    before: Termios,
    written: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    pub fn new(columns: u16, rows: u16) -> Self {
        let (person, path) = pseudo_terminal();
        let shell = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let before = tcgetattr(&shell).unwrap();
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let (mut screen, kept) = (person.try_clone().unwrap(), written.clone());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = screen.read(&mut bytes) {
                kept.lock().unwrap().extend_from_slice(&bytes[..read]);
            }
        });
        let terminal = Self { person, path, shell, before, written };
        terminal.resize(columns, rows);
        terminal
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.shell, size).unwrap();
    }

    /// A program that will be started here, in a locale of UTF-8.
    pub fn before<'a>(&self, program: &'a mut Command) -> &'a mut Command {
        let end = || Stdio::from(OpenOptions::new().read(true).write(true).open(&self.path).unwrap());
        program.stdin(end()).stdout(end()).stderr(end());
        program.env("TERM", "xterm").env("LC_ALL", "C.UTF-8").env_remove("NO_COLOR")
    }

    pub fn press(&self, keys: &str) {
        (&self.person).write_all(keys.as_bytes()).unwrap();
    }

    /// All that was written.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Waits for what is written, as it is.
    pub fn wait_for(&self, words: &str) {
        self.wait_until(|text| text.contains(words));
    }

    /// Waits until what is written is as it is wanted.
    pub fn wait_until(&self, is_it: impl Fn(&str) -> bool) {
        let start = Instant::now();
        while !is_it(&self.text()) {
            assert!(start.elapsed() < PATIENCE, "something is missing in\n{:?}", self.text());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until words are seen on the screen, which was cleared for so many times.
    pub fn wait_to_see(&self, words: &str, clears: usize) {
        let start = Instant::now();
        while self.text().matches(CLEAR).count() < clears || !self.screen().contains(words) {
            assert!(start.elapsed() < PATIENCE, "no {words:?} in\n{}", self.screen());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// What is seen, line by line.
    pub fn screen(&self) -> String {
        let text = self.text();
        let shown = text.rsplit_once(CLEAR).map_or("", |(_, shown)| shown);
        let mut cells = BTreeMap::new();
        let (mut x, mut y) = (1, 1);
        for (index, part) in shown.split("\x1b[").enumerate() {
            let after = if index == 0 {
                0
            } else {
                part.find(|c: char| c.is_ascii_alphabetic()).map_or(0, |at| at + 1)
            };
            let (sequence, letters) = part.split_at(after);
            if let Some((row, column)) = sequence.strip_suffix('H').and_then(|at| at.split_once(';')) {
                (y, x) = (row.parse::<u16>().unwrap(), column.parse::<u16>().unwrap());
            }
            for letter in letters.chars() {
                cells.insert((y, x), letter);
                x += 1;
            }
        }
        let (columns, rows) = (cells.keys().map(|at| at.1).max(), cells.keys().map(|at| at.0).max());
        let line = |y| {
            let at = |x| cells.get(&(y, x)).copied().unwrap_or(' ');
            (1..=columns.unwrap_or(0)).map(at).collect::<String>().trim_end().to_owned() + "\n"
        };
        (1..=rows.unwrap_or(0)).map(line).collect()
    }

    /// Waits for the end of a program, and looks whether the terminal is as it was before. Gives what was written after.
    pub fn is_left_by(&self, mut program: Child) -> (ExitStatus, String) {
        let start = Instant::now();
        let ended = loop {
            if let Some(ended) = program.try_wait().unwrap() {
                break ended;
            }
            if start.elapsed() > PATIENCE {
                program.kill().unwrap();
                panic!("it does not end: {:?}", self.text());
            }
            thread::sleep(Duration::from_millis(20));
        };
        self.wait_for(LEFT);
        // What is on its way arrives.
        thread::sleep(Duration::from_millis(100));
        let text = self.text();
        let after = text.rsplit_once(LEFT).unwrap().1.to_owned();
        assert!(!after.contains("\x1b[?25l"), "the cursor is seen: {after:?}");
        assert_eq!(text.matches(ENTERED).count(), text.matches("\x1b[?1049l").count());
        let (before, now) = (&self.before, tcgetattr(&self.shell).unwrap());
        assert_eq!(
            (now.input_modes, now.output_modes, now.control_modes, now.local_modes),
            (before.input_modes, before.output_modes, before.control_modes, before.local_modes)
        );
        (ended, after)
    }
}

/// Sends a signal, by its name.
pub fn signal(program: &Child, name: &str) {
    assert!(Command::new("kill").args([name, &program.id().to_string()]).status().unwrap().success());
}
