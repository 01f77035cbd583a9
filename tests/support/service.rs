//! The built program as a service manager starts it, and the manager's ear.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::openssl::Factory;

/// Far longer than anything takes that works.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// Hears what a service says to its manager.
pub struct Manager {
    pub path: PathBuf,
    socket: UnixDatagram,
}

impl Manager {
    pub fn listen(directory: &Path) -> Self {
        let path = directory.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        Self { path, socket }
    }

    /// The next message, if one comes soon.
    pub fn next(&self) -> Option<String> {
        let mut buffer = [0; 1024];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    /// All messages up to the first that begins with `words`.
    pub fn hear(&self, words: &str) -> Vec<String> {
        let (start, mut heard) = (Instant::now(), Vec::new());
        loop {
            if let Some(message) = self.next() {
                heard.push(message);
            }
            if heard.last().is_some_and(|last| last.starts_with(words)) {
                return heard;
            }
            assert!(start.elapsed() < PATIENCE, "the manager never heard {words:?}, but {heard:#?}");
        }
    }
}

/// A device with files of its own, whose cloud is a closed door.
pub struct Installation {
    pub directory: tempfile::TempDir,
    pub config: PathBuf,
    pub factory: Factory,
    /// What the program finds in its environment besides.
    pub environment: Vec<(&'static str, PathBuf)>,
}

impl Installation {
    pub fn new() -> Self {
        let factory = Factory::new();
        let device = factory.device("sensor-thl-001");
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("tracker.toml");
        fs::create_dir(directory.path().join("run")).unwrap();
        let installation = Self { directory, config, factory, environment: Vec::new() };
        fs::copy(device.chain, installation.path("chain.pem")).unwrap();
        fs::copy(device.key, installation.path("device.key")).unwrap();
        fs::copy(installation.factory.path("root.pem"), installation.path("server-ca.pem")).unwrap();
        installation.configure("");
        installation
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes the configuration, with `more` at its end.
    pub fn configure(&self, more: &str) {
        let text = format!(
            "[dps]\nid_scope = \"0ne00000001\"\n\
             [identity]\ncertificate = \"chain.pem\"\nkey = \"device.key\"\n\
             [connection]\nroots = \"server-ca.pem\"\ngateway = \"localhost:1\"\n\
             [sensors.bme280]\nenabled = false\n[sensors.gps]\nenabled = false\n\
             [clock]\ntrust_system = true\n[state]\ndirectory = \"state\"\n{more}"
        );
        fs::write(&self.config, text).unwrap();
    }

    /// The program, on its way to be started here.
    pub fn program(&self, command: &str) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_container-tracker"));
        program.arg(command).arg("--config").arg(&self.config);
        program.env("RUNTIME_DIRECTORY", self.path("run")).env_remove("NOTIFY_SOCKET");
        program.envs(self.environment.iter().map(|(name, value)| (name, value)));
        program
    }

    /// What the program answers.
    pub fn ask(&self, command: &str, arguments: &[&str]) -> Output {
        self.program(command).args(arguments).output().unwrap()
    }

    /// The service, started by `manager`; its log goes to a file.
    pub fn start(&self, manager: &Manager) -> Service {
        let log = self.path("log");
        let file = File::create(&log).unwrap();
        let mut program = self.program("run");
        program.env("NOTIFY_SOCKET", &manager.path).env("WATCHDOG_USEC", "600000").stderr(file);
        Service { child: program.stdin(Stdio::null()).spawn().unwrap(), log }
    }
}

/// A running service.
pub struct Service {
    child: Child,
    log: PathBuf,
}

impl Service {
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// Waits for words in its log.
    pub fn wait_for_words(&self, words: &str) {
        let start = Instant::now();
        while !self.log().contains(words) {
            assert!(start.elapsed() < PATIENCE, "no {words:?} in\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Asks it to stop. It ends well, or says that the disk of this computer was too slow for the time it has.
    pub fn stop(mut self) {
        self.signal("-TERM");
        let ended = self.child.wait().unwrap();
        let slow = ended.code() == Some(1) && self.log().contains("was not flushed within");
        assert!(ended.success() || slow, "{ended}:\n{}", self.log());
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
