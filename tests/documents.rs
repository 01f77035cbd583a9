//! What is written for people agrees with the code: the example configuration, its tables, the device model.

#![allow(missing_docs, clippy::panic, clippy::disallowed_methods)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Arg, CommandFactory};
use container_tracker::alarms::schema;
use container_tracker::cli::Cli;
use container_tracker::config::{Alerts, Config, DeliveryMode, Intervals, LastInterval};
use container_tracker::identity::operational::{KeyPlace, Operational};
use container_tracker::instruments::fields::Fields;
use container_tracker::instruments::instrument::Start;
use container_tracker::instruments::simulation::Simulation;
use container_tracker::instruments::{self, bme280, gps};
use container_tracker::journal::{Entry, Lease};
use container_tracker::platform::clock::{Clock, SystemClock, system_time};
use container_tracker::platform::heartbeat::Vitals;
use container_tracker::reading::{Reading, Stamp};
use container_tracker::settings::{self, Defaults, Settings};
use container_tracker::status::report::{SensorState, StatusReport};
use container_tracker::uplink::delivery;
use container_tracker::uplink::session::MODEL_ID;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tracker_protocol::PropertyBag;
use tracker_protocol::hub::DeviceTopic;
use tracker_sensors::bme280::Environment;
use tracker_sensors::gps::{Fix, Position};
use tracker_sensors::health::State;
use tracker_sensors::simulated::{SimulatedClock, SimulatedContainer, Voyage};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn text(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn json(name: &str) -> Value {
    serde_json::from_str(&text(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The example with every commented-out `key = value` in force.
fn uncommented() -> String {
    let setting = |line: &str| {
        let key = line.split(" = ").next().unwrap_or_default();
        let is_of_key = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '.');
        line.contains(" = ") && key.chars().all(is_of_key)
    };
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if setting(rest) => rest.to_owned(),
        _ => line.to_owned(),
    };
    text("config/tracker.toml").lines().map(|l| line(l) + "\n").collect()
}

/// `table.key` of every value in a TOML table.
fn keys(prefix: &str, table: &toml::Table) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (key, value) in table {
        let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            toml::Value::Table(table) => found.extend(keys(&name, table)),
            _ => {
                found.insert(name);
            }
        }
    }
    found
}

/// What stands in backticks at the beginning of the rows of the table below `heading`.
fn table(document: &str, heading: &str) -> BTreeSet<String> {
    let text = text(document);
    let (_, section) = text
        .split_once(&format!("\n{heading}\n"))
        .unwrap_or_else(|| panic!("{document} has no heading {heading:?}"));
    let section = section.split("\n#").next().unwrap_or_default();
    let cell = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    section.lines().filter_map(cell).collect()
}

fn names(contents: &Value, kind: &str, property: &str, wanted: Option<bool>) -> BTreeSet<String> {
    let is_kind = |content: &&Value| match &content["@type"] {
        Value::Array(types) => types.iter().any(|one| one == kind),
        one => one == kind,
    };
    let matches =
        |content: &&Value| wanted.is_none_or(|wanted| content[property].as_bool().unwrap_or(false) == wanted);
    let contents = contents["contents"].as_array().expect("a model has contents");
    contents
        .iter()
        .filter(is_kind)
        .filter(matches)
        .filter_map(|content| Some(content["name"].as_str()?.to_owned()))
        .collect()
}

/// What all instruments of a simulated container say once each of them is well.
#[tokio::main(flavor = "current_thread")]
async fn read_once() -> Fields {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new(true));
    let voyage_clock = SimulatedClock::new(system_time(), 1.0);
    let voyage = Voyage::named("woerden-tokyo-gouda-cape", system_time(), 1).expect("there is such a voyage");
    let container = SimulatedContainer::new(voyage, voyage_clock.clone(), 1);
    let simulation = Simulation { container, clock: voyage_clock, replay: None };
    let mut instruments = instruments::simulated(&simulation).expect("they can be simulated");
    let known: Vec<_> = instruments.iter().map(|instrument| instrument.name()).collect();
    assert_eq!(known, instruments::NAMES);
    let (vitals, mut tasks) = (Vitals::default(), JoinSet::new());
    for instrument in &mut instruments {
        let mut start = Start { clock: clock.clone(), vitals: &vitals, tasks: &mut tasks };
        instrument.start(&mut start).expect("it starts");
    }
    for _ in 0..600 {
        for instrument in &mut instruments {
            if let Some(measuring) = instrument.measure(Instant::now()) {
                measuring.await;
            }
            instrument.look();
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        if instruments.iter().all(|instrument| instrument.health().current().state == State::Ok) {
            let mut fields = Fields::default();
            for instrument in &mut instruments {
                instrument.read(&mut fields);
            }
            return fields;
        }
    }
    panic!("an instrument is not well after a minute");
}

/// Everything that the sensors can say at once.
fn fullest_reading() -> Reading {
    let environment = Environment {
        temperature_c: Some(80.0),
        pressure_hpa: Some(1013.25),
        humidity_rh: Some(50.0),
        faults: Vec::new(),
    };
    let fix = Fix {
        time: chrono::NaiveTime::MIN,
        date: None,
        position: Position { latitude: 51.9, longitude: 4.1 },
        altitude_m: Some(3.0),
        speed_kn: Some(1.0),
        course_deg: Some(90.0),
        quality: Some(1),
        satellites: Some(9),
        hdop: Some(0.9),
        sources: Vec::new(),
        spread_m: 0.0,
        end: 0,
        received_at: Duration::ZERO,
    };
    let bounds = Alerts { temperature_high: Some(8.0), ..Alerts::default() };
    let stamp = Stamp { utc: None, monotonic: Duration::ZERO };
    let mut fields = read_once();
    bme280::tell(&environment, &mut fields);
    gps::tell(&fix, &mut fields);
    for name in instruments::SUMMARISED.into_iter().flat_map(|[_, spread @ ..]| spread) {
        fields.number(name, Some(1.0), 2);
    }
    fields.count("period", 3600);
    fields.word("place", "Rotterdam");
    // Alarms can be set for each of these, and for no other.
    for name in instruments::NUMBERS {
        assert!(fields.get(name).is_some(), "no instrument has {name}");
    }
    Reading::new(stamp, fields, &bounds)
}

/// The message with one reading that was taken at `time`: body and properties.
fn message(time: Option<chrono::DateTime<chrono::Utc>>) -> (Value, PropertyBag) {
    let mode = DeliveryMode { full_properties: true, ..DeliveryMode::default() };
    let Reading { fields, alerts, .. } = fullest_reading();
    let entry = Entry { seq: 1, start: 0, time, uptime_s: 1.5, fields, alerts, chain: None, event: None };
    let origin = delivery::Origin { device_id: "device", container_number: Some("MSKU9070323") };
    let lease = Lease { newest: Some(entry), backlog: Vec::new() };
    let message = delivery::messages(lease, origin, mode).remove(0).publish;
    let Ok(DeviceTopic::Telemetry { properties, .. }) = message.topic.parse() else {
        panic!("{} is no telemetry topic", message.topic);
    };
    (serde_json::from_slice(&message.payload).expect("the body is JSON"), properties)
}

/// A body with every field that any message has, and the properties beside it.
fn fullest_message() -> (Value, PropertyBag) {
    let (mut body, properties) = message(chrono::DateTime::from_timestamp(1_790_000_000, 0));
    let (Value::Object(body_fields), (Value::Object(untimed), _)) = (&mut body, message(None)) else {
        panic!("a message with one reading is an object");
    };
    body_fields.extend(untimed);
    (body, properties)
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn members(object: &Value) -> BTreeSet<String> {
    object.as_object().expect("an object").keys().cloned().collect()
}

#[test]
fn the_example_configuration_can_be_used_as_it_is() {
    let config = Config::load(&path("config/tracker.toml")).expect("the example parses");
    assert_eq!(config.identity.certificate, path("config/device-chain.pem"));
    assert_eq!(config.telemetry.interval.seconds(), 60);
}

#[test]
fn every_commented_setting_of_the_example_parses_and_shows_the_default() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let file = directory.path().join("tracker.toml");
    std::fs::write(&file, uncommented()).expect("the file can be written");
    let full = Config::load(&file).expect("the example parses with every line in force");
    let plain = Config::load(&path("config/tracker.toml")).expect("the example parses");
    assert_eq!(full.dps.host, plain.dps.host);
    assert_eq!(
        (full.connection.keep_alive, full.connection.port),
        (plain.connection.keep_alive, plain.connection.port)
    );
    assert_eq!(
        (full.sensors.bme280.enabled, &full.sensors.bme280.bus),
        (plain.sensors.bme280.enabled, &plain.sensors.bme280.bus)
    );
    assert_eq!(
        (full.sensors.gps.enabled, &full.sensors.gps.port, full.sensors.gps.baud),
        (plain.sensors.gps.enabled, &plain.sensors.gps.port, plain.sensors.gps.baud)
    );
    assert_eq!(full.telemetry.interval, plain.telemetry.interval);
    // Off without a word on it, so that its own defaults stand here.
    assert_eq!(full.identity.operational, Some(Operational { key: KeyPlace::File, renew_at: 0.8 }));
    assert_eq!(plain.identity.operational, None);
    assert_eq!(
        (&full.state.directory, full.state.journal_size_mib),
        (&plain.state.directory, plain.state.journal_size_mib)
    );
    assert_eq!(full.delivery, plain.delivery);
    assert_eq!(full.clock.trust_system, plain.clock.trust_system);
    // Those without a default.
    let Alerts { temperature_low, temperature_high, humidity_low, humidity_high } = full.telemetry.alerts;
    for bound in [temperature_low, temperature_high, humidity_low, humidity_high] {
        assert!(bound.is_some());
    }
    assert!(full.telemetry.intervals.value().as_object().is_some_and(|all| all.len() == 4));
    assert!(full.connection.roots.is_some() && full.connection.gateway.is_some());
    assert_eq!(full.connection.transport, plain.connection.transport);
    assert!(full.connection.proxy.is_some_and(|proxy| proxy.login.is_some()));
    assert!(full.sensors.bme280.address.is_some());
}

#[test]
fn the_settings_table_has_every_key_of_the_example_and_no_other() {
    let example: toml::Table = uncommented().parse().expect("the example is TOML");
    assert_eq!(table("docs/settings.md", "## Configuration file"), keys("", &example));
}

/// `Debug` shows every field of the structure, so a key that is new in the code is missed here.
#[test]
fn the_example_has_every_key_of_the_code() {
    let mut config = Config::load(&path("config/tracker.toml")).expect("the example parses");
    config.identity.operational = Some(Operational { key: KeyPlace::File, renew_at: 0.8 });
    let text = format!("{config:#?}");
    let fields = text.lines().filter_map(|line| line.trim().split_once(": ")).map(|(field, _)| field);
    // Without a field: the one has one value, the other is a part of the proxy, of which there is none here.
    let fields: BTreeSet<String> =
        fields.chain(["issuer", "proxy_password_file"]).map(str::to_owned).collect();
    let example: toml::Table = uncommented().parse().expect("the example is TOML");
    let written: BTreeSet<String> = keys("", &example)
        .iter()
        .flat_map(|key| key.split('.').map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(fields, &written | &set(&["without_certificate"]));
}

#[test]
fn the_telemetry_table_and_the_model_have_the_fields_that_are_sent() {
    let (body, properties) = fullest_message();
    let model = json("config/tracker-model.json");
    assert_eq!(names(&model, "Telemetry", "", None), members(&body));
    let mut documented = members(&body);
    for field in members(&body["location"]) {
        documented.insert(format!("location.{field}"));
    }
    documented.remove("location");
    assert_eq!(table("docs/settings.md", "## Telemetry"), documented);

    let location = model["contents"]
        .as_array()
        .and_then(|contents| contents.iter().find(|content| content["name"] == "location"))
        .expect("the model has a location");
    let fields = location["schema"]["fields"].as_array().expect("of fields");
    let fields = fields.iter().filter_map(|field| Some(field["name"].as_str()?.to_owned()));
    assert_eq!(fields.collect::<BTreeSet<_>>(), members(&body["location"]));

    let sent: BTreeSet<String> = properties.iter().map(|(key, _)| key.to_owned()).collect();
    assert_eq!(table("docs/settings.md", "## Message properties"), sent);
}

#[test]
fn the_model_is_the_one_that_the_agent_announces() {
    let model = json("config/tracker-model.json");
    assert_eq!((&model["@id"], &model["@type"]), (&MODEL_ID.into(), &"Interface".into()));
    // Version 2 has no arrays in properties, and version 3 has units in an extension.
    let context = ["dtmi:dtdl:context;3", "dtmi:dtdl:extension:quantitativeTypes;1"];
    assert_eq!(model["@context"], serde_json::json!(context));
    let desired: BTreeSet<String> = settings::names().map(str::to_owned).collect();
    assert_eq!(names(&model, "Property", "writable", Some(true)), desired);
    assert_eq!(table("docs/settings.md", "## Desired properties"), desired);
    assert_eq!(
        names(&model, "Property", "writable", Some(false)),
        table("docs/settings.md", "## Reported properties")
    );
    assert_eq!(names(&model, "Command", "", None), table("docs/settings.md", "## Direct methods"));
}

#[test]
fn the_initial_twin_is_one_that_the_agent_applies() {
    let twin = json("config/initial-twin.json");
    assert_eq!(members(&twin["tags"]), set(&["environment", "location"]));
    let desired = twin["properties"]["desired"].as_object().expect("desired properties");
    let defaults = Defaults {
        interval: Duration::from_secs(1),
        intervals: Intervals::default(),
        last: LastInterval::HOURLY,
        delivery: DeliveryMode::default(),
        alarms: schema::Alarms::NONE,
    };
    let answers = Settings::default().apply(desired, 1, &defaults);
    for answer in answers {
        assert!((answer.acknowledgement.code as u16) < 300, "{answer:?}");
    }
}

/// Scripts read `status.json`, and so do agents and programs of another version: every field stays what it was.
#[test]
fn a_status_file_of_the_version_before_is_read_and_written_as_it_was() {
    let name = "tests/fixtures/status-0.1.0.json";
    let report: StatusReport = serde_json::from_str(&text(name)).expect("it can be read");
    assert_eq!(serde_json::to_value(&report).expect("it can be written"), json(name));
    assert_eq!((report.pid, report.device.journal.acknowledged), (25_514, 7));
    assert_eq!(report.device.sensors["bme280"].state, SensorState::Failed);
}

#[test]
fn a_status_file_of_another_version_may_have_more_or_less() {
    let more = r#"{
        "pid": 7, "crew": ["a", "b"], "state": null,
        "sensors": {"door": {"state": "ok", "cause": "", "since": 3}, "light": {"state": "dazzled"}}
    }"#;
    let report: StatusReport = serde_json::from_str(more).expect("it can be read");
    assert_eq!((report.pid, report.stale_after_seconds, report.device.state), (7, 30, None));
    assert_eq!(report.device.sensors["door"].state, SensorState::Ok);
    assert_eq!(report.device.sensors["light"].state, SensorState::Unknown);
}

/// Every file that a document points to is there.
#[test]
fn links_between_documents_lead_somewhere() {
    let mut documents = vec![path("README.md"), path("CHANGELOG.md")];
    let docs = std::fs::read_dir(path("docs")).expect("there is a folder docs");
    documents.extend(
        docs.filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|p| p.extension().is_some_and(|e| e == "md")),
    );
    for document in documents {
        let text = std::fs::read_to_string(&document).expect("a document can be read");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let file = document.parent().expect("a document lies in a folder").join(target);
            assert!(file.exists(), "{} points to {link}", document.display());
        }
    }
}

/// Where a command line of this program begins: at the start, and behind `cargo run --release`.
fn command_lines(document: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for block in document.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next()) {
        for line in block.replace("\\\n", " ").lines() {
            let begin = ["container-tracker ", "cargo run --release -- "].into_iter();
            let begin =
                begin.filter_map(|begin| line.trim_start().trim_start_matches("sudo ").strip_prefix(begin));
            lines.extend(begin.map(str::to_owned));
        }
    }
    lines
}

/// Follows a command line through the definition; an error says which word there is not.
fn is_understood(line: &str) -> Result<(), String> {
    let mut command = Cli::command();
    command.build();
    let mut here = &command;
    let end = |word: &&str| !["|", ">", "#", "&&", ";", "&"].iter().any(|end| word.starts_with(end));
    // What is quoted is one word, and may be a command of its own.
    let line = line.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    let mut words = line.split_whitespace().take_while(end);
    while let Some(word) = words.next() {
        if let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) {
            let name = option.split('=').next().unwrap_or_default();
            let is_it = |arg: &&Arg| {
                arg.get_long() == Some(name)
                    || arg.get_all_aliases().is_some_and(|names| names.contains(&name))
            };
            let arg = here.get_arguments().find(is_it).ok_or_else(|| word.to_owned())?;
            if here.has_subcommands() && arg.get_action().takes_values() {
                words.next();
            }
        } else if here.has_subcommands() && !word.starts_with('-') {
            here = here.find_subcommand(word).ok_or_else(|| word.to_owned())?;
        }
    }
    Ok(())
}

/// Who copies a command from a document must not find that there is no such command, or option.
#[test]
fn commands_in_the_documents_are_those_of_the_program() {
    let docs = std::fs::read_dir(path("docs")).expect("there is a folder docs");
    let docs = docs
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|p| p.extension().is_some_and(|e| e == "md"));
    let mut checked = 0;
    for document in docs.chain([path("README.md")]) {
        for line in command_lines(&std::fs::read_to_string(&document).expect("a document can be read")) {
            checked += 1;
            let understood = is_understood(&line);
            assert_eq!(understood, Ok(()), "{}: container-tracker {line}", document.display());
        }
    }
    assert!(checked > 50, "only {checked} commands were found");
    assert_eq!(is_understood("cloud monitor-events > x"), Err("monitor-events".into()));
    assert_eq!(is_understood("simulate --sory"), Err("--sory".into()));
}

/// Who copies settings from a document must not be told that there is no such setting, nor that the value is none.
#[test]
fn settings_in_the_documents_are_those_of_the_program() {
    let docs = std::fs::read_dir(path("docs")).expect("there is a folder docs");
    let docs = docs.filter_map(|entry| Some(entry.ok()?.path()));
    let mut checked = 0;
    for document in docs.filter(|p| p.extension().is_some_and(|e| e == "md")) {
        let text = std::fs::read_to_string(&document).expect("a document can be read");
        let begins = text.match_indices("```toml\n").map(|(begin, fence)| (begin, begin + fence.len()));
        for (begin, inside) in begins {
            let Some(block) = text[inside..].split("```").next() else { continue };
            if text[..begin].ends_with("<!-- a seed -->\n") {
                tracker_emulator::Seed::parse(block, path("docs")).expect("it is a seed");
                checked += 1;
                continue;
            }
            // What stands in no table goes on with one that the words before it name.
            if !block.lines().any(|line| line.trim_start().starts_with('[')) {
                continue;
            }
            let block = block.lines().map(|l| l.trim_start().to_owned() + "\n").collect::<String>();
            let written = block.parse::<toml::Table>();
            let written = written.unwrap_or_else(|error| panic!("{}: {error}\n{block}", document.display()));
            let mut settings = block.clone();
            for (table, key) in [("dps", "id_scope"), ("identity", "certificate"), ("identity", "key")] {
                if written.get(table).and_then(|table| table.get(key)).is_none() {
                    let header = format!("[{table}]\n");
                    settings = if settings.contains(&header) {
                        settings.replacen(&header, &format!("{header}{key} = \"x\"\n"), 1)
                    } else {
                        format!("{header}{key} = \"x\"\n{settings}")
                    };
                }
            }
            let directory = tempfile::tempdir().expect("a temporary directory");
            let file = directory.path().join("tracker.toml");
            std::fs::write(&file, &settings).expect("the file can be written");
            let config = Config::load(&file);
            assert!(
                config.is_ok(),
                "{}: {:#}\n{block}",
                document.display(),
                config.expect_err("it is refused")
            );
            checked += 1;
        }
    }
    assert!(checked > 7, "only {checked} blocks of settings were found");
}

/// The sources as one text, with continued lines of string literals joined.
fn sources() -> String {
    let crates = ["src", "agent/src", "protocol/src", "sensors/src", "certificates/src", "evidence/src"];
    let mut folders = crates.map(path).to_vec();
    let mut all = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder of sources").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                for line in text.lines() {
                    all.push_str(line.strip_suffix('\\').unwrap_or(line).trim_start());
                    all.push_str(if line.ends_with('\\') { "" } else { "\n" });
                }
            }
        }
    }
    all
}

/// Somebody looks up what the log said: the sentences must be those of the code.
#[test]
fn messages_in_the_troubleshooting_tables_are_in_the_code() {
    let sources = sources();
    let elsewhere = ["failed to lookup address information"];
    let document = text("docs/troubleshooting.md");
    let mut checked = 0;
    for cell in document.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next()) {
        let cell = format!("`{cell}");
        for sentence in cell.split('`').skip(1).step_by(2) {
            // Sentences are put together at these marks.
            for part in sentence.split(['…', ':', ';', '(', ')']).map(str::trim) {
                if part.len() >= 8 && !elsewhere.contains(&part) {
                    checked += 1;
                    assert!(sources.contains(part), "no message has {part:?}, as in {sentence:?}");
                }
            }
        }
    }
    assert!(checked > 60, "only {checked} parts of sentences were found");
}

/// A row of what had to be learnt is worth as much as the test that holds it.
#[test]
fn what_holds_a_row_about_a_library_is_there() {
    let document = text("docs/libraries.md");
    let rows = document.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| library"));
    let mut held = 0;
    for row in rows {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [what, _, _, by] = cells[..] else { panic!("a row has four cells: {row}") };
        assert!(by.contains('`') || by.starts_with('–'), "nothing is said of what holds {what}");
        for name in by.split('`').skip(1).step_by(2) {
            let (file, test) = name.split_once("::").unwrap_or((name, ""));
            assert!(
                text(file).contains(&format!("fn {test}")) || test.is_empty(),
                "{file} has no test {test}"
            );
            held += 1;
        }
    }
    assert!(held > 50, "only {held} names were found");
}

#[test]
fn the_pin_is_written_without_a_line_feed_and_every_key_is_made_with_an_id() {
    let document = text("docs/hardware-keys.md");
    let pins: Vec<&str> =
        document.lines().filter(|line| line.contains("token.pin") && line.contains("openssl rand")).collect();
    assert!(!pins.is_empty() && pins.iter().all(|line| line.contains("| tr -d '\\n' |")), "{pins:?}");
    let blocks = document.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let commands: Vec<String> =
        blocks.flat_map(|block| block.lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let touches_a_key =
        |line: &&String| ["--import", "--keypairgen", "--sign"].iter().any(|verb| line.contains(verb));
    let touching: Vec<&String> = commands.iter().filter(touches_a_key).collect();
    assert!(!touching.is_empty() && touching.iter().all(|line| line.contains("--id ")), "{touching:?}");
}

/// The values of a setting of the service.
fn unit_setting(name: &str) -> Vec<String> {
    let unit = text("systemd/container-tracker.service");
    let values = unit.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    values.map(ToOwned::to_owned).collect()
}

#[test]
fn the_service_opens_no_device_but_its_buses_and_hears_of_routes() {
    // ProtectClock=yes closes no devices by itself, whatever its manual says.
    assert_eq!(unit_setting("DevicePolicy"), ["closed"]);
    let buses = [
        "char-i2c rw",
        "char-gpiochip r",
        "char-ttyAMA rw",
        "char-ttyS rw",
        "char-ttyUSB rw",
        "char-ttyACM rw",
    ];
    assert_eq!(unit_setting("DeviceAllow"), buses);
    assert_eq!(unit_setting("RestrictAddressFamilies"), ["AF_INET AF_INET6 AF_UNIX AF_NETLINK"]);
}
