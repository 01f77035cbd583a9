//! `container-tracker status`: what the running agent is doing, from the file that it keeps current.
//!
//! Exit code 0: all is well. 1: it runs, and something is wrong. 2: no agent runs, or it can't be seen.

mod printable;
mod running;
pub mod words;

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
#[cfg(feature = "lab")]
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};
use tracker_protocol::printable_json;

use crate::commands::config_argument::ConfigArgument;
use crate::platform::clock::{Clock, SystemClock};
use crate::platform::state_directory::StateDirectory;
use crate::status::file::StatusFile;
use crate::status::report::StatusReport;
use running::{ask_for_present, is_running};
use words::{describe, span, troubles};

/// How often `--watch` looks.
const LOOK: Duration = Duration::from_secs(1);

/// Of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArgs {
    /// Whose agent.
    #[command(flatten)]
    pub config: ConfigArgument,
    /// Print one JSON object, for scripts.
    #[arg(long)]
    pub json: bool,
    /// Show it again and again, until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
    /// With --watch, show the end of this file, where the agent's log goes; by default of what journald has of it.
    #[cfg(feature = "lab")]
    #[arg(long, value_name = "FILE", requires = "watch", conflicts_with = "json")]
    pub log: Option<PathBuf>,
}

/// Shows it as text or as JSON, once or every second.
pub fn run(args: &StatusArgs) -> anyhow::Result<ExitCode> {
    let config = args.config.load()?;
    loop {
        let seen = Seen::look(&config.state.directory, &args.config.start());
        let text = if args.json { printable_json(seen.to_json()) } else { seen.printable().to_text() };
        let is_read = match show(&text, args.watch && !args.json) {
            // As after `| head`: what was wanted has been read.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => false,
            shown => shown.map(|()| true)?,
        };
        if !args.watch || !is_read {
            return Ok(ExitCode::from(seen.health().code()));
        }
        std::thread::sleep(LOOK);
    }
}

fn show(text: &str, instead_of_the_last: bool) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if instead_of_the_last && std::io::stdout().is_terminal() {
        // Home, and clear what is below.
        write!(out, "\x1b[H\x1b[J")?;
    }
    writeln!(out, "{}", text.trim_end())?;
    out.flush()
}

/// How the agent is, as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// All is well.
    Well,
    /// It runs, and something is wrong.
    Trouble,
    /// No agent runs, or it can't be seen.
    NotRunning,
}

impl Health {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Well => 0,
            Self::Trouble => 1,
            Self::NotRunning => 2,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Trouble => "trouble",
            Self::NotRunning => "notRunning",
        }
    }
}

/// What can be seen of the agent.
pub struct Seen {
    /// What it wrote last.
    pub status: Option<StatusReport>,
    /// Why that is not the present.
    pub absent: Option<String>,
    /// What is wrong, one sentence each.
    pub troubles: Vec<String>,
    /// How old that is.
    pub age: Option<Duration>,
}

impl Seen {
    /// Looks at the agent of this state directory, which this command would start.
    pub fn look(state_directory: &Path, start: &str) -> Self {
        let clock = SystemClock::new(false);
        let is_alive =
            |status: &StatusReport| status.boot == clock.boot() && is_running(state_directory, status.pid);
        match StatusFile::read(state_directory) {
            Ok(Some(status)) => {
                let is_alive = is_alive(&status);
                let status = if is_alive { ask_for_present(state_directory, status) } else { status };
                Self::judge(status, &clock, is_alive)
            }
            // A simulation keeps no status, and an agent has none in its first moment.
            Ok(None) if StateDirectory::new(state_directory).is_locked() == Some(true) => {
                let directory = state_directory.display();
                Self::nobody(format!(
                    "what works in {directory} keeps no status; is it a simulation? It shows what it does by itself"
                ))
            }
            Ok(None) => Self::nobody(format!("no agent runs here; start it: {start}")),
            Err(error) => Self::nobody(format!("the status can't be read: {error}; try sudo")),
        }
    }

    fn nobody(why: String) -> Self {
        Self { status: None, absent: Some(why), troubles: Vec::new(), age: None }
    }

    fn judge(status: StatusReport, clock: &dyn Clock, is_alive: bool) -> Self {
        let pid = status.pid;
        if !is_alive {
            let absent = Some("the agent does not run; this is what it wrote last".into());
            return Self { status: Some(status), absent, troubles: Vec::new(), age: None };
        }
        let age = clock.monotonic().saturating_sub(status.written_at());
        let mut troubles = troubles(&status, clock.monotonic());
        if age > Duration::from_secs(status.stale_after_seconds) {
            let why = format!(
                "the agent (process {pid}) runs but has written nothing for {} s: does it hang?",
                age.as_secs()
            );
            troubles.insert(0, why);
        }
        Self { status: Some(status), absent: None, troubles, age: Some(age) }
    }

    /// The whole in a word.
    pub fn health(&self) -> Health {
        match (&self.absent, self.troubles.is_empty()) {
            (Some(_), _) => Health::NotRunning,
            (None, true) => Health::Well,
            (None, false) => Health::Trouble,
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "health": self.health().name(),
            "absent": self.absent,
            "wrong": self.troubles,
            "ageSeconds": self.age.map(|age| age.as_secs_f64()),
            "status": self.status,
        })
    }

    fn to_text(&self) -> String {
        let mut text = String::new();
        if let Some(why) = &self.absent {
            text += &format!("✗ {why}\n");
        }
        for trouble in &self.troubles {
            text += &format!("! {trouble}\n");
        }
        if self.health() == Health::Well {
            text += "✓ all is well\n";
        }
        if let Some(status) = &self.status {
            if let Some(age) = self.age {
                text += &format!("{:<14}{} ago\n", "as of", span(age.as_secs()));
            }
            describe(&mut text, status, &self.troubles);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(clock: &SystemClock) -> Value {
        json!({
            "pid": 1, "boot": clock.boot(), "writtenAtUptime": clock.monotonic().as_secs_f64(),
            "staleAfterSeconds": 30, "state": "online", "inStateSeconds": 180, "hub": "cheese-hub",
            "lastDelivered": {"seq": 7, "time": "2026-11-21T00:00:00Z"}, "takenOver": false, "hung": [],
            "journal": {"backlog": 0, "thinned": 0, "dropped": 0},
            "sensors": {"gps": {"state": "ok", "cause": ""}}, "lastFix": {"lat": 51.9, "lon": 4.1, "time": null},
            "time": "2026-11-21T00:00:00Z", "timeSource": "gps",
            "certificate": {"commonName": "box", "daysLeft": 300, "issuerDaysLeft": null},
            "firstRootEnd": {"name": "CN=Root", "notAfter": "2038-01-15T12:00:00Z", "daysLeft": 4000}, "version": "1", "troubles": [],
        })
    }

    fn seen(change: impl Fn(&mut Value), alive: bool) -> Seen {
        let clock = SystemClock::new(true);
        let mut status = status(&clock);
        change(&mut status);
        Seen::judge(serde_json::from_value(status).unwrap(), &clock, alive)
    }

    #[test]
    fn a_well_agent_is_shown_as_such() {
        let seen = seen(|_| {}, true);
        let text = seen.to_text();
        assert_eq!(seen.health(), Health::Well);
        for words in [
            "✓ all is well",
            "online, for 3 min",
            "reading 7 at",
            "51.9, 4.1",
            "box, 300 days left",
            "first to end is CN=Root, 4000 days left",
        ] {
            assert!(text.contains(words), "{words:?} is not in\n{text}");
        }
    }

    #[test]
    fn what_others_have_written_is_shown_and_not_obeyed() {
        let nasty = "a\n<3>all is well \u{1b}[2J\u{9b}\0\u{202e}";
        let telling = |text: &'static str| {
            move |status: &mut Value| {
                for field in ["hub", "version", "journalTrouble"] {
                    status[field] = text.into();
                }
                status["certificate"]["commonName"] = text.into();
                status["hung"] = json!([text]);
                status["sensors"]["gps"] = json!({"state": "failed", "cause": text});
                status["troubles"] = json!([{"time": null, "level": "warning", "text": text}]);
            }
        };
        let told = telling(nasty);
        let text = seen(told, true).printable().to_text();
        assert_eq!(text.lines().count(), seen(telling("x"), true).to_text().lines().count(), "{text}");
        let obeyed = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!text.contains(obeyed), "{text:?}");
        assert!(text.matches("a\\u{a}<3>all is well \\u{1b}[2J").count() >= 6, "{text}");
        let json = seen(told, true).to_json();
        assert_eq!(json["status"]["hub"], nasty, "as it is, with the escapes of JSON");
    }

    #[test]
    fn trouble_is_named() {
        let cases: [(&str, Value, &str); 8] = [
            ("/state", json!("refused"), "DPS refuses this device"),
            ("/hung", json!(["the uplink"]), "the uplink hangs"),
            ("/takenOver", json!(true), "another client uses"),
            ("/sensors/gps", json!({"state": "failed", "cause": "no byte"}), "gps: no byte"),
            ("/certificate/daysLeft", json!(12), "the certificate has 12 days left"),
            ("/certificate/issuerDaysLeft", json!(12), "the certificate's issuer has 12 days left"),
            (
                "/firstRootEnd",
                json!({"name": "CN=R", "daysLeft": -1}),
                "the root CN=R of servers has -1 days left",
            ),
            ("/writtenAtUptime", json!(-1e9), "does it hang?"),
        ];
        for (field, value, words) in cases {
            let seen = seen(|status| *status.pointer_mut(field).unwrap() = value.clone(), true);
            // A machine that has just started can't be silent for long.
            if field == "/writtenAtUptime" && SystemClock::new(true).monotonic() < Duration::from_mins(1) {
                continue;
            }
            assert_eq!(seen.health(), Health::Trouble, "{field}");
            assert!(seen.to_text().starts_with(&format!("! {}", &seen.troubles[0])), "{}", seen.to_text());
            assert!(seen.troubles[0].contains(words), "{:?}", seen.troubles);
        }
    }

    /// An agent in its eighth minute at a gateway where nobody listens, booted an hour ago.
    fn offline(change: impl Fn(&mut Value)) -> Seen {
        let why = "nobody listens there (connection refused by localhost:8999)";
        seen(
            |status| {
                let now = status["writtenAtUptime"].as_f64().unwrap();
                let trouble = |text: &str, ago: f64| json!({"time": null, "level": "warning", "text": text, "uptime": now - ago});
                status["state"] = "connecting".into();
                status["inStateSeconds"] = 480.into();
                status["lastDelivered"] = Value::Null;
                status["journal"]["backlog"] = 100.into();
                status["offlineCause"] = why.into();
                status["intervalSeconds"] = 5.into();
                status["troubles"] = json!([
                    trouble(&format!("no connection to the hub: {why}; trying again in 2 min"), 125.0),
                    trouble(&format!("no connection to the hub: {why}; trying again in 10 min"), 4.0),
                ]);
                change(status);
            },
            true,
        )
    }

    #[test]
    fn what_is_not_delivered_is_trouble_at_once_and_the_cause_is_told_once() {
        let seen = offline(|_| {});
        let text = seen.to_text();
        let head = "! connecting for 8 min, nothing delivered since the start, 100 readings wait: nobody listens there \
                    (connection refused by localhost:8999)\nas of         0 s ago\n";
        assert!(text.starts_with(head), "{text}");
        assert_eq!(text.matches("nobody listens there").count(), 1, "{text}");
        let lately = "lately\n  4 s ago warning no connection to the hub: as above; trying again in 10 min (2 times)\n";
        assert!(text.ends_with(lately), "{text}");
        assert_eq!(seen.health().code(), 1);
    }

    #[test]
    fn a_short_outage_is_none_until_readings_are_overdue() {
        let last = |status: &mut Value, ago: f64| {
            let now = status["writtenAtUptime"].as_f64().unwrap();
            status["lastDelivered"] = json!({"seq": 7, "time": "2026-11-21T00:00:00Z", "uptime": now - ago});
            status["inStateSeconds"] = 8.into();
        };
        let short = offline(|status| {
            last(status, 9.0);
            status["lastDelivered"]["time"] = Value::Null;
        });
        assert_eq!(short.health(), Health::Well);
        assert!(short.to_text().contains("last delivered reading 7, 9 s ago\n"), "{}", short.to_text());
        let overdue = offline(|status| last(status, 14.0));
        let head = "connecting for 8 s, nothing delivered for 14 s, 100 readings wait: nobody listens there";
        assert!(overdue.troubles[0].starts_with(head), "{:?}", overdue.troubles);
        let often = |ago: f64| {
            offline(|status| {
                last(status, ago);
                status["intervalSeconds"] = 1.into();
            })
        };
        assert_eq!((often(8.0).health(), often(14.0).health()), (Health::Well, Health::Trouble));
        // Online, and the hub acknowledges nothing.
        let deaf = offline(|status| {
            last(status, 14.0);
            status["state"] = "online".into();
        });
        assert_eq!(deaf.troubles, ["online for 8 s, nothing delivered for 14 s, 100 readings wait"]);
        let calm = offline(|status| {
            last(status, 14.0);
            status["journal"]["backlog"] = 0.into();
        });
        assert_eq!(calm.health(), Health::Well, "nothing is due");
    }

    #[test]
    fn who_waits_for_the_time_is_not_well_and_says_so() {
        let seen = offline(|status| {
            let why = "the time is not known yet, so certificates can't be checked";
            status["state"] = "registering".into();
            status["time"] = Value::Null;
            status["offlineCause"] = why.into();
            status["certificate"]["daysLeft"] = Value::Null;
            status["troubles"] = json!([{"time": null, "level": "warning", "text": why}]);
        });
        let text = seen.to_text();
        assert!(
            text.starts_with("! registering for 8 min, nothing delivered since the start, 100 readings"),
            "{text}"
        );
        assert_eq!(text.matches("certificates can't be checked").count(), 1, "{text}");
        assert!(text.contains("\nclock         the time is not known yet\ncertificate   box\n"), "{text}");
        assert!(text.ends_with("lately\n  time unknown warning as above\n"), "{text}");
        assert_eq!(seen.health().code(), 1);
    }

    #[test]
    fn what_an_agent_that_is_gone_left_behind_is_not_taken_for_the_present() {
        let seen = seen(|_| {}, false);
        assert_eq!((seen.health(), seen.health().code()), (Health::NotRunning, 2));
        assert!(seen.to_text().starts_with("✗ the agent does not run; this is what it wrote last"));
    }
}
