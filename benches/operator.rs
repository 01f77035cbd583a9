//! What a command for many devices costs beside the bare calls that it stands for, at an emulator on this machine.
//!
//! `cargo bench --bench operator`, or a part of it: `cargo bench --bench operator -- update fleet`.
//!
//! The bare calls are made by threads of this process with `ureq`, 32 at a time on connections that are kept; the program runs
//! as people start it, with all that comes before and after its calls. The first lines are best of three, in turns.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, clippy::disallowed_methods)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use container_tracker::platform::clock::system_time;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;
use serde_json::{Value, json};
use tracker_emulator::{DeviceSettings, Emulator, IfMatch, TwinPatch};
use ureq::Agent;
use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};

const UPDATED: usize = 1000;
const AT_ONCE: usize = 32;
const FLEET: usize = 10_000;
const HUBS: [&str; 3] = ["hub-1", "hub-2", "hub-3"];
const ROUNDS: u64 = 3;

fn main() {
    let named: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| named.is_empty() || named.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    if wanted("update") {
        update(&runtime);
    }
    if wanted("fleet") {
        fleet(&runtime);
    }
}

/// `twin update --where` over a thousand devices.
fn update(runtime: &tokio::runtime::Runtime) {
    println!("\ntwin update --where over {UPDATED} devices beside {AT_ONCE} bare calls at a time");
    let cloud = Cloud::start(runtime, UPDATED, 1);
    let (mut asked, mut bare, mut program) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for round in 0..ROUNDS {
        let caller = cloud.caller(0);
        let begun = Instant::now();
        assert_eq!(caller.query(), UPDATED);
        asked = asked.min(begun.elapsed());
        let begun = Instant::now();
        let next = AtomicUsize::new(0);
        let body = json!({"properties": {"desired": {"telemetryInterval": 100 + round}}}).to_string();
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= UPDATED {
                            return;
                        }
                        caller.patch(&format!("/twins/{}", id(number)), &body);
                    }
                });
            }
        });
        bare = bare.min(begun.elapsed());
        let wanted = format!("telemetryInterval={}", 200 + round);
        let (time, memory, output) =
            cloud.run(&["twin", "update", "--where", "tags.lab = true", "--yes", "--desired", &wanted]);
        let rows: Vec<Value> = serde_json::from_slice(&output).unwrap();
        assert_eq!(rows.iter().filter(|row| row["outcome"] == "done").count(), UPDATED);
        println!("  round {}: {time:.2?}, {memory:.0} MB", round + 1);
        program = program.min(time);
    }
    println!(
        "  bare {asked:.2?} for the query and {bare:.2?} for the calls, program {program:.2?}: {:.2} times; {:.2} times the calls",
        program.as_secs_f64() / (asked + bare).as_secs_f64(),
        program.as_secs_f64() / bare.as_secs_f64()
    );
}

/// `cloud fleet` over three hubs.
fn fleet(runtime: &tokio::runtime::Runtime) {
    println!("\nfleet of {FLEET} devices over {} hubs beside the bare queries", HUBS.len());
    let cloud = Cloud::start(runtime, FLEET, HUBS.len());
    let (mut bare, mut program, mut most) = (Duration::MAX, Duration::MAX, 0.0_f64);
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let count: usize = (0..HUBS.len()).map(|hub| cloud.caller(hub).query()).sum();
        assert_eq!(count, FLEET);
        bare = bare.min(begun.elapsed());
        let (time, memory, output) = cloud.run(&["fleet"]);
        assert_eq!(output.split(|byte| *byte == b'\n').count(), FLEET + 3);
        (program, most) = (program.min(time), most.max(memory));
    }
    println!(
        "  bare {bare:.2?}, program {program:.2?}: {:.2} times; {most:.0} MB",
        program.as_secs_f64() / bare.as_secs_f64()
    );
}

fn id(number: usize) -> String {
    format!("sensor-thl-{number:05}")
}

/// An emulator with devices.
struct Cloud {
    directory: tempfile::TempDir,
    logins: Vec<String>,
    ca: String,
    _emulator: Arc<Emulator>,
}

/// Calls without anything around them.
struct Caller {
    agent: Agent,
    host: String,
    token: String,
}

impl Cloud {
    fn start(runtime: &tokio::runtime::Runtime, devices: usize, hubs: usize) -> Self {
        let names = &HUBS[..hubs];
        let emulator = runtime.block_on(Emulator::builder().hubs(names.iter().copied()).start()).unwrap();
        for number in 0..devices {
            let hub = emulator.hub(names[number % hubs]).unwrap();
            hub.create_device_with(&id(number), DeviceSettings::default()).unwrap();
            let desired = json!({"telemetryInterval": 60, "delivery": {"batchBacklog": true, "gzip": true}});
            let tags = json!({"lab": true, "customer": "a line of ships"});
            let map = |value: Value| value.as_object().cloned().unwrap();
            let patch = TwinPatch { tags: Some(map(tags)), desired: Some(map(desired)) };
            hub.update_twin(&id(number), patch, &IfMatch::Any).unwrap();
        }
        let directory = tempfile::tempdir().unwrap();
        let ca = emulator.server_ca_pem();
        std::fs::write(directory.path().join("ca.pem"), &ca).unwrap();
        let strings = emulator.connection_strings();
        let logins = strings.into_iter().filter(|one| one.policy == "iothubowner").map(|one| one.local);
        Self { directory, logins: logins.collect(), ca, _emulator: Arc::new(emulator) }
    }

    fn caller(&self, hub: usize) -> Caller {
        let login = &self.logins[hub];
        let part = |name: &str| {
            let parts = login.split(';').find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
            parts.unwrap().to_owned()
        };
        let host = part("HostName");
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let expiry = system_time().timestamp() + 3600;
        let resource = encoded(&host);
        let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(part("SharedAccessKey")).unwrap());
        let signature = STANDARD.encode(hmac::sign(&key, format!("{resource}\n{expiry}").as_bytes()));
        let signature = encoded(&signature);
        let token =
            format!("SharedAccessSignature sr={resource}&sig={signature}&se={expiry}&skn=iothubowner");
        let root = Certificate::from_pem(self.ca.as_bytes()).unwrap();
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .root_certs(RootCerts::new_with_certs(&[root]))
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .max_idle_connections(AT_ONCE)
            .max_idle_connections_per_host(AT_ONCE)
            .proxy(None)
            .build();
        Caller { agent: config.new_agent(), host, token }
    }

    /// How long it took, the most memory that it had in MB, and what it has printed.
    fn run(&self, arguments: &[&str]) -> (Duration, f64, Vec<u8>) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
        command.arg("cloud").args(arguments).arg("--server-ca").arg(self.directory.path().join("ca.pem"));
        for login in &self.logins {
            command.args(["--login", login]);
        }
        let printed = self.directory.path().join("printed");
        let file = std::fs::File::create(&printed).unwrap();
        let begun = Instant::now();
        let mut child = command.stdout(file).stderr(Stdio::null()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut memory = 0.0_f64;
        let ended = loop {
            memory = memory.max(peak(Path::new(&status)).unwrap_or_default());
            match child.try_wait().unwrap() {
                Some(ended) => break ended,
                None => thread::sleep(Duration::from_millis(2)),
            }
        };
        let time = begun.elapsed();
        assert!(ended.success(), "{arguments:?}");
        (time, memory, std::fs::read(&printed).unwrap())
    }
}

impl Caller {
    fn patch(&self, path: &str, body: &str) {
        let uri = format!("https://{}{path}?api-version=2021-04-12", self.host);
        let request = self.agent.patch(uri).header("authorization", &self.token);
        let request = request.header("content-type", "application/json").header("if-match", "\"*\"");
        let mut answer = request.send(body).unwrap();
        let _: Value = serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap();
    }

    /// All twins, page by page; their number.
    fn query(&self) -> usize {
        let (mut count, mut continuation) = (0, None::<String>);
        loop {
            let uri = format!("https://{}/devices/query?api-version=2021-04-12", self.host);
            let mut request = self.agent.post(uri).header("authorization", &self.token);
            request =
                request.header("content-type", "application/json").header("x-ms-max-item-count", "1000");
            if let Some(token) = &continuation {
                request = request.header("x-ms-continuation", token);
            }
            let mut answer = request.send(r#"{"query":"SELECT * FROM devices"}"#).unwrap();
            continuation =
                answer.headers().get("x-ms-continuation").map(|token| token.to_str().unwrap().to_owned());
            let body = answer.body_mut().with_config().limit(1 << 28).read_to_vec().unwrap();
            count += serde_json::from_slice::<Vec<Value>>(&body).unwrap().len();
            if continuation.as_ref().is_none_or(String::is_empty) {
                return count;
            }
        }
    }
}

/// The most memory that a process has had, in MB.
fn peak(status: &Path) -> Option<f64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<f64>().ok()? / 1024.0)
}
