//! Who else reads a serial port. Of two readers each gets some of the bytes, and neither a sentence.

use std::fs;
use std::os::linux::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{major, minor};

/// Programs that open serial ports by themselves. Whose files they are may not be seen, as they run as root.
const HUNTERS: [&str; 2] = ["gpsd", "ModemManager"];

/// Another reader of the port at `path`, and how to be rid of it, in words for people.
pub(super) fn other_reader(path: &Path) -> Option<String> {
    let port = fs::canonicalize(path).ok()?;
    let name = port.file_name()?.to_string_lossy().into_owned();
    let device = fs::metadata(&port).ok()?.st_rdev();
    let consoles = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    let others =
        || fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|entry| Process::of(&entry));
    if let Some(process) = others().find(|process| process.has_open(&port) || process.is_on(device)) {
        let Process { number, command, .. } = &process;
        return Some(format!("{command} (process {number}) reads {name} too; {}", rid_of(command, &name)));
    }
    if consoles.split_whitespace().any(|console| console == name) {
        return Some(format!(
            "{name} is the kernel's console; take console={name} (or serial0) out of cmdline.txt and reboot"
        ));
    }
    let hunter = others().find(|process| HUNTERS.contains(&&*process.command))?;
    Some(format!("{} runs and may have it; {}", hunter.command, rid_of(&hunter.command, &name)))
}

fn rid_of(command: &str, port: &str) -> String {
    match command {
        "agetty" | "getty" | "login" => format!("systemctl disable --now serial-getty@{port}"),
        "gpsd" => "systemctl disable --now gpsd.socket gpsd".into(),
        "ModemManager" => "systemctl disable --now ModemManager, or have it pass over the port".into(),
        _ => "stop it".into(),
    }
}

/// A process other than this one.
struct Process {
    number: u32,
    command: String,
    /// Number of its controlling terminal, as `/proc` has it.
    terminal: u64,
    folder: PathBuf,
}

impl Process {
    fn of(entry: &fs::DirEntry) -> Option<Self> {
        let number =
            entry.file_name().to_str()?.parse().ok().filter(|number| *number != std::process::id())?;
        let folder = entry.path();
        // The name stands in brackets and may hold brackets.
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        let (head, tail) = stat.rsplit_once(')')?;
        let command = head.split_once('(')?.1.to_owned();
        let terminal = tail.split_whitespace().nth(4)?.parse().ok()?;
        Some(Self { number, command, terminal, folder })
    }

    fn is_on(&self, device: u64) -> bool {
        let (major, minor) = (u64::from(major(device)), u64::from(minor(device)));
        self.terminal != 0 && self.terminal == (minor & 0xFF) | major << 8 | (minor & !0xFF) << 12
    }

    /// As far as this process may see.
    fn has_open(&self, port: &Path) -> bool {
        let files = fs::read_dir(self.folder.join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| fs::read_link(file.path()).ok()).any(|open| open == port)
    }
}
