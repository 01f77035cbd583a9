//! The direct method `getDiagnostics`: what a person wants to know who can't come to the device. All of it is at hand, or asked
//! of the kernel; nothing is measured, dialled or written for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tracker_timers::timeout;

use crate::config::{Config, Profile};
use crate::event::lines::{KEPT, Lines};
use crate::identity::Identity;
use crate::platform::background::Background;
use crate::platform::disk_room::free_mib;
use crate::platform::secrets::hidden;
use crate::platform::shorten::shorten;
use crate::platform::timestamp::Timestamp;
use crate::settings::InForce;
use crate::status::Status;

/// Its name.
pub const METHOD: &str = "getDiagnostics";
/// Bytes of an answer: an eighth of what a hub takes, as it may go over a link that is billed.
const LARGEST: usize = 16 * 1024;
/// Characters of each text in it.
const LONGEST: usize = 300;
/// How long the disk may take to say how much it still takes.
const DISK_WITHIN: Duration = Duration::from_secs(2);
/// What goes around the log, and what is said of what is cut.
const FRAME: usize = 128;
/// What goes first of the status where there is too much.
const DISPENSABLE: [&str; 2] = ["activeAlarms", "places"];
/// Of this program.
const FEATURES: [(&str, bool); 5] = [
    ("lab", cfg!(feature = "lab")),
    ("pkcs11", cfg!(feature = "pkcs11")),
    ("mqtt5", cfg!(feature = "mqtt5")),
    ("sas", cfg!(feature = "sas")),
    ("tpm", cfg!(feature = "tpm")),
];

/// What an answer is made of beside the status.
#[derive(Clone)]
pub struct Diagnostics(Arc<Inner>);

struct Inner {
    connection: Value,
    key_in: &'static str,
    issued_by: &'static str,
    journal_mib: u32,
    directory: PathBuf,
    lines: Lines,
}

/// How many lines of the log are wanted; an error is a sentence for who has called.
pub fn wish(payload: &[u8]) -> Result<usize, String> {
    let bad = |what: &str| {
        format!(
            "{what}; the payload is empty or {{\"lines\": n}}, where n is a whole number from 0 to {KEPT}"
        )
    };
    let payload = payload.trim_ascii();
    if payload.is_empty() {
        return Ok(KEPT);
    }
    match serde_json::from_slice(payload) {
        Ok(Value::Null) => Ok(KEPT),
        Ok(Value::Object(members)) => match members.iter().next() {
            None => Ok(KEPT),
            Some((name, lines)) if members.len() == 1 && name == "lines" => {
                let lines = lines.as_u64().and_then(|lines| usize::try_from(lines).ok());
                lines.filter(|lines| *lines <= KEPT).ok_or_else(|| bad("lines is no such number"))
            }
            Some(_) => Err(bad("there are other members than lines")),
        },
        Ok(_) => Err(bad("it is no object")),
        Err(_) => Err(bad("it is no JSON")),
    }
}

impl Diagnostics {
    /// Of an agent with this configuration, whose log is in `lines`.
    pub fn new(config: &Config, lines: Lines) -> Self {
        let way = &config.connection;
        let connection = json!({
            "idScope": config.dps.id_scope,
            "dpsHost": config.dps.host,
            "transport": way.transport.to_string(),
            "port": way.port,
            "keepAlive": way.keep_alive,
            "profile": if way.profile == Profile::Assigned { "assigned" } else { "classic" },
            "gateway": way.gateway.as_ref().map(ToString::to_string).unwrap_or_default(),
            "proxy": way.proxy.as_ref().map(|proxy| proxy.endpoint.to_string()).unwrap_or_default(),
        });
        let identity = &config.identity;
        Self(Arc::new(Inner {
            connection,
            key_in: if identity.key.file().is_some() { "file" } else { "token" },
            issued_by: if identity.operational.is_some() { "dps" } else { "file" },
            journal_mib: config.state.journal_size_mib,
            directory: config.state.directory.clone(),
            lines,
        }))
    }

    /// All that is known at once.
    pub fn facts(
        &self,
        status: &Status,
        settings: &InForce,
        identity: Option<&Identity>,
        up: Duration,
    ) -> Map<String, Value> {
        let now = status.clock.certificate_time();
        let days = |end| now.map(|now| chrono::DateTime::signed_duration_since(end, now).num_days());
        let mut facts = Map::new();
        let mut put = |name: &str, value: Value| facts.insert(name.into(), value);
        put("status", json!(status.device()));
        let features = FEATURES.iter().filter(|(_, is_on)| *is_on);
        put(
            "program",
            json!({
                "target": format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
                "features": features.map(|(name, _)| *name).collect::<Vec<_>>(),
                "upSeconds": up.as_secs(),
                "memoryKib": memory_kib(),
            }),
        );
        put("connection", self.0.connection.clone());
        let identity = identity.filter(|identity| !identity.has_no_certificate());
        if let Some(Identity { not_before, not_after, .. }) = identity {
            put(
                "certificate",
                json!({
                    "validFrom": Timestamp(*not_before),
                    "validUntil": Timestamp(*not_after),
                    "daysLeft": days(*not_after),
                    "keyIn": self.0.key_in,
                    "issuedBy": self.0.issued_by,
                }),
            );
        }
        if let Some(root) = &*status.first_root_end.borrow() {
            let end = json!({"name": root.name, "validUntil": Timestamp(root.not_after), "daysLeft": days(root.not_after)});
            put("firstRootEnd", end);
        }
        put("settings", in_force(settings));
        let health = status.journal.health().borrow().clone();
        put(
            "storage",
            json!({
                "directory": self.0.directory,
                "journalMib": self.0.journal_mib,
                "state": if health.trouble.is_none() { "ok" } else { "memory" },
                "trouble": health.trouble.unwrap_or_default(),
                "setAside": health.set_aside.unwrap_or_default(),
            }),
        );
        facts
    }

    /// The answer, with so many lines of the log as fit. The disk is asked in another thread, as it may hang.
    pub async fn answer(self, facts: Map<String, Value>, lines: usize, background: Background) -> String {
        let (tell, told) = oneshot::channel();
        let directory = self.0.directory.clone();
        background.run(&directory.join("free"), move || {
            // Who has asked may not wait any more.
            let _ = tell.send(free_mib(&directory));
        });
        let free = timeout(DISK_WITHIN, told).await.ok().and_then(Result::ok).flatten();
        let mut facts = Value::Object(facts);
        facts["storage"]["freeMib"] = json!(free);
        bounded(facts, &self.0.lines.newest(lines))
    }
}

fn in_force(settings: &InForce) -> Value {
    let (pace, delivery) = (*settings.pace().borrow(), settings.delivery());
    json!({
        "telemetryInterval": pace.interval.as_secs(),
        "lastInterval": settings.last_interval().seconds(),
        "intervals": pace.by_state.value(),
        "batchBacklog": delivery.batch_backlog,
        "gzip": delivery.gzip,
        "compact": delivery.compact,
        "evidence": *settings.evidence().borrow(),
        "geofences": settings.fences().borrow().all().len(),
        "alarms": settings.alarms().borrow().rules().len(),
        "containerNumber": settings.container_number().borrow().as_deref().unwrap_or_default(),
    })
}

/// What the kernel says that this program takes; `None` where it does not.
fn memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// As JSON of bounded length and without secrets; `cut` tells what is left out.
fn bounded(mut facts: Value, lines: &[String]) -> String {
    clean(&mut facts);
    let mut cut = Vec::new();
    for name in DISPENSABLE {
        let is_long = facts.to_string().len() + FRAME > LARGEST / 2;
        if is_long && facts["status"].as_object_mut().is_some_and(|status| status.remove(name).is_some()) {
            cut.push(name.to_owned());
        }
    }
    let mut left = LARGEST.saturating_sub(facts.to_string().len() + FRAME);
    let mut shown = Vec::new();
    for line in lines.iter().rev() {
        let size = json!(line).to_string().len() + 1;
        if size > left {
            break;
        }
        left -= size;
        shown.push(line);
    }
    shown.reverse();
    if shown.len() < lines.len() {
        cut.push(format!("log: {} of {} lines", shown.len(), lines.len()));
    }
    facts["log"] = json!(shown);
    facts["cut"] = json!(cut);
    facts.to_string()
}

fn clean(value: &mut Value) {
    match value {
        Value::String(text) => *text = shorten(hidden(text), LONGEST),
        Value::Array(values) => values.iter_mut().for_each(clean),
        Value::Object(members) => members.values_mut().for_each(clean),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_bounded_and_says_what_was_cut() {
        let lines: Vec<String> =
            (0..KEPT).map(|number| format!("{number} {}", "\u{1}".repeat(240))).collect();
        let alarms: Map<String, Value> =
            (0..400).map(|n| (format!("alarm{n}"), json!({"severity": "warning"}))).collect();
        let facts = json!({"status": {"activeAlarms": alarms, "hub": "h"}, "long": "y".repeat(5000)});
        let answer = bounded(facts, &lines);
        assert!(answer.len() <= LARGEST, "{}", answer.len());
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let shown = answer["log"].as_array().unwrap();
        assert_eq!(shown.last().unwrap().as_str(), Some(&*lines[KEPT - 1]), "the newest are there");
        assert_eq!(answer["cut"], json!(["activeAlarms", format!("log: {} of 50 lines", shown.len())]));
        assert_eq!(
            (&answer["status"], answer["long"].as_str().unwrap().chars().count()),
            (&json!({"hub": "h"}), 301)
        );

        let whole: Value = serde_json::from_str(&bounded(json!({"status": {}}), &lines[..3])).unwrap();
        assert_eq!((whole["log"].as_array().unwrap().len(), &whole["cut"]), (3, &json!([])));
    }

    #[test]
    fn a_payload_that_is_not_understood_is_told_what_would_be() {
        for (payload, lines) in
            [(&b""[..], 50), (b"null", 50), (b" {} ", 50), (b"{\"lines\": 0}", 0), (b"{\"lines\": 50}", 50)]
        {
            assert_eq!(wish(payload), Ok(lines));
        }
        for (payload, why) in [
            (&b"{"[..], "it is no JSON;"),
            (b"\xff", "it is no JSON;"),
            (b"7", "it is no object;"),
            (b"{\"lines\": 51}", "lines is no such number;"),
            (b"{\"lines\": -1}", "lines is no such number;"),
            (b"{\"lines\": \"5\"}", "lines is no such number;"),
            (b"{\"lines\": 5, \"all\": true}", "there are other members than lines;"),
            (b"{\"line\": 5}", "there are other members than lines;"),
        ] {
            let told = wish(payload).unwrap_err();
            assert!(told.starts_with(why) && told.ends_with("from 0 to 50"), "{told}");
        }
    }
}
