//! `container-tracker factory`: the computer of a line that makes trackers. For each box: request in, chain out, check, provision, label,
//! and a row in a table.
//!
//! ```text
//!  serials.csv ─▶ requests/ID.csr ─▶ CA ─▶ devices/ID-chain.pem ─▶ deliver ─▶ check ─▶ provision ─▶ labels/ID.svg, ID.zpl
//!                                                                                            factory.csv: a row a box
//! ```
//!
//! What is done stands in the table, and in the CA's register; a run that is killed goes on there. Exit code 0: all boxes are good. 1: some
//! are not, or something here is not as it should be.

mod label;
mod step;
mod table;
mod work;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context;
use tracker_protocol::printable;

use super::pki::issuer::{Issuer, IssuerArgs};
use super::pki::place::{Place, make_directory};
use super::pki::serials::{Serial, Serials};
use super::terminal::stopping::Stop;
use crate::platform::stderr::tell;
use crate::platform::stdout::line;
use table::{Row, Table};
use work::{Steps, Work};

/// How often it is looked for requests.
const LOOK: Duration = Duration::from_millis(500);
/// Requests in the directory whose names are not in the list are told up to so many.
const STRANGERS: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct FactoryArgs {
    /// The boxes: one registration ID a line, or a table (CSV) with a column "serial".
    #[arg(long, value_name = "FILE")]
    serials: PathBuf,
    /// Where the CA is.
    #[arg(long, short = 'D', value_name = "DIR", default_value = "pki")]
    directory: PathBuf,
    /// Where requests arrive, as ID.csr.
    #[arg(long, value_name = "DIR", default_value = "requests", conflicts_with = "make_keys")]
    requests: PathBuf,
    /// Make the keys here, and wait for no requests.
    #[arg(long)]
    make_keys: bool,
    /// Put the chains there too, as ID-chain.pem.
    #[arg(long, value_name = "DIR")]
    chains: Option<PathBuf>,
    /// Where labels go, as ID.svg and ID.zpl.
    #[arg(long, value_name = "DIR", default_value = "labels")]
    labels: PathBuf,
    /// The table of all boxes.
    #[arg(long, short, value_name = "FILE", default_value = "factory.csv")]
    out: PathBuf,
    /// Brings the chain to the box: a command of the shell, in which {id}, {chain} and {key} are replaced.
    #[arg(long, value_name = "COMMAND")]
    deliver: Option<String>,
    /// Looks at the box; the box is good if it ends with 0.
    #[arg(long, value_name = "COMMAND")]
    check: Option<String>,
    /// Registers the box, and prints what `container-tracker provision --json` prints.
    #[arg(long, value_name = "COMMAND")]
    provision: Option<String>,
    /// How long each command may take, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..=3600))]
    within: u64,
    /// How long to wait where DPS says that it is busy, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=3600))]
    later: u64,
    /// Work on what is there, and do not wait for the rest.
    #[arg(long)]
    once: bool,
    /// Pass over bad rows of the list, in place of doing nothing.
    #[arg(long)]
    skip_bad: bool,
    #[command(flatten)]
    issuer: IssuerArgs,
}

pub(super) fn run(args: &FactoryArgs) -> anyhow::Result<ExitCode> {
    let (serials, bad) = if args.skip_bad {
        let list = Serials::read(&args.serials, args.issuer.capitals)?;
        (list.good, list.bad)
    } else {
        (Serials::read_all(&args.serials, args.issuer.capitals)?, Vec::new())
    };
    for bad in &bad {
        tell!("{}", printable(format!("{}: passed over: {bad}", args.serials.display())));
    }
    let issuer = Issuer::open(&Place::new(&args.directory), &args.issuer)?;
    for directory in [Some(&args.labels), args.chains.as_ref(), (!args.make_keys).then_some(&args.requests)] {
        directory.map_or(Ok(()), |path| make_directory(path))?;
    }
    let table = Table::open(&args.out)?;
    let steps = Steps {
        deliver: args.deliver.clone(),
        check: args.check.clone(),
        provision: args.provision.clone(),
        within: Duration::from_secs(args.within),
        later: Duration::from_secs(args.later),
    };
    let stop = Stop::listen();
    let work = Work {
        stop: stop.clone(),
        issuer,
        steps,
        labels: args.labels.clone(),
        chains: args.chains.clone(),
        capitals: args.issuer.capitals,
        force: args.issuer.force,
    };
    let done = serials.iter().filter(|serial| table.is_green(&serial.id)).count();
    let boxes = serials.len();
    let mut shift =
        Shift { stop, work, table, boxes, done, green: 0, red: 0, paint: std::io::stdout().is_terminal() };
    let left = shift.all(args, &serials)?;
    shift.tell_end(left);
    Ok(if shift.done == boxes && bad.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What goes on since the start of the program.
struct Shift {
    stop: Stop,
    work: Work,
    table: Table,
    /// In the list.
    boxes: usize,
    /// Of those, good ones, of this run and earlier ones.
    done: usize,
    green: usize,
    red: usize,
    paint: bool,
}

/// Boxes that were not worked on, or in vain.
#[derive(Debug, Default)]
struct Left {
    /// There was no request.
    waiting: usize,
    /// It was ended before their turn, or in the middle.
    stopped: usize,
}

/// A file as it was when it was looked at.
type Seen = (u64, Option<SystemTime>);

impl Shift {
    /// Works on all boxes, and says how many are left.
    fn all(&mut self, args: &FactoryArgs, serials: &[Serial]) -> anyhow::Result<Left> {
        let mut open: Vec<&Serial> =
            serials.iter().filter(|serial| !self.table.is_green(&serial.id)).collect();
        if self.done > 0 {
            line(&format!("{} of {} boxes are done already", self.done, self.boxes));
        }
        if args.make_keys {
            let mut left = Left::default();
            for serial in open {
                left.stopped += usize::from(self.one(serial, None)?.is_none());
            }
            return Ok(left);
        }
        strangers(&args.requests, serials)?;
        // What was seen at the last look, and what was worked on in vain.
        let mut last: HashMap<String, Seen> = HashMap::new();
        let mut vain: HashMap<String, Seen> = HashMap::new();
        let mut is_told = false;
        loop {
            let mut left = Vec::new();
            for serial in open {
                let path = args.requests.join(format!("{}.csr", serial.id));
                let Some(seen) = look(&path) else {
                    left.push(serial);
                    continue;
                };
                // One that is being copied still grows.
                let is_still = args.once || last.insert(serial.id.clone(), seen) == Some(seen);
                if vain.get(&serial.id) == Some(&seen) || !is_still {
                    left.push(serial);
                    continue;
                }
                match self.one(serial, Some(&path))? {
                    Some(true) => {}
                    Some(false) => {
                        vain.insert(serial.id.clone(), seen);
                        left.push(serial);
                    }
                    None => left.push(serial),
                }
            }
            open = left;
            if open.is_empty() || args.once || self.stop.is_asked() {
                let is_here =
                    |serial: &Serial| look(&args.requests.join(format!("{}.csr", serial.id))).is_some();
                let untried = open.iter().filter(|serial| !vain.contains_key(&serial.id));
                let (stopped, waiting): (Vec<&Serial>, Vec<&Serial>) =
                    untried.copied().partition(|serial| is_here(serial));
                return Ok(Left { waiting: waiting.len(), stopped: stopped.len() });
            }
            if !is_told {
                line(&format!("waiting for requests in {}; Ctrl-C ends", args.requests.display()));
                is_told = true;
            }
            self.stop.sleep(LOOK);
        }
    }

    /// One box: whether it is good; `None` where all is to end before that is known. What is wrong with this computer ends all.
    fn one(&mut self, serial: &Serial, request: Option<&Path>) -> anyhow::Result<Option<bool>> {
        if self.stop.is_asked() {
            return Ok(None);
        }
        let begun = Instant::now();
        let row = self.work.one(serial, request);
        let row = Row { seconds: begun.elapsed().as_secs(), ..row };
        let is_green = row.is_green();
        if !is_green && self.stop.is_asked() {
            // Ctrl-C reaches the commands of the line too: what they say of it is nothing about the box.
            let text = format!("left  {}: stopped at {}; the next run goes on there", row.id, row.step);
            line(&printable(text));
            return Ok(None);
        }
        *(if is_green { &mut self.green } else { &mut self.red }) += 1;
        let text = if is_green {
            let hub = if row.hub.is_empty() { String::new() } else { format!(" at {}", row.hub) };
            format!("good  {}{hub}", row.id)
        } else {
            format!("BAD   {}: row {}: {}: {}", row.id, row.row, row.step, row.why)
        };
        self.table.put(row)?;
        self.done += usize::from(is_green);
        let counts =
            format!("{}/{}, this shift {} good, {} bad", self.done, self.boxes, self.green, self.red);
        line(&format!("{}  [{counts}]", self.painted(&printable(&text), is_green)));
        Ok(Some(is_green))
    }

    fn painted(&self, text: &str, is_green: bool) -> String {
        if !self.paint || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return text.into();
        }
        format!("\u{1b}[1;{}m{text}\u{1b}[0m", if is_green { 32 } else { 31 })
    }

    fn tell_end(&self, Left { waiting, stopped }: Left) {
        let left = if stopped > 0 { format!(", {stopped} left") } else { String::new() };
        line(&format!(
            "{} of {} boxes are good, {} bad, {waiting} without a request{left}; this shift: {} good, {} tries bad; {}",
            self.done,
            self.boxes,
            self.boxes - self.done - waiting - stopped,
            self.green,
            self.red,
            self.table.path().display()
        ));
    }
}

/// Size and time of a file that is there.
fn look(path: &Path) -> Option<Seen> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.len(), metadata.modified().ok()))
}

/// Names the requests that no row of the list is about.
fn strangers(directory: &Path, serials: &[Serial]) -> anyhow::Result<()> {
    let known: HashSet<String> = serials.iter().map(|serial| format!("{}.csr", serial.id)).collect();
    let reading = || format!("can't read the directory {}", directory.display());
    let mut told = 0;
    for entry in fs::read_dir(directory).with_context(reading)? {
        let name = entry.with_context(reading)?.file_name().to_string_lossy().into_owned();
        let is_request =
            Path::new(&name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csr"));
        if is_request && !known.contains(&name) && told < STRANGERS {
            told += 1;
            let path = directory.join(name);
            tell!(
                "{}",
                printable(format!(
                    "{}: the list has no such serial number; it is left alone",
                    path.display()
                ))
            );
        }
    }
    Ok(())
}
