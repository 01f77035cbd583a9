//! Server-sent events (WHATWG HTML), as far as the emulator sends them.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tracker_protocol::printable;

use crate::platform::stderr::tell;

/// Events read ahead of what is done with them.
const AHEAD: usize = 64;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct ServerEvent {
    /// Its kind, `message` unless said otherwise.
    pub name: String,
    /// Its data, lines joined.
    pub data: String,
}

/// Reads the next event; `None` at the end of the stream.
pub(in crate::cli) fn next(stream: &mut impl BufRead) -> io::Result<Option<ServerEvent>> {
    let mut event = ServerEvent { name: "message".into(), data: String::new() };
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            if !event.data.is_empty() {
                return Ok(Some(event));
            }
            event.name = "message".into();
            continue;
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut event.name),
            "data" if event.data.is_empty() => value.clone_into(&mut event.data),
            "data" => event.data += &format!("\n{value}"),
            // Comments have no field; IDs and retry times are of no use here.
            _ => {}
        }
    }
}

/// How long a stream is followed.
pub(in crate::cli) struct Until {
    /// So many that were taken; `None`: for ever.
    pub count: Option<u64>,
    /// So many seconds without one; 0: for ever.
    pub silence_s: u64,
}

/// Gives each event to `take`, which says whether it has taken it, or `None` when nobody wants more. `what`: what the events
/// are, in the plural.
pub(in crate::cli) fn follow(
    stream: impl Read + Send + 'static,
    what: &str,
    until: &Until,
    mut take: impl FnMut(Value) -> anyhow::Result<Option<bool>>,
) -> anyhow::Result<()> {
    let (sender, events) = mpsc::sync_channel(AHEAD);
    // It ends with the program.
    std::thread::spawn(move || read(stream, &sender));
    let mut taken = 0;
    while until.count.is_none_or(|count| taken < count) {
        let event = match until.silence_s {
            0 => events.recv().map_err(|_| RecvTimeoutError::Disconnected),
            seconds => events.recv_timeout(Duration::from_secs(seconds)),
        };
        match event {
            Ok(Ok(event)) if event.name == "message" => {
                let event = serde_json::from_str(&event.data)
                    .with_context(|| format!("one of the {what} is not JSON"))?;
                match take(event)? {
                    Some(is_taken) => taken += u64::from(is_taken),
                    None => return Ok(()),
                }
            }
            Ok(Ok(event)) => tell!("{what} came faster than they were taken: {}", printable(event.data)),
            Ok(Err(error)) => return Err(error).with_context(|| format!("the stream of {what} broke off")),
            Err(RecvTimeoutError::Timeout) => return Ok(()),
            Err(RecvTimeoutError::Disconnected) => bail!("the emulator has ended the stream of {what}"),
        }
    }
    Ok(())
}

/// Reads a stream of events, until it ends or nobody wants them.
fn read(stream: impl Read, sender: &mpsc::SyncSender<io::Result<ServerEvent>>) {
    let mut stream = BufReader::new(stream);
    loop {
        let event = match next(&mut stream) {
            Ok(None) => return,
            Ok(Some(event)) => Ok(event),
            Err(error) => Err(error),
        };
        let is_over = event.is_err();
        if sender.send(event).is_err() || is_over {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_ids_are_passed_over() {
        let mut stream =
            ": connected\n\nid: 4\ndata: {\"a\":1}\n\nevent: lagged\r\ndata: x\r\ndata: y\r\n\r\ndata: cut"
                .as_bytes();
        let event = |name: &str, data: &str| Some(ServerEvent { name: name.into(), data: data.into() });
        assert_eq!(next(&mut stream).unwrap(), event("message", "{\"a\":1}"));
        assert_eq!(next(&mut stream).unwrap(), event("lagged", "x\ny"));
        assert_eq!(next(&mut stream).unwrap(), None);
    }
}
