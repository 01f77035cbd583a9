//! Server-sent events (WHATWG HTML), as far as the emulator sends them.

use std::io::{self, BufRead};

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
