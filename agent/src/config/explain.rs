//! Why a text is no configuration, in one line and in words for people. The parser's own sentence takes six lines, and names
//! types of this program.

/// What the parser calls what it expects, and what people call it.
const EXPECTED: [(&str, &str); 7] = [
    ("u8", "a whole number from 0 to 255"),
    ("u16", "a whole number from 0 to 65535"),
    ("u32", "a whole number from 0 to 4294967295"),
    ("f64", "a number"),
    ("a boolean", "true or false"),
    ("a string", "text in quotes"),
    ("path string", "a path in quotes"),
];

/// So many characters of base64 in a row, which is a line of PEM, with so many capitals beyond those of hexadecimal digits,
/// are no path and no name.
const BASE64: usize = 64;
const CAPITALS: usize = 8;
/// The longest value that is shown. A secret key of Azure has more characters.
const SHOWN: usize = 40;

/// What a line has in it that belongs into no configuration, as its values are shown in messages.
fn secret(line: &str) -> Option<&'static str> {
    let is_of_key = |run: &str| {
        run.len() >= BASE64 && run.bytes().filter(|byte| matches!(byte, b'G'..=b'Z')).count() >= CAPITALS
    };
    let mut runs = line.split(|c: char| !c.is_ascii_alphanumeric() && !"+/=".contains(c));
    if line.contains("PRIVATE KEY") || runs.any(is_of_key) {
        Some("a private key")
    } else if line.contains("SharedAccess") {
        Some("a connection string")
    } else {
        None
    }
}

/// The first line with a secret in it that is no comment, and what is to be done.
pub(super) fn misplaced(text: &str) -> Option<String> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'));
    let (index, what) = lines.find_map(|(index, line)| Some((index, secret(line)?)))?;
    let number = index + 1;
    Some(format!(
        "line {number}, which is not shown, has {what} in it; a key belongs into a file of its own (chmod 600), which \
         identity.key names, and a tracker needs no connection string"
    ))
}

/// A value as it is shown; a long one may be a secret, and what stands before an @ may have a password in it.
pub(super) fn shown(value: &str) -> String {
    match value.chars().count() {
        _ if value.contains('@') => "a text with an @ in it, which is not shown,".into(),
        long if long > SHOWN => format!("a text of {long} characters"),
        _ => format!("{value:?}"),
    }
}

/// Line and cause. Of a line that may have a PIN in it nothing is shown, nor of a file that has a secret in it, which was
/// named in place of the configuration.
pub(super) fn explain(text: &str, error: &toml::de::Error) -> String {
    let start = error.span().map_or(0, |span| span.start);
    let number = line(text.as_bytes(), start);
    let line = text.split('\n').nth(number - 1).unwrap_or_default().to_ascii_lowercase();
    let held = text.lines().find_map(secret);
    let message = error.message();
    if let Some(missing) = missing_feature(message, FEATURES) {
        return format!("line {number}: {missing}");
    }
    // The parser repeats values and names; what is wrong in a URI is told in words that repeat none.
    let repeats = message.starts_with("invalid ") || message.starts_with("unknown ");
    if message.contains("pkcs11:") && !repeats && held.is_none() {
        return message.into();
    }
    let has_pin = line.contains("pkcs11") || line.contains("pin");
    let has_password = line.contains('@') && (line.contains(':') || line.contains("proxy"));
    let mut words = line.split(|c: char| c.is_whitespace() || "\"'=".contains(c));
    let has_key = words.any(|word| word.len() > SHOWN);
    if held.is_none() && !has_pin && !has_password && !has_key {
        return format!("line {number}: {}", in_words(text, start, message));
    }
    let why = match held {
        Some(what) => format!("the file has {what} in it"),
        None if has_pin => "it may have a PIN in it".into(),
        None if has_password => "it may have a password in it".into(),
        None => "it may have a key in it".into(),
    };
    let message = match message {
        value if value.starts_with("invalid ") && !value.starts_with("invalid key") => {
            "another kind of value is expected"
        }
        name if name.contains("pkcs11:") || name.contains('@') => {
            "it is no key of the configuration, or no value of it"
        }
        message => message,
    };
    format!("line {number}, which is not shown because {why}: {message}")
}

fn in_words(text: &str, start: usize, message: &str) -> String {
    let Some((problem, expected)) = message.split_once(", expected ") else { return message.into() };
    // What begins like a number, and goes on like a word, or is a word throughout.
    let is_bare =
        ["invalid float", "invalid integer", "invalid datetime", "invalid boolean", "string values must be"];
    if is_bare.iter().any(|bare| problem.starts_with(bare)) {
        return bare(text, start);
    }
    if problem.starts_with("invalid type") && ["u8", "u16", "u32"].contains(&expected) {
        // The range of the type is not that of the key, and not what is wrong.
        return format!("{problem}, expected a whole number");
    }
    let known = EXPECTED.iter().find(|(theirs, _)| *theirs == expected).map(|(_, ours)| *ours);
    let ours = known.unwrap_or(if expected.starts_with("struct ") { "a table" } else { expected });
    format!("{problem}, expected {ours}")
}

/// What this program was built with, of the features that bring keys of their own.
const FEATURES: [(&str, bool); 2] = [("sas", cfg!(feature = "sas")), ("tpm", cfg!(feature = "tpm"))];

/// What is said of a key that a program has to be built for, where this one was built without. Nothing of the file is repeated.
fn missing_feature(message: &str, built: [(&str, bool); 2]) -> Option<String> {
    let key = message.strip_prefix("unknown field `")?.split('`').next()?;
    let wanted = match key {
        "registration_id" | "symmetric_key" => "sas",
        "tpm" | "https_port" => "tpm",
        _ => return None,
    };
    built.contains(&(wanted, false)).then(|| {
        format!("unknown field `{key}`: this program was built without it; build it with --features {wanted}")
    })
}

/// A word without quotes.
fn bare(text: &str, at: usize) -> String {
    let is_of_word = |c: char| !c.is_whitespace() && !"=,[]{}#".contains(c);
    let start = text[..at].rfind(|c| !is_of_word(c)).map_or(0, |before| before + 1);
    let word = text[start..].split(|c| !is_of_word(c)).next().unwrap_or_default();
    format!("`{word}` is neither a number nor true or false; text stands in quotes")
}

/// The text of a file, or what it is instead of that.
pub(super) fn decode(bytes: &[u8]) -> Result<&str, String> {
    // No text has a zero, and all that a configuration needs has one in UTF-16, marked as such or not.
    if bytes.contains(&0) {
        return Err("it is in UTF-16, as some editors on Windows save it; save it in UTF-8".into());
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        format!("line {}: byte 0x{:02X} is not UTF-8; save the file in UTF-8", line(bytes, at), bytes[at])
    })
}

fn line(text: &[u8], at: usize) -> usize {
    text.iter().take(at).filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_this_program_was_built_without_is_told_as_that() {
        let said = |key: &str, sas, tpm| {
            let message = format!("unknown field `{key}`, expected one of `certificate`, `key`");
            missing_feature(&message, [("sas", sas), ("tpm", tpm)])
        };
        let built_without = |key, feature| {
            format!(
                "unknown field `{key}`: this program was built without it; build it with --features {feature}"
            )
        };
        for (key, feature) in
            [("symmetric_key", "sas"), ("registration_id", "sas"), ("tpm", "tpm"), ("https_port", "tpm")]
        {
            assert_eq!(said(key, false, false), Some(built_without(key, feature)));
            assert_eq!(said(key, true, true), None, "{key} in the wrong table");
        }
        assert_eq!(said("tpm", true, false), Some(built_without("tpm", "tpm")));
        assert_eq!(said("certficate", false, false), None);
    }
}
