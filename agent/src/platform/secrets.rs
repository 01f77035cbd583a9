//! Text without what looks like a secret: for answers that leave the device and may quote what somebody has put in a wrong place.
//!
//! The agent's own sentences have none. This is a second lock, and rather hides too much.

/// Stands in the place of a secret.
const HIDDEN: &str = "[hidden]";
/// What begins a PEM block; all behind it goes.
const PEM: &str = "-----BEGIN";
/// Behind names that end so, and a mark, a secret follows, up to the end of the word or of what is in quotes.
const NAMES: [&str; 8] =
    ["password", "passwd", "secret", "token", "accesskey", "accountkey", "accesssignature", "pin-value"];
/// The same, where they are a word of their own.
const WORDS: [&str; 4] = ["pin", "sig", "primarykey", "secondarykey"];
/// Behind this it has several words, up to the end.
const WHOLE: &str = "authorization";
/// A run of so many letters and digits that is neither a word nor a number is a key.
const SHORTEST_KEY: usize = 20;

/// The text, with secrets replaced.
pub fn hidden(text: &str) -> String {
    let (mut rest, is_cut) = match text.split_once(PEM) {
        Some((before, _)) => (before, true),
        None => (text, false),
    };
    let mut shown = String::with_capacity(text.len());
    while let Some(next) = rest.find(is_of_word) {
        shown.push_str(&rest[..next]);
        rest = &rest[next..];
        let (word, behind) = rest.split_at(rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()));
        if is_key(word, behind.starts_with('=')) {
            shown.push_str(HIDDEN);
            rest = behind.trim_start_matches('=');
            continue;
        }
        shown.push_str(word);
        rest = behind;
        let (name, mark) = (word.to_ascii_lowercase(), mark(behind));
        if mark == 0 || mark == behind.len() || !is_name(&name) {
            continue;
        }
        shown.push_str(&behind[..mark]);
        shown.push_str(HIDDEN);
        let value = &behind[mark..];
        rest = if name.ends_with(WHOLE) { "" } else { &value[length(value)..] };
    }
    shown.push_str(rest);
    let mut shown = without_logins(&shown);
    if is_cut {
        shown.push_str(HIDDEN);
    }
    shown
}

/// Of base64 in both alphabets, and of names.
fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_')
}

fn is_name(name: &str) -> bool {
    let is_word = |word: &&str| {
        name.strip_suffix(*word).is_some_and(|before| !before.ends_with(|c: char| c.is_ascii_alphabetic()))
    };
    name.ends_with(WHOLE) || NAMES.iter().any(|end| name.ends_with(end)) || WORDS.iter().any(is_word)
}

/// Capitals, small letters and digits in one run are no word. A path is told by its short parts.
fn is_key(word: &str, is_padded: bool) -> bool {
    let is_mixed = |part: &str| {
        let has = |is: fn(&u8) -> bool| part.as_bytes().iter().any(is);
        part.len() >= SHORTEST_KEY
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && has(u8::is_ascii_digit)
    };
    is_padded && is_mixed(word) || word.split('/').any(is_mixed)
}

/// How much of this is a mark between a name and a value: `=`, `: `, `": "`, `%3D`.
fn mark(text: &str) -> usize {
    let quote = text.len() - text.trim_start_matches(['"', '\'', '\\']).len();
    let rest = text[quote..].trim_start();
    let mark = ["=", ":", "%3D", "%3d"].iter().find(|mark| rest.starts_with(**mark));
    let Some(mark) = mark else { return 0 };
    text.len() - rest[mark.len()..].trim_start().len()
}

/// How much of this is the value.
fn length(value: &str) -> usize {
    let begin = value.len() - value.trim_start_matches('\\').len();
    match value[begin..].chars().next() {
        Some(quote @ ('"' | '\'')) => {
            let inner = begin + 1;
            value[inner..].find(quote).map_or(value.len(), |end| inner + end + 1)
        }
        _ => value
            .find(|c: char| c.is_whitespace() || matches!(c, ';' | '&' | ',' | '"' | '\''))
            .unwrap_or(value.len()),
    }
}

/// `scheme://user:password@host` without what stands before the host.
fn without_logins(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        rest = behind;
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`');
        let end = behind.find(is_end).unwrap_or(behind.len());
        if let Some(at) = behind[..end].rfind('@') {
            shown.push_str(HIDDEN);
            rest = &behind[at..];
        }
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_not_shown_wherever_it_stands() {
        let key = "Zm9vYmFyMTIzNDU2Nzg5MGFiY2RlZmdoaWprbG1ub3A=";
        let secrets = ["hunter2", "s3cret", "MIGHAgEAMBMGByqGSM49", "Zm9vYmFyMTIz", "1234", "open sesame"];
        for text in [
            format!("\"HostName=h.net;SharedAccessKeyName=x;SharedAccessKey={key}\" is not a whole number"),
            format!("SharedAccessSignature sr=h&sig={key}&se=99&skn=x"),
            format!("a key alone: {key}, and more"),
            format!("in a word {}", key.trim_end_matches('=')),
            "-----BEGIN PRIVATE KEY-----\\nMIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0w\\n-----END PRIVATE KEY-----".into(),
            "the proxy http://ship:hunter2@proxy:3128 is closed".into(),
            "http://ship:hun@ter2hunter2@proxy".into(),
            "password = \"open sesame\" is wrong".into(),
            r#"{"password": "hunter2", "pin": "1234"}"#.into(),
            "pkcs11:token=t?pin-value=1234&x=1".into(),
            "pin-value%3D1234".into(),
            "PIN: 1234".into(),
            "token=hunter2 password='hunter2'".into(),
            "Proxy-Authorization: Basic hunter2 hunter2".into(),
            "Authorization: Bearer hunter2".into(),
        ] {
            let shown = hidden(&text);
            assert!(shown.contains(HIDDEN), "{text} is shown as {shown}");
            let found = secrets.iter().find(|secret| shown.contains(**secret));
            assert_eq!(found, None, "{text} is shown as {shown}");
        }
    }

    #[test]
    fn what_is_none_is_shown_as_it_is() {
        for text in [
            "online at cheese-hub.azure-devices.net, 3 readings to send",
            "the root DigiCert Global Root G2 ends on 2038-01-15; SHA-256 cb3ccbb76031e5e0138f8dd39a23f9de47ffc35e43c1144cea27d46a5ab1cb5f",
            "/usr/lib/x86_64-linux-gnu/pkcs11/libtpm2_pkcs11.so.1 can't be loaded",
            "can't read /etc/container-tracker/device-chain.pem: Permission denied (os error 13)",
            "2026-11-29T07:10:15.000Z warning a token of the hub has ended: the PIN is not asked for",
            "twin: telemetryInterval = 60; trip startsOnLeaving customer's ramp",
            "http://proxy.example:3128 and mail to a@b.c",
            "MSKU9070323 dtmi:containertracker:Tracker;1 0ne00A1B2C3",
        ] {
            assert_eq!(hidden(text), text);
        }
    }
}
