//! Heads of HTTP responses, as a proxy and a server of WebSockets answer. What comes may be anything.

use std::fmt;

use crate::link::error::{LinkError, LinkErrorKind};

/// A longer head is none.
pub(super) const LARGEST_HEAD: usize = 16 * 1024;
/// So many lines it may have.
const MOST_FIELDS: usize = 128;
/// So much of a text of the other side is shown.
const SHOWN: usize = 60;

/// A status line and the fields below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    reason: String,
    /// Names in small letters.
    fields: Vec<(String, String)>,
}

/// How far a head has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// More must come.
    Incomplete,
    /// It has so many bytes.
    Complete(usize),
    /// It will never be one.
    NotHttp,
}

/// Looks for the end of a head in what has come so far.
pub(super) fn progress(bytes: &[u8]) -> Progress {
    const BEGINS: &[u8] = b"HTTP/1.";
    let common = bytes.len().min(BEGINS.len());
    if bytes[..common] != BEGINS[..common] {
        return Progress::NotHttp;
    }
    // A line ends in LF, before which CR stands as a rule.
    let mut line_begins = 0;
    for (index, byte) in bytes.iter().enumerate().take(LARGEST_HEAD) {
        if *byte == b'\n' {
            if line_begins > 0 && matches!(&bytes[line_begins..index], b"" | b"\r") {
                return Progress::Complete(index + 1);
            }
            line_begins = index + 1;
        }
    }
    if bytes.len() >= LARGEST_HEAD { Progress::NotHttp } else { Progress::Incomplete }
}

impl Head {
    /// Reads a head that is complete.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let (version, rest) = lines.next()?.split_once(' ')?;
        let is_known = matches!(version, "HTTP/1.0" | "HTTP/1.1");
        let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let has_three = status.len() == 3 && status.bytes().all(|byte| byte.is_ascii_digit());
        let status =
            status.parse().ok().filter(|status| is_known && has_three && (100..600).contains(status))?;
        let mut fields = Vec::new();
        for line in lines.take_while(|line| !line.is_empty()) {
            let (name, value) = line.split_once(':')?;
            if fields.len() == MOST_FIELDS {
                return None;
            }
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        Some(Self { status, reason: printable(reason), fields })
    }

    /// The values of a field.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Whether one of the words that stand in this field, between commas, is that one.
    pub(super) fn has(&self, name: &str, word: &str) -> bool {
        self.all(name).any(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case(word)))
    }

    /// Whether more will come, of which this is not the answer yet.
    pub(super) fn is_interim(&self) -> bool {
        (100..200).contains(&self.status) && self.status != 101
    }

    /// Whether a page for people comes with it.
    pub(super) fn is_page(&self) -> bool {
        self.all("content-type").any(|value| value.to_ascii_lowercase().starts_with("text/html"))
    }
}

impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { status, reason, .. } = self;
        if reason.is_empty() { write!(f, "{status}") } else { write!(f, "{status} {reason}") }
    }
}

/// What the other side says, as far as it can be shown.
pub(super) fn printable(text: &str) -> String {
    let mut shown: String = text.trim().chars().take(SHOWN).collect();
    shown.retain(|c| c == ' ' || c.is_ascii_graphic());
    shown
}

/// What answers does not speak HTTP, or gives no end of it. `who` is the subject of the sentence.
pub(super) fn not_http(who: &str) -> LinkError {
    let why =
        format!("{who} does not speak HTTP: is it a captive portal, or another kind of server or proxy?");
    LinkError { kind: LinkErrorKind::Answered, why }
}

/// What is to be thought of an answer that neither proxies nor servers give who do their work.
pub(super) fn hint(head: &Head) -> &'static str {
    match head.status {
        511 => "; the network wants somebody to log in first (captive portal)",
        300..400 => "; is it a captive portal, which leads to its own page?",
        _ if head.is_page() => "; a page for people came with it: is it a captive portal?",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn head(text: &str) -> Option<Head> {
        match progress(text.as_bytes()) {
            Progress::Complete(length) => Head::read(&text.as_bytes()[..length]),
            _ => None,
        }
    }

    #[test]
    fn heads_of_many_servers_are_read() {
        let squid = head("HTTP/1.1 200 Connection established\r\n\r\n\x16\x03").unwrap();
        assert_eq!((squid.status, squid.to_string().as_str()), (200, "200 Connection established"));
        assert_eq!(head("HTTP/1.0 200\r\n\r\n").unwrap().to_string(), "200");
        assert_eq!(head("HTTP/1.0 200 OK\nVia: x\n\n").unwrap().all("via").next(), Some("x"));
        let upgrade =
            "HTTP/1.1 101 Switching\r\nCONNECTION: keep-alive, UpGrade\r\nUpgrade:websocket \r\n\r\n";
        let upgrade = head(upgrade).unwrap();
        assert!(upgrade.has("connection", "upgrade") && upgrade.has("upgrade", "websocket"));
        assert!(!upgrade.is_interim() && head("HTTP/1.1 100 Continue\r\n\r\n").unwrap().is_interim());
        let portal = head("HTTP/1.1 200 OK\r\nContent-Type: Text/HTML; charset=utf-8\r\n\r\n<html>").unwrap();
        assert!(portal.is_page() && hint(&portal).contains("captive portal"));
        let odd = head("HTTP/1.1 403 \x1b[31mNo\u{7f} w\u{e4}y\r\nX: y\r\n\r\n").unwrap();
        assert_eq!(odd.to_string(), "403 [31mNo wy");
    }

    #[test]
    fn what_is_no_head_is_known_early() {
        for none in ["\x15\x03\x01", "SSH-2.0", "H2", "HTTP/2 200", "<html>", "HTTP/0.9"] {
            assert_eq!(progress(none.as_bytes()), Progress::NotHttp, "{none}");
        }
        for part in ["", "H", "HTTP/1.", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nA: b\r\n\r"] {
            assert_eq!(progress(part.as_bytes()), Progress::Incomplete, "{part}");
        }
        assert_eq!(
            progress(&[b"HTTP/1.1 200 ".as_slice(), &[b'x'; LARGEST_HEAD]].concat()),
            Progress::NotHttp
        );
        for bad in [
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1 600 OK\r\n\r\n",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.9 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno field\r\n\r\n",
        ] {
            assert_eq!(head(bad), None, "{bad}");
        }
        let many = "a: b\r\n".repeat(MOST_FIELDS + 1);
        assert_eq!(head(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_stumble(bytes: Vec<u8>) {
            let _ = progress(&bytes);
            let _ = Head::read(&bytes);
        }

        #[test]
        fn nothing_like_a_head_makes_it_stumble(
            text in "(HTTP/1[.]1|HTTP/1[.]0|HTTP/)? ?[0-9]{0,4} ?[ -~\u{80}-\u{ffff}]{0,20}(\r?\n([a-zA-Z-]{0,8}:?[ -~\t]{0,12}))*(\r?\n){0,3}.{0,9}"
        ) {
            if let Progress::Complete(length) = progress(text.as_bytes()) {
                prop_assert!(length <= text.len() && text.as_bytes()[length - 1] == b'\n');
                if let Some(head) = Head::read(&text.as_bytes()[..length]) {
                    let shown = head.to_string();
                    prop_assert!((100..600).contains(&head.status) && shown.is_ascii() && shown.len() <= SHOWN + 4);
                    let _ = (head.is_page(), head.is_interim(), hint(&head), head.has("connection", "upgrade"));
                }
            }
        }

        #[test]
        fn the_end_is_found_wherever_the_bytes_are_parted(
            reason in "[ -~]{0,30}",
            fields in proptest::collection::vec(("[a-z-]{1,10}", "[ -~]{0,30}"), 0..8),
            behind: Vec<u8>,
        ) {
            let mut text = format!("HTTP/1.1 200 {reason}\r\n");
            for (name, value) in &fields {
                text += &format!("{name}: {value}\r\n");
            }
            text += "\r\n";
            let end = text.len();
            let bytes = [text.as_bytes(), &behind].concat();
            for part in 0..end {
                prop_assert_eq!(progress(&bytes[..part]), Progress::Incomplete);
            }
            for part in end..=bytes.len() {
                prop_assert_eq!(progress(&bytes[..part]), Progress::Complete(end));
            }
            let head = Head::read(&bytes[..end]).unwrap();
            for (name, value) in &fields {
                prop_assert!(head.all(name).any(|own| own == value.trim()));
            }
        }
    }
}
