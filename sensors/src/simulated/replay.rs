//! A recorded NMEA log as the bytes of a receiver.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::bursts::{BurstStream, Bursts, SharedBursts};
use crate::gps::{ByteSource, Counts, Decoder, Opening, epoch_starts};

/// What happens after the last byte of the recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AtEnd {
    /// It begins anew.
    #[default]
    Loop,
    /// The line stays open and silent.
    FallSilent,
}

/// Plays a recording epoch by epoch, in the same pieces every time, as fast as is asked.
pub struct Replay {
    name: String,
    interval: Duration,
    recording: SharedBursts,
    lack: Option<&'static str>,
}

struct Recording {
    epochs: Vec<Vec<u8>>,
    next: usize,
    at_end: AtEnd,
}

impl Replay {
    /// Plays these bytes, one epoch each `interval`. A recording without any epoch is played in one piece.
    pub fn new(name: impl Into<String>, bytes: &[u8], interval: Duration, at_end: AtEnd) -> Self {
        let recording = Recording { epochs: cut(bytes), next: 0, at_end };
        Self { name: name.into(), interval, recording: Arc::new(Mutex::new(recording)), lack: lack(bytes) }
    }

    /// What the recording has in place of a fix, where it has none; it follows on "the recording".
    pub fn lack(&self) -> Option<&'static str> {
        self.lack
    }

    /// The same recording, at so many epochs a second; what is no speed is that of a receiver, one.
    #[must_use]
    pub fn at_speed(mut self, epochs_per_second: f64) -> Self {
        let interval = Duration::try_from_secs_f64(epochs_per_second.recip());
        self.interval =
            interval.ok().filter(|interval| !interval.is_zero()).unwrap_or(Duration::from_secs(1));
        self
    }

    /// Plays a file at the pace of a receiver, one epoch a second.
    pub fn open(path: impl AsRef<Path>, at_end: AtEnd) -> io::Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|error| {
            io::Error::new(error.kind(), format!("recording {}: {error}", path.display()))
        })?;
        Ok(Self::new(path.display().to_string(), &bytes, Duration::from_secs(1), at_end))
    }
}

impl ByteSource for Replay {
    fn open(&mut self) -> Opening<'_> {
        let stream = BurstStream::open(&self.recording, self.interval);
        Box::pin(std::future::ready(Ok(Box::new(stream) as _)))
    }

    fn name(&self) -> String {
        format!("recording {}", self.name)
    }
}

impl Bursts for Recording {
    fn next_burst(&mut self) -> Option<Vec<u8>> {
        if self.next == self.epochs.len() && self.at_end == AtEnd::Loop {
            self.next = 0;
        }
        let epoch = self.epochs.get(self.next)?.clone();
        self.next += 1;
        Some(epoch)
    }
}

fn lack(bytes: &[u8]) -> Option<&'static str> {
    let mut decoder = Decoder::new();
    decoder.push(bytes, Duration::ZERO);
    decoder.finish();
    let Counts { lines, fixes, epochs_without_fix, .. } = decoder.counts();
    if fixes > 0 {
        None
    } else if epochs_without_fix > 0 {
        Some("holds no fix, only epochs without one")
    } else if lines.sentences > 0 {
        Some("holds no sentence with a position (RMC, GGA, GNS, GLL)")
    } else if lines.without_checksum > 0 {
        Some("holds sentences without checksums, which don't count")
    } else {
        Some("holds no NMEA sentence")
    }
}

/// Cuts before each sentence that begins a new epoch. What comes before the first is played with it.
fn cut(bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut cuts = epoch_starts(bytes);
    cuts.push(bytes.len());
    let mut from = 0;
    let mut epochs = Vec::with_capacity(cuts.len());
    for to in cuts.into_iter().skip(1) {
        epochs.push(bytes[from..to].to_vec());
        from = to;
    }
    if from < bytes.len() {
        epochs.push(bytes[from..].to_vec());
    }
    epochs
}
