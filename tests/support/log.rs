//! What this thread logs: every packet at the emulator, and every sentence of the agent.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::time::{Instant, sleep};
use tracing::Level;
use tracing::subscriber::{DefaultGuard, set_default};

use super::agent::PATIENCE;

/// The log of agent and emulator, for as long as both run on the thread where it was begun.
pub struct Log {
    text: Written,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub fn begin() -> Self {
        let text = Written::default();
        let writer = text.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        Self { text, _guard: set_default(subscriber) }
    }

    fn lines(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.text.0.lock().unwrap()).into_owned();
        text.lines().map(str::trim_start).filter(|line| wanted(line)).map(str::to_owned).collect()
    }

    /// Packets in both directions.
    pub fn wire(&self) -> Vec<String> {
        self.lines(|line| line.contains("tracker_emulator::wire"))
    }

    /// What the agent said, each line with its level.
    pub fn agent(&self) -> Vec<String> {
        self.lines(|line| line.contains("tracker_agent::event"))
    }

    /// What the agent said at this level.
    pub fn lines_at(&self, level: Level) -> Vec<String> {
        self.agent().into_iter().filter(|line| line.starts_with(level.as_str())).collect()
    }

    /// Waits until the agent has said this at this level, and gives the line.
    pub async fn wait_for(&self, level: Level, words: &str) -> String {
        let begun = Instant::now();
        loop {
            let said = |line: &&String| line.starts_with(level.as_str()) && line.contains(words);
            if let Some(line) = self.agent().iter().find(said) {
                return line.clone();
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "no {level} with \"{words}\" but\n{}\nand on the wire\n{}",
                self.agent().join("\n"),
                self.wire().join("\n")
            );
            sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Whether a packet like this has passed.
    pub fn has_passed(&self, packet: &str) -> bool {
        self.wire().iter().any(|line| line.contains(packet))
    }
}
