//! Addresses of nodes, and audiences of tokens, as clients write them: relative, with a scheme and a host, percent-escaped
//! once or twice, in any case.

use percent_encoding::percent_decode_str;

/// Longer than any address: a host, a hub, a group and a partition, all escaped.
const LONGEST: usize = 2048;

/// The path of an address, without scheme, host and slashes at its ends, as it was written else: `messages/devicebound` of
/// `amqps://hub-1.azure-devices.net/messages/devicebound`. Empty for an address that is too long to be one.
pub(crate) fn path_of(address: &str) -> String {
    match split(address) {
        Some((true, rest)) => rest.split_once('/').map(|(_host, path)| path).unwrap_or_default(),
        Some((false, rest)) => rest,
        None => "",
    }
    .trim_matches('/')
    .to_owned()
}

/// Host and path of an audience, unescaped, without scheme and port: `https%3A%2F%2Fhost%3A443%2Fa` is `host`, `a`.
pub(super) fn audience(text: &str) -> (String, Vec<String>) {
    let mut text = text.chars().take(LONGEST).collect::<String>();
    // Some clients encode a name before they encode the whole.
    for _ in 0..2 {
        text = percent_decode_str(&text).decode_utf8_lossy().into_owned();
    }
    let rest = text.split_once("://").map_or(text.as_str(), |(_scheme, rest)| rest);
    let mut words = rest.split('/').filter(|word| !word.is_empty());
    let host = crate::security::sas::without_port(words.next().unwrap_or_default()).to_ascii_lowercase();
    (host, words.map(str::to_owned).collect())
}

/// Whether there is a host, and what follows the scheme.
fn split(address: &str) -> Option<(bool, &str)> {
    if address.len() > LONGEST {
        return None;
    }
    Some(match address.split_once("://") {
        Some((_scheme, rest)) => (true, rest),
        None => (false, address),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_what_is_left_without_scheme_and_host() {
        for (address, path) in [
            ("amqps://hub-1.azure-devices.net/messages/devicebound", "messages/devicebound"),
            (
                "amqps://h:5671/hub/ConsumerGroups/$Default/Partitions/0",
                "hub/ConsumerGroups/$Default/Partitions/0",
            ),
            ("/messages/serviceBound/feedback", "messages/serviceBound/feedback"),
            ("$cbs", "$cbs"),
            ("amqps://host", ""),
            ("", ""),
        ] {
            assert_eq!(path_of(address), path, "{address}");
        }
        assert_eq!(path_of(&"a".repeat(LONGEST + 1)), "");
    }

    #[test]
    fn audiences_mean_the_same_in_all_their_forms() {
        for text in [
            "H.azure-devices.net/devices/d1",
            "h.azure-devices.net%2Fdevices%2Fd1",
            "https://h.azure-devices.net:443/devices/d1/",
            "amqps%3a%2f%2fh.azure-devices.net%2fdevices%2fd1",
            "sb%253A%252F%252Fh.azure-devices.net%252Fdevices%252Fd1",
        ] {
            let (host, path) = audience(text);
            assert_eq!(
                (host.as_str(), path.join("/").as_str()),
                ("h.azure-devices.net", "devices/d1"),
                "{text}"
            );
        }
        assert_eq!(audience(""), (String::new(), Vec::new()));
    }
}
