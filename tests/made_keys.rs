//! Keys that the agent makes in a token for certificates that Azure issues: SoftHSM2 is the token. Runs with `--features pkcs11`
//! alone, and needs the Debian packages softhsm2 and opensc-pkcs11 (and opensc, whose pkcs11-tool is the witness).

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

mod support;

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use container_tracker::config::Config;
use container_tracker::identity::operational::Pairs;
use support::issuer::renew;
use support::softhsm::{PIN, SoftHsm};

const NAME: &str = "sensor-thl-001";
/// Names the configuration to the process in which a token is used: libraries read their environment.
const CONFIG: &str = "MADE_KEYS_CONFIG";
const ACT: &str = "MADE_KEYS_ACT";

struct Scene {
    hsm: SoftHsm,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let hsm = SoftHsm::new();
        hsm.add_token("tracker");
        let scene = Self { hsm, directory: tempfile::tempdir().unwrap() };
        scene.configure(&scene.hsm.uri("token=tracker"));
        scene
    }

    fn configure(&self, key: &str) {
        let text = format!(
            "[dps]\nid_scope = \"0ne00000001\"\n[identity]\ncertificate = \"chain.pem\"\nkey = \"device.key\"\n\
             [identity.operational]\nissuer = \"dps\"\nkey = {key:?}\n[state]\ndirectory = \"state\"\n"
        );
        fs::write(self.config(), text).unwrap();
        fs::create_dir_all(self.directory.path().join("state")).unwrap();
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("tracker.toml")
    }

    /// Plays an act of [`play`], and tells what it has printed.
    fn play(&self, act: &str) -> String {
        let mut program = Command::new(env::current_exe().unwrap());
        program.args(["--exact", "play", "--nocapture"]).envs(self.hsm.environment());
        let output = program.env(CONFIG, self.config()).env(ACT, act).output().unwrap();
        let text = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
        assert!(output.status.success(), "{act}: {text}");
        assert!(!text.contains(PIN), "{text}");
        let is_told =
            |line: &&str| ["rid ", "error: ", "slots ", "left "].iter().any(|word| line.starts_with(word));
        text.lines().filter(is_told).collect()
    }

    /// The private keys in the token, as another program sees them.
    fn keys(&self) -> String {
        let environment = self.hsm.environment();
        let library = environment.iter().find(|(name, _)| *name == "PKCS11SPY").unwrap().1.clone();
        let mut tool = Command::new("pkcs11-tool");
        tool.arg("--module").arg(library).args(["--token-label", "tracker", "--login", "--pin", PIN]);
        let Output { status, stdout, stderr } =
            tool.args(["--list-objects"]).envs(environment).output().unwrap();
        assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    }
}

/// What the other tests play, each act in a process of its own; alone it is nothing.
#[test]
fn play() {
    let (Ok(config), Ok(act)) = (env::var(CONFIG), env::var(ACT)) else { return };
    let config = Config::load(Path::new(&config)).unwrap();
    let mut pairs = config.pairs().unwrap().unwrap();
    let name = NAME.parse().unwrap();
    match &*act {
        "request" => match pairs.request(&name, None) {
            Ok(request) => println!("rid {}", request.rid),
            Err(error) => println!("error: {error}"),
        },
        "renew" => {
            renew(&mut pairs, NAME);
            let pair = &pairs.candidates()[0];
            pair.identity.sign(b"hello").unwrap();
        }
        "prove" => {
            let thumbprint = pairs.candidates()[0].identity.thumbprint.clone();
            pairs.proved(&thumbprint).unwrap();
        }
        "look" => {
            let slots: Vec<_> = pairs.candidates().iter().map(|pair| pair.slot.name()).collect();
            println!("slots {slots:?} news {:?}", pairs.news());
        }
        "destroy" => {
            let operational = config.identity.operational.as_ref();
            println!("left {:?}", Pairs::destroy(operational, &config.state.directory).unwrap());
        }
        act => panic!("{act}"),
    }
}

fn private_keys(objects: &str) -> usize {
    objects.matches("Private Key Object; EC").count()
}

#[test]
fn a_key_is_made_in_the_token_never_leaves_it_and_goes_when_the_next_one_is_proved() {
    let scene = Scene::new();
    let first = scene.play("request");
    assert!(first.contains("rid ") && scene.play("request") == first, "one request at a time: {first}");
    let objects = scene.keys();
    assert_eq!(private_keys(&objects), 1, "{objects}");
    assert!(objects.contains("sensitive, always sensitive, never extractable, local"), "{objects}");
    assert!(objects.contains("label:      container-tracker-"), "{objects}");
    scene.play("renew");
    scene.play("prove");
    scene.play("renew");
    assert_eq!(private_keys(&scene.keys()), 2);
    assert!(scene.play("look").contains("slots [\"next\", \"current\"] news []"));
    scene.play("prove");
    assert_eq!(private_keys(&scene.keys()), 1);
    assert_eq!(scene.keys().matches("Public Key Object").count(), 1);
    assert!(scene.play("look").contains("slots [\"current\"] news []"));
    let state = scene.directory.path().join("state/operational/current.pem");
    let text = fs::read_to_string(state).unwrap();
    assert!(text.starts_with("key = container-tracker-") && !text.contains("PRIVATE"), "{text}");
    assert!(scene.play("destroy").contains("left []"));
    assert_eq!(private_keys(&scene.keys()), 0);
}

#[test]
fn a_token_that_is_away_is_told_and_nothing_of_it_is_lost() {
    let scene = Scene::new();
    scene.play("renew");
    scene.hsm.pull_out();
    let told = scene.play("look");
    assert!(
        told.contains(
            "slots [] news [\"no token is there for pkcs11:token=tracker;object=container-tracker-"
        ),
        "{told}"
    );
    assert!(scene.play("request").contains("error: no token is there for "));
    scene.hsm.plug_in();
    assert!(scene.play("look").contains("slots [\"next\"] news []"));
    scene.configure("file");
    let told = scene.play("look");
    assert!(told.contains("in a token, and identity.operational.key names none"), "{told}");
    scene.play("renew");
    assert!(scene.play("look").contains("slots [\"next\"]"));
    assert!(scene.play("destroy").contains("left [\"container-tracker-"));
}

#[test]
fn a_token_that_makes_no_keys_says_so_and_a_wrong_pin_is_shown_once() {
    let scene = Scene::new();
    scene.hsm.allow_only("CKM_ECDSA,CKM_RSA_PKCS");
    let told = scene.play("request");
    let words = "error: the token tracker makes no key for pkcs11:token=tracker;object=container-tracker-";
    assert!(told.contains(words) && told.contains("it offers no CKM_EC_KEY_PAIR_GEN"), "{told}");
    let scene = Scene::new();
    scene.configure(&support::softhsm::uri_without_pin("token=tracker"));
    let told = scene.play("request");
    assert!(told.contains("it wants a PIN: add pin-source= to identity.operational.key"), "{told}");
    assert_eq!(
        fs::read_dir(scene.directory.path().join("state/operational")).unwrap().count(),
        1,
        "the record"
    );
    scene.hsm.write_pin("9999");
    scene.configure(&scene.hsm.uri("token=tracker"));
    let logins = scene.hsm.calls("C_Login");
    for _ in 0..2 {
        let told = scene.play("request");
        assert!(told.contains("error: the token tracker refuses the PIN of "), "{told}");
    }
    assert_eq!(scene.hsm.calls("C_Login"), logins + 1);
}

/// The keys of a CA are made in the token as well, and sign there.
#[test]
fn a_ca_whose_keys_are_in_a_token_signs() {
    let hsm = SoftHsm::new();
    hsm.add_token("ca");
    let directory = tempfile::tempdir().unwrap();
    let run = |program: &str, arguments: &[&str]| {
        let mut command = Command::new(program);
        let output =
            command.args(arguments).envs(hsm.environment()).current_dir(directory.path()).output().unwrap();
        let told = String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
        assert!(!told.contains(PIN), "{told}");
        (output.status.success(), told)
    };
    let pki =
        |arguments: &[&str]| run(env!("CARGO_BIN_EXE_container-tracker"), &[&["pki"], arguments].concat());
    let (root, intermediate) = (hsm.uri("token=ca;object=root"), hsm.uri("token=ca;object=intermediate"));
    let (done, told) = pki(&["init", "--root-key", &root, "--intermediate-key", &intermediate]);
    assert!(done, "{told}");
    for key in ["pki/root.key", "pki/intermediate.key"] {
        assert!(!directory.path().join(key).exists());
    }
    let (done, told) = pki(&["leaf", "box-1"]);
    assert!(done, "{told}");
    let verify = [
        "verify",
        "-x509_strict",
        "-CAfile",
        "pki/root.pem",
        "-untrusted",
        "pki/intermediate.pem",
        "pki/devices/box-1.pem",
    ];
    let (done, told) = run("openssl", &verify);
    assert!(done && told.contains(": OK"), "{told}");
    let (done, told) = pki(&["-D", "other", "init", "--root-key", &root]);
    assert!(!done && told.contains("a key of this name is there already"), "{told}");
}
