//! What a service is called with: its host, the name of a shared access policy, and the policy's key.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use thiserror::Error;

const FORM: &str = "it has to be \"HostName=…;SharedAccessKeyName=…;SharedAccessKey=…\"";

/// HTTPS, unless the host name says otherwise.
const HTTPS_PORT: u16 = 443;

/// A connection string of a provisioning service or a hub.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ConnectionString {
    /// Host name, with a port where it is not 443.
    pub host: String,
    /// Name of the shared access policy.
    pub policy: String,
    /// The decoded key.
    pub key: Vec<u8>,
}

/// What keeps a text from being a connection string. The text itself is not repeated: it has a key in it.
#[derive(Debug, PartialEq, Eq, Error)]
pub(crate) enum ConnectionStringError {
    #[error("the connection string is empty: {FORM}")]
    Empty,
    #[error("the connection string has no {0}: {FORM}")]
    Missing(&'static str),
    #[error("the connection string has a part that is not name=value: {FORM}")]
    NoPair,
    #[error(
        "the connection string is that of a device (DeviceId={0}): one with SharedAccessKeyName=… is needed"
    )]
    OfDevice(String),
    #[error("the SharedAccessKey of the connection string is not base64: copy the whole of it")]
    Key,
    #[error(
        "there are {0} lines where one connection string is meant: give the one of the service that is called"
    )]
    Several(usize),
    #[error("the connection string begins or ends with a quotation mark: leave it out")]
    Quoted,
    #[error("the HostName {0:?} of the connection string is no host name")]
    Host(String),
}

impl ConnectionString {
    pub(crate) fn parse(text: &str) -> Result<Self, ConnectionStringError> {
        let text = unquoted(text.trim_start_matches('\u{feff}').trim())?;
        if text.is_empty() {
            return Err(ConnectionStringError::Empty);
        }
        let lines = text.lines().filter(|line| !line.trim().is_empty()).count();
        if lines > 1 {
            return Err(ConnectionStringError::Several(lines));
        }
        let (mut host, mut policy, mut key) = (None, None, None);
        for part in text.split(';').map(str::trim).filter(|part| !part.is_empty()) {
            // Keys end in `=` themselves.
            let (name, value) = part.split_once('=').ok_or(ConnectionStringError::NoPair)?;
            match name.trim().to_ascii_lowercase().as_str() {
                "hostname" => host = Some(value.trim()),
                "sharedaccesskeyname" => policy = Some(value.trim()),
                "sharedaccesskey" => key = Some(value.trim()),
                "deviceid" => return Err(ConnectionStringError::OfDevice(harmless(value))),
                _ => {}
            }
        }
        let present = |value: Option<&str>, name| match value {
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err(ConnectionStringError::Missing(name)),
        };
        let host = present(host, "HostName")?;
        let policy = present(policy, "SharedAccessKeyName")?;
        let key = present(key, "SharedAccessKey")?;
        let may_be_in_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']');
        if !host.chars().all(may_be_in_host) {
            return Err(ConnectionStringError::Host(harmless(&host)));
        }
        let key = STANDARD.decode(key).map_err(|_| ConnectionStringError::Key)?;
        Ok(Self { host, policy, key })
    }

    /// The key as text, as it stood in the connection string.
    pub(crate) fn key_text(&self) -> String {
        STANDARD.encode(&self.key)
    }

    /// Whether the host is one of Microsoft's. An emulator is reached by another name, or at another port.
    pub(crate) fn is_of_azure(&self) -> bool {
        let (name, port) = match self.host.rsplit_once(':') {
            Some((name, port)) => (name, port.parse().unwrap_or_default()),
            None => (self.host.as_str(), HTTPS_PORT),
        };
        let name = name.to_ascii_lowercase();
        // Sovereign clouds end in .us and .cn.
        port == HTTPS_PORT
            && (name.contains(".azure-devices.") || name.contains(".azure-devices-provisioning."))
    }

    /// Whether the host is a provisioning service, as far as its name tells.
    pub(crate) fn names_dps(&self) -> bool {
        self.host.to_ascii_lowercase().contains(".azure-devices-provisioning.")
    }

    /// Whether the host is a hub, as far as its name tells.
    pub(crate) fn names_hub(&self) -> bool {
        self.host.to_ascii_lowercase().contains(".azure-devices.")
    }
}

/// The beginning of a name, up to what no name has. Behind it may be a key, where a semicolon is missing.
fn harmless(name: &str) -> String {
    name.trim()
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '/'))
        .collect()
}

/// What is between quotation marks, as shells and JSON have it.
fn unquoted(text: &str) -> Result<&str, ConnectionStringError> {
    for mark in ['"', '\''] {
        if let Some(inner) = text.strip_prefix(mark).and_then(|text| text.strip_suffix(mark)) {
            return Ok(inner);
        }
        if text.starts_with(mark) || text.ends_with(mark) {
            return Err(ConnectionStringError::Quoted);
        }
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HUB: &str = "HostName=h.azure-devices.net;SharedAccessKeyName=iothubowner;SharedAccessKey=a2V5MQ==";

    #[test]
    fn the_key_keeps_its_equals_signs() {
        let parsed = ConnectionString::parse(HUB).unwrap();
        assert_eq!((parsed.host.as_str(), parsed.policy.as_str()), ("h.azure-devices.net", "iothubowner"));
        assert_eq!(parsed.key, b"key1");
        assert!(parsed.is_of_azure() && parsed.names_hub() && !parsed.names_dps());
    }

    #[test]
    fn quotation_marks_and_a_byte_order_mark_are_no_part_of_it() {
        for text in [format!("\"{HUB}\""), format!("'{HUB}'\n"), format!("\u{feff}{HUB}\r\n")] {
            assert_eq!(ConnectionString::parse(&text).unwrap().key, b"key1", "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_mishap_shows_a_part_of_the_key(
            of_device in proptest::bool::ANY,
            instead in ".{0,2}",
            which in 0..4_usize,
            cut in 0..120_usize,
        ) {
            const KEY: &str = "c2VjcmV0LWtleS1vZi1hLXNlcnZpY2Utb3ItYS1kZXZpY2U=";
            let name = if of_device { "DeviceId=d1" } else { "SharedAccessKeyName=iothubowner" };
            let parts = ["HostName=h.azure-devices.net", name, &format!("SharedAccessKey={KEY}"), ""];
            let marks: [&str; 4] = std::array::from_fn(|at| if at == which { instead.as_str() } else { ";" });
            let text: String = parts.iter().zip(marks).map(|(part, mark)| format!("{part}{mark}")).collect();
            for text in [text.clone(), text.chars().skip(cut).collect(), text.chars().take(cut).collect()] {
                if let Err(error) = ConnectionString::parse(&text) {
                    let said = format!("{error} {error:?}");
                    let shown = KEY.as_bytes().windows(12).any(|part| said.contains(str::from_utf8(part).unwrap()));
                    assert!(!shown, "{text}: {said}");
                }
            }
        }
    }

    #[test]
    fn an_emulator_is_told_by_name_or_port() {
        for host in ["localhost:8443", "h.azure-devices.net:8443", "192.168.1.4:443"] {
            let text = HUB.replace("h.azure-devices.net", host);
            assert!(!ConnectionString::parse(&text).unwrap().is_of_azure(), "{host}");
        }
    }

    #[test]
    fn each_mistake_has_its_sentence_and_none_repeats_the_key() {
        let mistakes = [
            ("", "is empty"),
            ("nonsense", "not name=value"),
            ("HostName=h;SharedAccessKeyName=x", "no SharedAccessKey"),
            ("HostName=h;SharedAccessKey=a2V5MQ==", "no SharedAccessKeyName"),
            ("HostName=h;SharedAccessKeyName=x;SharedAccessKey=%%%secret", "not base64"),
            ("HostName=h;DeviceId=d1;SharedAccessKey=a2V5MQ==", "DeviceId=d1"),
            ("\"HostName=h;SharedAccessKeyName=x;SharedAccessKey=secret", "quotation mark"),
            (
                "localhost\nHostName=h;SharedAccessKey=secret\nHostName=h.azure-devices.net;SharedAccessKey=secret",
                "there are 3 lines",
            ),
            ("HostName=a/b;SharedAccessKeyName=x;SharedAccessKey=a2V5MQ==", "no host name"),
        ];
        for (text, sentence) in mistakes {
            let Err(error) = ConnectionString::parse(text) else {
                panic!("{text} was taken");
            };
            assert!(error.to_string().contains(sentence), "{text}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
