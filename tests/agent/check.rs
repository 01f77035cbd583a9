//! `check`, `status` and `deprovision` on the built program, without a cloud.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::Value;

use crate::support::service::{Installation, Manager};

fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|_| panic!("no JSON: {text}"))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What a check says: verdict, text, mend.
fn finding(report: &Value, id: &str) -> (String, String, String) {
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["id"] == id).unwrap_or_else(|| panic!("no check {id}"));
    assert!(!check["sentence"].as_str().unwrap().is_empty());
    let part = |name: &str| check[name].as_str().unwrap_or_default().to_owned();
    (part("verdict"), part("text"), part("mend"))
}

#[test]
fn every_check_says_how_it_stands() {
    let installation = Installation::new();
    let output = installation.ask("check", &["--json"]);
    let report = json(&output);
    let verdict = |id: &str| finding(&report, id).0;
    for id in ["configuration", "certificate", "key", "clock", "dns", "assignment", "journal", "disk"] {
        assert_eq!(verdict(id), "pass", "{id}: {report:#}");
    }
    assert!(finding(&report, "certificate").1.starts_with("CN sensor-thl-001, chain of 2, 36"), "{report:#}");
    let (verdict_tcp, why, mend) = finding(&report, "tcp");
    assert_eq!(verdict_tcp, "fail");
    assert!(
        why.starts_with("localhost:")
            && why.ends_with(": nobody listens there (connection refused)")
            && mend.contains("8883"),
        "{why}; {mend}"
    );
    let port = why.split(':').nth(1).unwrap();
    assert!(mend.contains(&format!("outgoing TCP port {port} through")), "{why}; {mend}");
    let (skipped, why, _) = finding(&report, "tls");
    assert_eq!((&*skipped, &*why), ("skip", "not looked at, because tcp did not pass"));
    assert_eq!(finding(&report, "i2c").1, "switched off (sensors.bme280.enabled)");
    assert_eq!((&report["failed"], output.status.code()), (&1.into(), Some(1)));

    let shown = text(&installation.ask("check", &[]));
    assert!(shown.starts_with("✓ configuration: ") && shown.contains("\n✗ tcp: "), "{shown}");
    assert!(shown.contains("\n    → a firewall between here and there"), "{shown}");
    assert!(shown.contains("\n- serial: switched off (sensors.gps.enabled)\n"), "{shown}");
}

#[test]
fn the_readme_lists_every_check() {
    let installation = Installation::new();
    installation.configure("[identity.operational]\nissuer = \"dps\"\n");
    // The last table of the file could not be continued.
    let text = fs::read_to_string(&installation.config).unwrap();
    let more = "[connection]\ntransport = \"websocket\"\nproxy = \"http://localhost:1\"\n";
    fs::write(&installation.config, text.replace("[connection]\n", more)).unwrap();
    let report = json(&installation.ask("check", &["--json"]));
    let rows = report["checks"].as_array().unwrap().iter().map(|check| {
        let part = |name: &str| check[name].as_str().unwrap().to_owned();
        format!("| `{}` | {} |\n", part("id"), part("sentence"))
    });
    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let table: String = rows.collect();
    assert!(readme.contains(&table), "the README should have\n{table}");
}

#[test]
fn what_is_wrong_is_said_with_a_way_to_mend_it() {
    let installation = Installation::new();
    let look = |id: &str| finding(&json(&installation.ask("check", &["--json"])), id);

    fs::set_permissions(installation.path("device.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let (verdict, why, _) = look("key");
    assert!(verdict == "fail" && why.contains("is open to others (mode 644); run: chmod 600"), "{why}");
    fs::set_permissions(installation.path("device.key"), fs::Permissions::from_mode(0o600)).unwrap();

    let factory = &installation.factory;
    factory.ec_key("soon");
    let soon = factory.device_with_key("soon", "sensor-thl-001", 10);
    fs::copy(soon.chain, installation.path("chain.pem")).unwrap();
    let (verdict, why, mend) = look("certificate");
    assert!(verdict == "warn" && why.contains("9 days left") && mend.starts_with("renew it"), "{why}");

    factory.ec_key("capital");
    let capital = factory.device_with_key("capital", "Sensor-THL-001", 300);
    fs::copy(capital.chain, installation.path("chain.pem")).unwrap();
    let (verdict, why, mend) = look("certificate");
    assert!(verdict == "warn" && why.contains("the CN has capital letters"), "{verdict}: {why}");
    assert!(mend.contains("small letters only"), "{mend}");

    let leaf = factory.pem("sensor-thl-001");
    fs::write(installation.path("chain.pem"), &leaf).unwrap();
    let (verdict, why, mend) = look("certificate");
    assert!(verdict == "warn" && why.contains("there is no issuer beside the leaf"), "{why}");
    assert!(mend.starts_with("DPS usually needs the intermediate CA as well: cat"), "{mend}");
    // Whose leaf is that very file keeps it.
    assert!(mend.contains("cat intermediate.pem >> ") && mend.ends_with("chain.pem"), "{mend}");

    factory.ec_key("namesake");
    factory.sign("namesake", "/O=Cheese/CN=Cheese Intermediate CA", "root", "ca", 365);
    fs::write(installation.path("chain.pem"), leaf.clone() + &factory.pem("namesake")).unwrap();
    let (verdict, why, _) = look("certificate");
    assert!(verdict == "fail" && why.contains("is not issued by certificate 2"), "{verdict}: {why}");
    assert!(why.ends_with("its signature is not made with the key of that certificate"), "{why}");
    fs::write(installation.path("chain.pem"), factory.pem("intermediate") + &leaf).unwrap();
    assert!(look("certificate").1.contains("is out of order: certificate 1"), "{:?}", look("certificate"));
    assert_eq!(look("key").1, "not looked at, because certificate did not pass");

    installation.configure("[telemetry]\ninterval = 0\n");
    let report = json(&installation.ask("check", &["--json"]));
    assert!(
        finding(&report, "configuration").1.contains("telemetry.interval: 0 s is not between 1 and 86400")
    );
    assert_eq!(finding(&report, "disk").0, "skip");
}

#[test]
fn ends_that_come_before_the_leafs_are_told_early() {
    let installation = Installation::new();
    let look = |id: &str| finding(&json(&installation.ask("check", &["--json"])), id);
    let (verdict, why, _) = look("roots");
    assert!(
        verdict == "pass" && why.starts_with("1 in ") && why.contains("CN=Cheese Root CA ends first, on 20"),
        "{why}"
    );

    // The one that ends first counts, wherever it is in the file.
    let factory = &installation.factory;
    factory.ec_key("old");
    factory.sign("old", "/CN=Old Root", "root", "ca", 100);
    fs::write(installation.path("server-ca.pem"), factory.pem("root") + &factory.pem("old")).unwrap();
    let (verdict, why, mend) = look("roots");
    assert!(verdict == "warn" && why.starts_with("2 in ") && why.contains("CN=Old Root ends first"), "{why}");
    assert!(why.ends_with(", in 99 days") && mend.contains("docs/azure.md"), "{why}; {mend}");
    fs::write(installation.path("server-ca.pem"), "nothing").unwrap();
    assert_eq!(look("roots").0, "fail");

    factory.sign("intermediate", "/O=Cheese/CN=Cheese Intermediate CA", "root", "ca", 20);
    let chain = factory.pem("sensor-thl-001") + &factory.pem("intermediate");
    fs::write(installation.path("chain.pem"), chain).unwrap();
    let (verdict, why, mend) = look("certificate");
    assert!(verdict == "warn" && why.contains(" days left, but certificate 2 in "), "{why}");
    assert!(
        why.ends_with("CN=Cheese Intermediate CA) has 19") && mend.starts_with("make a new intermediate"),
        "{why}"
    );
}

/// What a build with it says is in `tests/hardware_key.rs`.
#[cfg(not(feature = "pkcs11"))]
#[test]
fn a_key_in_a_token_needs_the_feature() {
    let installation = Installation::new();
    let config = fs::read_to_string(&installation.config).unwrap();
    let uri = "pkcs11:token=tracker?module-path=/usr/lib/softhsm/libsofthsm2.so&pin-value=1234";
    fs::write(&installation.config, config.replace("device.key", uri)).unwrap();
    let (verdict, why, _) = finding(&json(&installation.ask("check", &["--json"])), "key");
    assert_eq!(verdict, "fail");
    assert!(
        why.starts_with("pkcs11:token=tracker is in a token, and this container-tracker was built"),
        "{why}"
    );
    assert!(why.ends_with("install the Debian package, or build with --features pkcs11"), "{why}");
    let refused = text(&installation.ask("run", &[]));
    assert!(refused.contains("built without PKCS#11") && !refused.contains("1234"), "{refused}");
}

#[test]
fn buses_that_are_not_there_are_named() {
    let installation = Installation::new();
    let more = fs::read_to_string(&installation.config)
        .unwrap()
        .replace("[sensors.bme280]\nenabled = false", "[sensors.bme280]\nbus = \"/dev/i2c-99\"")
        .replace("[sensors.gps]\nenabled = false", "[sensors.gps]\nport = \"/dev/ttyNONE\"")
        + "[sensors.door]\nenabled = true\nchip = \"/dev/gpiochip99\"\n\
           [sensors.light]\nenabled = true\nbus = \"/dev/i2c-99\"\n";
    fs::write(&installation.config, more).unwrap();
    let report = json(&installation.ask("check", &["--json"]));
    let (verdict, why, _) = finding(&report, "i2c");
    #[cfg(target_os = "linux")]
    assert!(
        verdict == "fail" && why.contains("/dev/i2c-99") && why.contains("enable I2C"),
        "{verdict}: {why}"
    );
    let (verdict, why, _) = finding(&report, "serial");
    assert!(verdict == "fail" && why.starts_with("cannot open /dev/ttyNONE"), "{verdict}: {why}");
    assert!(why.contains("is the receiver plugged in, and the UART enabled"), "{why}");
    assert_eq!(finding(&report, "gps").1, "not looked at, because serial did not pass");
    #[cfg(target_os = "linux")]
    for (id, device) in [("door", "/dev/gpiochip99"), ("light", "/dev/i2c-99")] {
        let (verdict, why, _) = finding(&report, id);
        assert!(verdict == "fail" && why.contains(device), "{id}: {verdict}: {why}");
    }
}

#[test]
fn a_damaged_journal_and_a_foreign_assignment_are_found() {
    let installation = Installation::new();
    fs::create_dir(installation.path("state")).unwrap();
    fs::write(installation.path("state/journal.db"), "this is no database, and never was one").unwrap();
    let stored = "{\"hub\": \"old-hub\", \"deviceId\": \"sensor-thl-001\", \"thumbprint\": \"00\", \
                  \"idScope\": \"0ne00000001\", \"dpsHost\": \"global.azure-devices-provisioning.net\"}";
    fs::write(installation.path("state/assignment.json"), stored).unwrap();
    let report = json(&installation.ask("check", &["--json"]));
    let (verdict, why, _) = finding(&report, "journal");
    assert!(verdict == "fail" && why.contains("file is not a database"), "{verdict}: {why}");
    assert_eq!(
        finding(&report, "assignment").1,
        "sensor-thl-001 at old-hub, but with another certificate than the present one"
    );
    assert!(installation.path("state/journal.db").exists(), "a check changes nothing");
}

#[test]
fn status_tells_whether_an_agent_runs_and_how_it_is() {
    let installation = Installation::new();
    let nobody = installation.ask("status", &[]);
    assert_eq!(nobody.status.code(), Some(2));
    assert!(
        text(&nobody).starts_with("✗ no agent runs here; start it: systemctl start"),
        "{}",
        text(&nobody)
    );
    // Whose configuration is not that of the service starts another one.
    assert!(text(&nobody).contains("run --config "), "{}", text(&nobody));
    fs::create_dir(installation.path("state")).unwrap();
    let lock = fs::File::create(installation.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let simulated = text(&installation.ask("status", &[]));
    assert!(simulated.contains("keeps no status; is it a simulation?"), "{simulated}");
    drop(lock);

    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    manager.hear("READY=1");
    service.wait_for_words("nobody listens there");
    let output = installation.ask("status", &[]);
    let shown = text(&output);
    for words in [
        "! registering for ",
        ", nothing delivered since the start, ",
        "nobody listens there (connection refused)",
        "as of         0 s ago",
        "state         registering, for ",
        "hub           none",
    ] {
        assert!(shown.contains(words), "{words:?} is not in\n{shown}");
    }
    assert!(shown.contains("certificate   sensor-thl-001, 36"), "{shown}");
    assert_eq!(output.status.code(), Some(1));
    let status = json(&installation.ask("status", &["--json"]));
    assert_eq!((&status["health"], &status["status"]["state"]), (&"trouble".into(), &"registering".into()));
    // Asked for, it is written anew.
    let later = json(&installation.ask("status", &["--json"]));
    let written = |status: &Value| status["status"]["writtenAtUptime"].as_f64().unwrap();
    assert!(written(&later) > written(&status), "{later}");

    let program = env!("CARGO_BIN_EXE_container-tracker");
    let mut nearby = std::process::Command::new(program);
    nearby.args(["status", "--config", "tracker.toml"]).current_dir(installation.directory.path());
    let nearby = nearby.env("RUNTIME_DIRECTORY", "run").output().unwrap();
    assert_eq!(nearby.status.code(), Some(1), "{}", text(&nearby));

    // The check finds the agent and does not disturb it.
    let report = json(&installation.ask("check", &["--json"]));
    assert_eq!(finding(&report, "journal").0, "pass", "{report:#}");
    // And nothing is taken away from under it.
    let refused = installation.ask("deprovision", &["--yes"]);
    assert!(!refused.status.success());
    assert!(text(&refused).contains("another container-tracker works in"), "{}", text(&refused));

    service.signal("-KILL");
    let start = std::time::Instant::now();
    // The zombie is buried when the service is dropped; until then it has a process ID.
    while installation.ask("status", &[]).status.code() != Some(2) {
        assert!(start.elapsed() < crate::support::service::PATIENCE);
    }
    drop(service);
    let gone = text(&installation.ask("status", &[]));
    assert!(gone.starts_with("✗ the agent does not run; this is what it wrote last"), "{gone}");
}

#[test]
fn deprovision_forgets_what_it_says() {
    let installation = Installation::new();
    let nothing = installation.ask("deprovision", &["--yes"]);
    assert!(nothing.status.success() && text(&nothing).starts_with("there is nothing to forget"));

    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    manager.hear("READY=1");
    service.stop();
    let assignment = installation.path("state/assignment.json");
    fs::write(&assignment, "{}").unwrap();
    let asked = installation.program("deprovision").stdin(std::process::Stdio::null()).output().unwrap();
    assert!(!asked.status.success() && assignment.exists());
    assert!(text(&asked).contains("say --yes to mean it"), "{}", text(&asked));

    let done = text(&installation.ask("deprovision", &["--yes", "--journal", "set-aside"]));
    assert!(done.contains("are forgotten; 1 readings are set aside"), "{done}");
    assert!(!assignment.exists());
    assert!(!installation.path("state/journal.db").exists());
    assert!(installation.path("state/journal.db.old-1").exists());
    assert!(installation.path("device.key").exists(), "the key is not the agent's to delete");
}

#[test]
fn deprovision_leaves_nothing_that_tells_where_the_device_belonged() {
    let installation = Installation::new();
    let state = installation.path("state");
    fs::create_dir(&state).unwrap();
    let stay = ["journal.db.bad-1", "journal.db.bad-1-wal", "notes-of-somebody.txt", "refused-pin.json"];
    let go = [
        "assignment.json",
        "assignment.new",
        "journal.aside",
        "journal.db",
        "journal.db-shm",
        "journal.db-wal",
        "journal.spare",
        "settings.json",
        "settings.new",
        "status.json",
        "status.new",
    ];
    for name in stay.iter().chain(&go) {
        fs::write(state.join(name), "{}").unwrap();
    }
    let done = installation.ask("deprovision", &["--yes", "--journal", "delete"]);
    assert!(done.status.success(), "{}", text(&done));
    let names = fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<String> = names.filter(|name| name != "lock").collect();
    left.sort();
    assert_eq!(left, stay);
}

#[test]
fn a_configuration_may_be_named_by_its_mere_name() {
    let installation = Installation::new();
    let mut program = std::process::Command::new(env!("CARGO_BIN_EXE_container-tracker"));
    program.args(["check", "--json", "--config", "tracker.toml"]).current_dir(&installation.directory);
    let report = json(&program.output().unwrap());
    let (verdict, why, _) = finding(&report, "disk");
    assert!(verdict == "pass" && why.ends_with("state does not exist yet: the agent makes it"), "{why}");
}

#[test]
fn a_state_directory_of_another_user_is_not_spoilt_by_root() {
    // Only root can give files away, and only root is refused.
    if std::os::unix::fs::MetadataExt::uid(&fs::metadata("/proc/self").unwrap()) != 0 {
        return;
    }
    let installation = Installation::new();
    let state = installation.path("state");
    fs::create_dir(&state).unwrap();
    let manager = Manager::listen(installation.directory.path());
    let service = installation.start(&manager);
    manager.hear("READY=1");
    service.stop();
    std::os::unix::fs::chown(&state, Some(65_534), None).unwrap();

    let refused = installation.ask("run", &[]);
    let said = text(&refused);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("the state directory {} (state.directory) belongs to ", state.display())),
        "{said}"
    );
    assert!(said.contains("or run: sudo -u "), "{said}");

    let (verdict, why, _) = finding(&json(&installation.ask("check", &["--json"])), "journal");
    assert_eq!(verdict, "fail", "{why}");
    assert!(
        why.contains("the agent can't write it: ") && why.contains("journal.db belongs to root and not to "),
        "{why}"
    );
    assert!(why.contains("to mend it: sudo chown -R "), "{why}");
}
