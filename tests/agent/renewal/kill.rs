//! `kill -9` at random moments while certificates are issued, stored, taken into use and renewed: the device always comes back.
//!
//! A few kills in the everyday run; `KILLS=200 cargo test --test agent renewal::kill` for a good look, `SEED=…` for the same moments
//! again.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::{Instant, sleep};

use super::ground::Ground;
use crate::support::agent::PATIENCE;

/// URI, and the environment of its library.
type Token<'a> = Option<(&'a str, &'a [(&'static str, PathBuf)])>;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The program at work, as a process of its own, with a key in a file, or in this token.
fn spawn(ground: &Ground, token: Token<'_>) -> Child {
    let config = &ground.config;
    let key = token.map_or_else(String::new, |(uri, _)| format!("key = \"{uri}\"\n"));
    let text = format!(
        "[dps]\nid_scope = \"{}\"\n[identity]\ncertificate = \"{}\"\nkey = \"{}\"\n\
         [identity.operational]\nissuer = \"dps\"\nrenew_at = 0.1\n{key}\
         [connection]\nroots = \"{}\"\ngateway = \"localhost:{}\"\n\
         [telemetry]\ninterval = 1\n[state]\ndirectory = \"{}\"\n",
        config.dps.id_scope,
        config.identity.certificate.display(),
        config.identity.key,
        config.connection.roots.as_deref().unwrap().display(),
        ground.cloud.emulator.port(),
        config.state.directory.display(),
    );
    let path = ground.directory.path().join("tracker.toml");
    File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    let story =
        File::options().create(true).append(true).open(ground.directory.path().join("story")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_container-tracker"))
        .args(["simulate", "--devices", "1", "--speed", "0.001", "--json", "--config"])
        .arg(&path)
        .env("RUNTIME_DIRECTORY", ground.directory.path().join("run"))
        .envs(token.map(|(_, environment)| environment.to_vec()).unwrap_or_default())
        .stdout(story)
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_comes_back() {
    let kills = number("KILLS", 10);
    kill(kills, None).await;
}

/// Keys that are made in the token. The program is stopped in good order: `SoftHSM`'s own files do not survive a kill while it
/// writes them.
#[cfg(feature = "pkcs11")]
#[tokio::test(flavor = "multi_thread")]
async fn with_keys_of_a_token_too() {
    let hsm = crate::support::softhsm::SoftHsm::new();
    hsm.add_token("tracker");
    let (uri, environment) = (hsm.uri("token=tracker"), hsm.environment());
    let ground = kill(number("KILLS", 10) / 2, Some((&uri, &environment))).await;
    assert!(!ground.operational().join("request.key").exists(), "no key is in a file");
}

/// At once, or in good order.
fn end(process: &mut Child, kills: bool) {
    if kills {
        process.kill().unwrap();
    } else {
        let pid = rustix::process::Pid::from_child(process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }
    process.wait().unwrap();
}

async fn kill(kills: u64, token: Token<'_>) -> Ground {
    let seed = number("SEED", rand::random());
    println!("SEED={seed}");
    let mut random = StdRng::seed_from_u64(seed);
    // Renewed all the time.
    let ground = Ground::new(Duration::from_secs(20)).await;
    std::fs::create_dir(ground.directory.path().join("run")).unwrap();
    for kill in 0..kills {
        let mut process = spawn(&ground, token);
        sleep(Duration::from_millis(random.random_range(0..3500))).await;
        assert!(process.try_wait().unwrap().is_none(), "it ended by itself: {}", story(&ground));
        end(&mut process, token.is_none());
        // Now and then it is away for longer than its certificates are good for.
        if kill % 10 == 9 {
            sleep(Duration::from_secs(21)).await;
        }
    }
    let (before, renewed) = (ground.seqs().len(), ground.messages().len());
    let mut process = spawn(&ground, token);
    let begun = Instant::now();
    while ground.seqs().len() <= before || ground.messages().len() < renewed + 3 {
        assert!(begun.elapsed() < PATIENCE, "it is locked out (SEED={seed}): {}", story(&ground));
        sleep(Duration::from_millis(50)).await;
    }
    end(&mut process, token.is_none());
    if token.is_none() {
        assert_eq!(ground.pairs().news(), [""; 0], "nothing was damaged (SEED={seed})");
    }
    println!("{kills} kills: {} readings delivered", ground.seqs().len());
    ground
}

fn story(ground: &Ground) -> String {
    std::fs::read_to_string(ground.directory.path().join("story")).unwrap_or_default()
}
