//! `container-tracker cloud` as an operator uses it: the real program, against the emulator as a program beside it.

#![cfg(feature = "lab")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use container_tracker::config::Interval;
use container_tracker::lab::device_config;
use serde_json::{Value, json};

use crate::support::agent::{Agent, PATIENCE};
use crate::support::openssl::Factory;

pub const DEVICE: &str = "sensor-thl-001";
const HUB: &str = "hub-1.azure-devices.net";

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_container-tracker"))
}

/// The emulator as a program of its own, with its files in a directory.
pub struct Emulator {
    child: std::process::Child,
    pub factory: Factory,
}

impl Emulator {
    pub fn start(options: &[&str]) -> Self {
        Self::start_in(Factory::new(), options)
    }

    fn start_in(factory: Factory, options: &[&str]) -> Self {
        let mut child = program()
            .args(["emulator", "--json", "--port", "0", "--retry-after", "1", "--no-rsa", "--directory"])
            .arg(factory.directory())
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let ready = lines.by_ref().map_while(Result::ok).any(|line| line.contains("\"event\":\"service\""));
        assert!(ready, "the emulator starts");
        // Whoever prints wants to be read.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, factory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.factory.path(name)
    }

    pub fn file(&self) -> Value {
        serde_json::from_str(&std::fs::read_to_string(self.path("emulator.json")).unwrap()).unwrap()
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What can be run.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut program = program();
        program.arg("cloud").args(arguments).arg("--emulator").arg(self.factory.directory());
        program
    }

    /// What a command prints.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The JSON that a command prints; `Null` for nothing.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.text(arguments);
        if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
    }

    /// Why a command fails.
    pub fn error(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{arguments:?} succeeds");
        String::from_utf8(output.stderr).unwrap()
    }

    /// Waits until a command prints what is wanted.
    fn wait_for(&self, arguments: &[&str], wanted: impl Fn(&Value) -> bool) -> Value {
        let started = Instant::now();
        loop {
            let answer = self.json(arguments);
            if wanted(&answer) {
                return answer;
            }
            assert!(started.elapsed() < PATIENCE, "{arguments:?} still answers {answer}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Uploads the root and proves possession of its key.
    fn verify_root(&self) {
        let path = self.path("root.pem");
        self.json(&["certificate", "add", "--ca-name", "root", "--certificate-path", text(&path)]);
        let answer = self.json(&["certificate", "verify", "--ca-name", "root"]);
        let code = answer["properties"]["verificationCode"].as_str().unwrap();
        self.factory.ec_key("proof");
        self.factory.sign("proof", &format!("/CN={code}"), "root", "leaf", 1);
        let proof = self.path("proof.pem");
        let verified =
            self.json(&["certificate", "verify", "--ca-name", "root", "--certificate-path", text(&proof)]);
        assert_eq!(verified["properties"]["isVerified"], true, "{verified}");
    }

    /// Enrolls what the intermediate signs, once the root is verified.
    pub fn enroll(&self, options: &[&str]) -> Value {
        self.verify_root();
        let path = self.path("intermediate.pem");
        let create =
            ["enrollment-group", "create", "--enrollment-id", "thl", "--certificate-path", text(&path)];
        self.json(&[&create, options].concat())
    }

    /// A tracker of the factory.
    pub fn tracker(&self) -> Agent {
        if !self.path(&format!("{DEVICE}.pem")).exists() {
            self.factory.device(DEVICE);
        }
        let file = self.file();
        let port = file["address"].as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
        let directory = self.path("tracker");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::copy(self.path(&format!("{DEVICE}-chain.pem")), directory.join("device.pem")).unwrap();
        std::fs::copy(self.path(&format!("{DEVICE}.key")), directory.join("device.key")).unwrap();
        let mut config =
            device_config(&directory, file["idScope"].as_str().unwrap(), self.path("server-ca.pem"), port);
        config.telemetry.interval = Interval::from_seconds(1).unwrap();
        Agent::simple(config)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_life_by_hand() {
    let emulator = Emulator::start(&[]);
    let group = emulator.enroll(&[
        "--initial-twin-properties",
        r#"{"telemetryInterval": 1}"#,
        "--initial-twin-tags",
        r#"{"environment": "test"}"#,
        "--iot-hubs",
        HUB,
        "--allocation-policy",
        "static",
    ]);
    assert_eq!(
        (&group["provisioningStatus"], &group["allocationPolicy"]),
        (&json!("enabled"), &json!("static"))
    );
    let mut agent = emulator.tracker();
    agent.wait_for_words("online at").await;

    let records = emulator.json(&["registration", "list", "--enrollment-id", "thl"]);
    assert_eq!(records[0]["registrationId"], DEVICE);
    assert_eq!((&records[0]["status"], &records[0]["assignedHub"]), (&json!("assigned"), &json!(HUB)));
    assert_eq!(emulator.json(&["registration", "list"]), records);
    assert_eq!(emulator.json(&["registration", "show", "--registration-id", DEVICE]), records[0]);

    let devices = emulator.json(&["device", "list"]);
    assert_eq!((&devices[0]["deviceId"], devices.as_array().unwrap().len()), (&json!(DEVICE), 1));
    assert_eq!(devices[0]["tags"]["environment"], "test");
    assert_eq!(emulator.json(&["device", "list", "--where", "tags.environment = 'other'"]), json!([]));
    assert_eq!(emulator.json(&["device", "show", "-d", DEVICE])["connectionState"], "Connected");
    let table = emulator.text(&["device", "list", "--output", "table"]);
    assert!(table.lines().nth(2).unwrap().starts_with(DEVICE) && table.starts_with("DeviceId"), "{table}");

    emulator.json(&["twin", "update", "-d", DEVICE, "--desired", r#"{"telemetryInterval": 2}"#]);
    agent.wait_for_words("twin: telemetryInterval = 2").await;
    let twin = emulator.wait_for(&["twin", "show", "-d", DEVICE], |twin| {
        twin["properties"]["reported"]["telemetryInterval"]["value"] == 2
    });
    assert_eq!(twin["properties"]["desired"]["telemetryInterval"], 2);

    let answer = emulator.json(&[
        "method",
        "invoke",
        "-d",
        DEVICE,
        "--method-name",
        "ping",
        "--method-payload",
        "[7]",
    ]);
    assert_eq!((&answer["status"], &answer["payload"]["payload"]), (&json!(200), &json!([7])));

    let shown = emulator.text(&["monitor", "-d", DEVICE, "--message-count", "2", "--timeout", "60"]);
    let shown: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(shown.len(), 2);
    assert!(shown.iter().all(|message| message["deviceId"] == DEVICE && message.to_string().contains("seq")));

    // Cut off at the hub: it asks DPS again, gets the same hub, and is refused there.
    let disabled = emulator.json(&["device", "disable", "-d", DEVICE, "--status-reason", "stolen"]);
    assert_eq!((&disabled["status"], &disabled["statusReason"]), (&json!("disabled"), &json!("stolen")));
    agent.wait_for_words("the server does not accept this device (CONNACK 5").await;
    assert_eq!(emulator.json(&["device", "show", "-d", DEVICE])["connectionState"], "Disconnected");
    assert_eq!(emulator.json(&["device", "enable", "-d", DEVICE])["statusReason"], Value::Null);
    agent
        .wait_until("second connection", |events| {
            events.iter().filter(|event| event.to_string().starts_with("online at")).count() >= 2
        })
        .await;
    agent.stop().await;

    let send = ["c2d", "send", "-d", DEVICE, "--data", "hello", "--properties", "urgency=high"];
    assert_eq!(emulator.json(&send), Value::Null);
    assert_eq!(emulator.json(&["device", "show", "-d", DEVICE])["cloudToDeviceMessageCount"], 1);

    assert_eq!(emulator.json(&["device", "delete", "-d", DEVICE]), Value::Null);
    emulator.json(&["registration", "delete", "--registration-id", DEVICE]);
    emulator.json(&["enrollment-group", "delete", "--enrollment-id", "thl"]);
    emulator.json(&["certificate", "delete", "--ca-name", "root"]);
    for list in ["device", "registration", "enrollment-group", "certificate"] {
        assert_eq!(emulator.json(&[list, "list"]), json!([]), "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_enrollment_keeps_its_device_out_until_it_is_enabled() {
    let emulator = Emulator::start(&[]);
    emulator.enroll(&[]);
    emulator.factory.device(DEVICE);
    let leaf = text(&emulator.path(&format!("{DEVICE}.pem"))).to_owned();
    let created = emulator.json(&[
        "enrollment",
        "create",
        "--enrollment-id",
        DEVICE,
        "--certificate-path",
        &leaf,
        "--provisioning-status",
        "disabled",
        "--device-id",
        "container-7",
    ]);
    assert_eq!(created["provisioningStatus"], "disabled");
    let mut agent = emulator.tracker();
    let text = agent.wait_for_words("DPS refuses this device").await;
    assert!(text.contains("disabled"), "{text}");
    agent.stop().await;
    assert_eq!(emulator.json(&["registration", "list"])[0]["status"], "disabled");
    let list = emulator.json(&["enrollment", "list"]);
    assert_eq!((&list[0]["registrationId"], &list[0]["deviceId"]), (&json!(DEVICE), &json!("container-7")));
    let updated = emulator.json(&[
        "enrollment",
        "update",
        "--enrollment-id",
        DEVICE,
        "--provisioning-status",
        "enabled",
        "--certificate-path",
        &leaf,
    ]);
    assert_eq!(
        (&updated["provisioningStatus"], &updated["deviceId"]),
        (&json!("enabled"), &json!("container-7"))
    );
    assert_eq!(emulator.json(&["enrollment", "show", "--enrollment-id", DEVICE])["etag"], updated["etag"]);
    emulator.json(&["enrollment", "delete", "--enrollment-id", DEVICE]);
    assert_eq!(emulator.json(&["enrollment", "list"]), json!([]));
}

#[test]
fn an_update_keeps_what_is_not_given_and_an_old_etag_is_refused() {
    let emulator = Emulator::start(&[]);
    let created = emulator.enroll(&["--initial-twin-tags", r#"{"a": 1}"#, "--edge-enabled", "true"]);
    let id = ["--enrollment-id", "thl"];
    let updated = emulator
        .json(&[&["enrollment-group", "update"], &id[..], &["--provisioning-status", "disabled"]].concat());
    assert_eq!(updated["provisioningStatus"], "disabled");
    for kept in ["initialTwin", "capabilities", "attestation", "reprovisionPolicy"] {
        assert_eq!(updated[kept], created[kept], "{kept}");
    }
    let old = created["etag"].as_str().unwrap();
    let error = emulator.error(
        &[&["enrollment-group", "update"], &id[..], &["--allocation-policy", "geolatency", "--etag", old]]
            .concat(),
    );
    assert!(error.contains("HTTP 412") && error.contains("use the new etag"), "{error}");
    let by_name = emulator.json(&[&["enrollment-group", "update"], &id[..], &["--ca-name", "root"]].concat());
    assert_eq!(by_name["attestation"]["x509"]["caReferences"]["primary"], "root");
    assert_eq!(by_name["attestation"]["x509"]["signingCertificates"]["primary"], Value::Null);
    let error = emulator.error(&[&["enrollment-group", "delete"], &id[..], &["--etag", old]].concat());
    assert!(error.contains("HTTP 412"), "{error}");
}

#[test]
fn symmetric_keys_survive_an_update() {
    let emulator = Emulator::start(&[]);
    emulator.json(&[
        "enrollment-group",
        "create",
        "--enrollment-id",
        "keys",
        "--attestation-type",
        "symmetrickey",
    ]);
    let show = ["enrollment-group", "show", "--enrollment-id", "keys", "--show-keys"];
    let keys = emulator.json(&show)["attestation"]["symmetricKey"].clone();
    assert!(keys["primaryKey"].as_str().is_some_and(|key| key.len() > 40), "{keys}");
    emulator.json(&[
        "enrollment-group",
        "update",
        "--enrollment-id",
        "keys",
        "--provisioning-status",
        "disabled",
    ]);
    assert_eq!(emulator.json(&show)["attestation"]["symmetricKey"], keys);
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_strike_and_are_cleared() {
    let emulator = Emulator::start(&[]);
    emulator.enroll(&[]);
    let fault = emulator.json(&["fault", "inject", "dps-error", "--status", "429", "--retry-after", "1"]);
    assert_eq!((&fault["service"], &fault["status"]), (&json!("dps"), &json!(429)));
    let other = emulator.json(&[
        "fault",
        "inject",
        "latency",
        "--milliseconds",
        "5",
        "-d",
        "somebody",
        "--times",
        "3",
    ]);
    assert_eq!(
        (&other["service"], &other["device"], &other["times"]),
        (&json!("hubs"), &json!("somebody"), &json!(3))
    );
    assert_eq!(emulator.json(&["fault", "list"]), json!([fault, other]));
    let mut agent = emulator.tracker();
    agent.wait_for_words("429").await;
    emulator.json(&["fault", "clear", "--id", &fault["id"].to_string()]);
    agent.wait_for_words("online at").await;
    emulator.json(&["fault", "clear", "--all"]);
    assert_eq!(emulator.json(&["fault", "list"]), json!([]));
    agent.stop().await;
}

#[test]
fn certificates_are_issued_by_policies_made_by_hand() {
    let emulator = Emulator::start(&["--issuing-time", "0"]);
    let ca = emulator.json(&["ca", "create", "--name", "north"]);
    assert_eq!((&ca["name"], &ca["properties"]["certificatePolicyName"]), (&json!("north"), &Value::Null));
    let create =
        ["certificate-policy", "create", "--name", "fleet", "--ca", "north", "--validity-days", "30"];
    let policy = emulator.json(&create);
    assert_eq!(policy["properties"]["certificateAuthorityName"], json!("north"));
    let error = emulator.error(&create);
    assert!(error.contains("\"fleet\" exists"), "{error}");
    let error = emulator.error(&["certificate-policy", "create", "--name", "short"]);
    assert!(error.contains("--validity-days"), "{error}");
    emulator.json(&["certificate-policy", "create", "--name", "short", "--validity-seconds", "15"]);
    assert_eq!(emulator.json(&["certificate-policy", "list"]).as_array().map(Vec::len), Some(2));
    assert_eq!(emulator.json(&["ca", "list"]).as_array().map(Vec::len), Some(2));
    let error = emulator.error(&["ca", "delete", "--name", "north"]);
    assert!(error.contains("has the policy \"fleet\""), "{error}");

    let group = emulator.enroll(&["--certificate-policy", "fleet"]);
    assert_eq!(group["certificatePolicyName"], json!("fleet"), "{group}");
    let update = |options: &[&str]| {
        let verb = ["enrollment-group", "update", "--enrollment-id", "thl"];
        emulator.json(&[&verb[..], options].concat())
    };
    let updated = update(&["--provisioning-status", "disabled"]);
    assert_eq!(updated["certificatePolicyName"], json!("fleet"), "an update of something else keeps it");
    assert_eq!(update(&["--certificate-policy", "short"])["certificatePolicyName"], json!("short"));
    assert_eq!(update(&["--certificate-policy", ""]).get("certificatePolicyName"), None);
    let fault = emulator.json(&["fault", "inject", "issue-refused", "--code", "400040"]);
    assert_eq!((&fault["fault"], &fault["code"]), (&json!("issueRefused"), &json!(400_040)));
    emulator.json(&["fault", "inject", "issue-slow", "--milliseconds", "5", "--service", "dps"]);
    emulator.json(&["fault", "inject", "issue-lost"]);
    emulator.text(&["certificate-policy", "delete", "--name", "fleet"]);
    emulator.text(&["ca", "delete", "--name", "north"]);
    let path = emulator.path("root.pem");
    let made = emulator.json(&["hub-certificate", "create", "--name", "lab", "--path", text(&path)]);
    assert_eq!(emulator.json(&["hub-certificate", "list"]), json!([made]));
    assert_eq!(emulator.json(&["hub-certificate", "show", "--name", "lab"]), made);
    emulator.text(&["hub-certificate", "delete", "--name", "lab"]);
}

#[test]
fn messages_that_cannot_be_sent_are_refused_by_name() {
    let emulator = Emulator::start(&[]);
    let error = emulator.error(&["c2d", "send", "-d", "nobody", "--data", "x"]);
    assert!(error.contains("nobody (HTTP 404, DeviceNotFound"), "{error}");
    let error = emulator.error(&["c2d", "send", "-d", "nobody", "--properties", "$.mid=1"]);
    assert!(error.contains("$.mid is a system property"), "{error}");
}

#[test]
fn devices_are_made_by_hand_and_found_by_queries() {
    let emulator = Emulator::start(&[]);
    let thumbprint = "A1".repeat(32);
    let made = emulator.json(&["device", "create", "-d", "box-1", "--primary-thumbprint", &thumbprint]);
    assert_eq!(made["authentication"]["type"], "selfSigned", "{made}");
    assert_eq!(made["authentication"]["x509Thumbprint"]["primaryThumbprint"], json!(thumbprint));
    let made = emulator.json(&["device", "create", "-d", "box-2", "--status", "disabled", "--edge-enabled"]);
    assert_eq!((&made["status"], &made["capabilities"]["iotEdge"]), (&json!("disabled"), &json!(true)));
    assert_eq!(made["authentication"]["symmetricKey"]["primaryKey"].as_str().map(str::len), Some(44));
    let error = emulator.error(&["device", "create", "-d", "box-1"]);
    assert!(error.contains("HTTP 409, DeviceAlreadyExists"), "{error}");

    let text = "SELECT deviceId, status FROM devices WHERE status = 'disabled'";
    let found = emulator.json(&["query", "--query-command", text]);
    assert_eq!(found, json!([{"deviceId": "box-2", "status": "disabled"}]));
    let all = emulator.json(&["query", "-q", "SELECT * FROM devices", "--top", "1"]);
    assert_eq!(all.as_array().map(Vec::len), Some(1));
    let table = emulator.text(&["query", "-q", text, "-o", "table"]);
    assert_eq!(table, "deviceId  status\n--------  --------\nbox-2     disabled\n");
    // Properties of messages keep their case, and take any text.
    let properties = "Alert=1;berth no=é";
    emulator.text(&["c2d", "send", "-d", "box-1", "--data", "x", "--properties", properties]);
    assert_eq!(emulator.json(&["device", "show", "-d", "box-1"])["cloudToDeviceMessageCount"], 1);
}

#[test]
fn a_login_of_the_emulator_works_and_a_wrong_key_is_refused() {
    let emulator = Emulator::start(&["--hub", "east", "--hub", "west"]);
    let error = emulator.error(&["device", "create", "-d", "box"]);
    assert!(
        error.contains("east.azure-devices.net, west.azure-devices.net: choose one with --hub-name"),
        "{error}"
    );
    assert_eq!(emulator.json(&["device", "list"]), json!([]));
    assert_eq!(emulator.json(&["device", "list", "--hub-name", "west"]), json!([]));
    assert!(emulator.error(&["device", "list", "-n", "north"]).contains("has no hub \"north\""));

    let file = emulator.file();
    let of_hub = file["hubs"][0]["connectionString"].as_str().unwrap().to_owned();
    assert_eq!(emulator.json(&["device", "list", "--login", &of_hub]), json!([]));
    std::fs::write(emulator.path("login"), of_hub.clone() + "\n").unwrap();
    let from_file = format!("@{}", text(&emulator.path("login")));
    assert_eq!(emulator.json(&["device", "list", "--login", &from_file]), json!([]));
    assert!(emulator.error(&["device", "list", "--login", "@/nowhere"]).contains("can't read /nowhere"));
    let error = emulator.error(&["device", "show", "-d", "nobody", "--login", &of_hub]);
    assert!(error.contains("nobody (HTTP 404, DeviceNotFound, tracking ID"), "{error}");
    let (rest, key) = of_hub.split_once("SharedAccessKey=").unwrap();
    let wrong = format!("{rest}SharedAccessKey=d3Jvbmc=");
    let error = emulator.error(&["device", "list", "--login", &wrong]);
    assert!(error.contains("HTTP 401") && error.contains("check policy and key"), "{error}");
    assert!(!error.contains(key), "keys are not printed");

    // Without the emulator's directory nothing says whom to trust.
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = |arguments: &[&str]| {
        let output = program().arg("cloud").args(arguments).current_dir(elsewhere.path()).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (_, error) = outside(&["device", "list", "--login", &of_hub]);
    assert!(error.contains("is not trusted") && error.contains("--server-ca"), "{error}");
    let ca = emulator.path("server-ca.pem");
    assert!(outside(&["device", "list", "--login", &of_hub, "--server-ca", text(&ca)]).0);
    let (_, error) = outside(&["device", "list"]);
    assert!(error.contains("there is no ./emulator.json: start `container-tracker emulator`"), "{error}");
}

#[test]
fn mistakes_are_named_with_their_remedy() {
    let emulator = Emulator::start(&[]);
    let azure_hub = "HostName=h.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey=a2V5MQ==";
    let azure_dps = "HostName=d.azure-devices-provisioning.net;SharedAccessKeyName=provisioningserviceowner;SharedAccessKey=a2V5MQ==";
    let nobody = "HostName=localhost:1;SharedAccessKeyName=iothubowner;SharedAccessKey=a2V5MQ==";
    let unknown = "HostName=nowhere.invalid;SharedAccessKeyName=iothubowner;SharedAccessKey=a2V5MQ==";
    let key = text(&emulator.path("root.key")).to_owned();
    let cases: &[(&[&str], &str)] = &[
        (
            &["device", "list", "--login", "nonsense"],
            "--login: the connection string has a part that is not name=value",
        ),
        (&["device", "list", "--login", "HostName=h;SharedAccessKeyName=x"], "has no SharedAccessKey"),
        (&["device", "list", "--login", azure_dps], "this needs a hub"),
        (&["registration", "list", "--login", azure_hub], "this needs the provisioning service"),
        (&["certificate", "list", "--login", azure_dps], "az iot dps certificate"),
        (&["fault", "list", "--login", azure_dps], "faults can be injected into an emulator only"),
        (&["twin", "show", "-d", "nobody"], "nobody (HTTP 404, DeviceNotFound"),
        (&["twin", "update", "-d", "x", "--desired", "{a"], "--desired: \"{a\" is neither JSON nor"),
        (&["twin", "update", "-d", "x"], "nothing to update"),
        (
            &["enrollment-group", "create", "--enrollment-id", "g"],
            "name the CA: --certificate-path FILE, or --ca-name",
        ),
        (
            &["enrollment-group", "create", "--enrollment-id", "g", "--ca-name", "x"],
            "CA certificate not found",
        ),
        (&["enrollment-group", "show", "--enrollment-id", "g"], "HTTP 404, 404204"),
        (&["certificate", "add", "--ca-name", "x", "--certificate-path", &key], "is a private key"),
        (&["certificate", "add", "--ca-name", "x", "--certificate-path", "/nowhere.pem"], "/nowhere.pem"),
        (&["certificate", "show", "--ca-name", "x"], "there is no CA certificate \"x\""),
        (&["fault", "inject", "refuse-connect", "--code", "9"], "not in 1 to 5"),
        (&["fault", "inject", "twin-error", "--status", "200"], "not in 400 to 599"),
        (&["fault", "clear", "--id", "77"], "77"),
        (&["device", "create", "-d", "a b"], "HTTP 400"),
        (&["device", "create", "-d", "x", "--auth-method", "x509_thumbprint"], "needs --primary-thumbprint"),
        (&["device", "create", "-d", "x", "--primary-thumbprint", "abc"], "HTTP 400"),
        (&["device", "list", "--where", "nonsense ="], "HTTP 400"),
        (&["query", "-q", "SELECT * FROM planets"], "HTTP 400"),
        (&["query", "-q", ""], "HTTP 400"),
        (&["method", "invoke", "-d", "nobody", "--method-name", "ping"], "DeviceNotFound"),
        (&["registration", "show", "--registration-id", "nobody"], "HTTP 404, 404202"),
        (
            &["enrollment", "create", "--enrollment-id", "e", "--certificate-path", "/nowhere.pem"],
            "/nowhere.pem",
        ),
        (&["device", "list", "--login", nobody], "nobody listens there: check HostName in --login"),
        (&["device", "list", "--login", unknown], "can't talk to nowhere.invalid: "),
        (&["device", "list", "--login", azure_hub, "--server-ca", "/nowhere.pem"], "can't read /nowhere.pem"),
    ];
    for (arguments, sentence) in cases {
        let error = emulator.error(arguments);
        assert!(error.contains(sentence), "{arguments:?}: {error}");
        assert_eq!(error.trim_end().lines().count(), 1, "{error}");
        assert!(!error.contains("a2V5MQ"), "{error}");
    }
}

#[test]
fn nothing_is_lost_over_a_restart_with_a_state_directory() {
    let factory = Factory::new();
    let state = factory.path("state");
    let state = text(&state).to_owned();
    let root = text(&factory.path("root.pem")).to_owned();
    let options = ["--state-directory", &state, "--enroll", &root];
    let mut first = Emulator::start_in(factory, &options);
    let disable =
        ["enrollment-group", "update", "--enrollment-id", "group-1", "--provisioning-status", "disabled"];
    first.json(&disable);
    Command::new("kill").args(["-TERM", &first.child.id().to_string()]).status().unwrap();
    assert!(first.child.wait().unwrap().success());
    assert!(!first.path("emulator.json").exists(), "an emulator that has ended says so");
    let error = first.error(&["enrollment-group", "list"]);
    assert!(error.contains("there is no"), "{error}");
    let factory = std::mem::replace(&mut first.factory, Factory::new());
    let second = Emulator::start_in(factory, &options);
    let groups = second.json(&["enrollment-group", "list"]);
    assert_eq!(groups[0]["provisioningStatus"], "disabled", "{groups}");
    assert_eq!(second.json(&["certificate", "list"])[0]["properties"]["isVerified"], true);
}

#[test]
#[cfg(unix)]
fn what_has_keys_in_it_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let emulator = Emulator::start(&["--print-connection-strings"]);
    let mode = std::fs::metadata(emulator.path("emulator.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_read_to_their_last_page() {
    let emulator = tracker_emulator::Emulator::builder().start().await.unwrap();
    let hub = emulator.hub("hub-1").unwrap();
    for number in 0..2001 {
        hub.create_device_with(&format!("device-{number:04}"), tracker_emulator::DeviceSettings::default())
            .unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, emulator.server_ca_pem()).unwrap();
    let login =
        emulator.connection_strings().into_iter().find(|string| string.policy == "iothubowner").unwrap();
    let list = |more: &[&str]| -> Vec<Value> {
        let mut command = program();
        command
            .args(["cloud", "device", "list", "--login", &login.local, "--server-ca", text(&ca)])
            .args(more);
        serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
    };
    let all = list(&[]);
    let ids: std::collections::BTreeSet<_> = all.iter().map(|twin| twin["deviceId"].to_string()).collect();
    assert_eq!((all.len(), ids.len()), (2001, 2001));
    assert_eq!(list(&["--top", "1500"]).len(), 1500);
    emulator.shutdown().await;
}
