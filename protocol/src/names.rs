//! Names that come from outside, looked at before anybody stores, shows or uses them.

/// Longest name of a host, in characters: RFC 1123 with RFC 1035.
const LONGEST_HOST: usize = 253;
/// Longest part of it between two dots.
const LONGEST_LABEL: usize = 63;
/// Longest device ID at a hub.
const LONGEST_DEVICE_ID: usize = 128;
/// So much of a bad name is repeated, in characters.
const SHOWN: usize = 60;

/// Checks the name of a host as RFC 1123 has it: labels of letters, digits and inner dashes between dots, 253 characters
/// at most; no port, no path, and no address. `Err` says in printable words of bounded length what is wrong.
pub fn check_host_name(name: &str) -> Result<(), String> {
    let label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    // The last label of a name is no number; that of an address is.
    let number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    if name.len() <= LONGEST_HOST && !number && name.split('.').all(label) {
        return Ok(());
    }
    Err(format!("{} is no host name", shown(name)))
}

/// Checks a device ID as a hub takes it and an MQTT topic carries it: 1 to 128 of ASCII letters, digits and
/// `-.%_*?!(),:=@$';`. `Err` says in printable words of bounded length what is wrong.
///
/// Documents of Azure also name `+` and `#`, which no device could publish with.
pub fn check_device_id(id: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-.%_*?!(),:=@$';".contains(&byte);
    if (1..=LONGEST_DEVICE_ID).contains(&id.len()) && id.bytes().all(allowed) {
        return Ok(());
    }
    Err(format!("{} is no device ID", shown(id)))
}

/// A piece of it in quotes, without characters that a terminal or a log would obey.
fn shown(name: &str) -> String {
    let piece: String = name.chars().take(SHOWN).collect();
    if piece.len() == name.len() {
        return format!("{piece:?}");
    }
    format!("{piece:?}… ({} characters)", name.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_pass_and_nothing_else() {
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        for good in ["localhost", "h", "gone-hub.azure-devices.net", "3com.example", "A.B", &longest] {
            assert_eq!(check_host_name(good), Ok(()), "{good}");
        }
        let (too_long, label) = (format!("{longest}b"), format!("{}.net", "a".repeat(64)));
        let bad = [
            "",
            ".",
            "hub.",
            "hub..net",
            "-hub.net",
            "hub-.net",
            "hub_1.net",
            "hub.net\n<3>all is well",
            "hub\u{1b}[2J.net",
            "hub\u{202e}.net",
            "hüb.net",
            "../../x",
            "https://hub.net",
            "localhost:8883",
            "127.0.0.1",
            "::1",
            "[::1]",
            "hub net",
            "hub.net\0",
            &too_long,
            &label,
            &"x".repeat(200_000),
        ];
        for name in bad {
            printable(&check_host_name(name).unwrap_err());
        }
    }

    #[test]
    fn device_ids_pass_and_nothing_else() {
        for good in ["box-1", "a:b_c.d", "-.%_*?!(),:=@$';", &"x".repeat(128)] {
            assert_eq!(check_device_id(good), Ok(()), "{good}");
        }
        for bad in
            ["", "a+b", "a#", "a/b", "a b", "a\nb", "ä", "a\u{9b}b", "a\u{202e}b", "a\0", &"x".repeat(129)]
        {
            printable(&check_device_id(bad).unwrap_err());
        }
    }

    fn printable(why: &str) {
        assert!(why.chars().count() < 500, "{} characters", why.len());
        assert!(!why.contains(|c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c)), "{why:?}");
    }
}
