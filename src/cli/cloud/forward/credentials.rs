//! Who forwards, from a file: no secret on a command line.

use std::fmt;
use std::path::Path;

use anyhow::{Context, bail};

use crate::cli::text_file;
use crate::platform::stderr::tell;

/// What is shown to a broker or a server.
#[derive(Clone)]
pub(super) enum Credentials {
    User(String, String),
    Token(String),
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

impl Credentials {
    /// Reads them. Nothing of the file is repeated.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text =
            text_file::read(path).with_context(|| format!("--credentials: can't read {}", path.display()))?;
        let lines: Vec<&str> = text.lines().map(|line| line.trim_end_matches('\r')).collect();
        let credentials = match lines[..] {
            [token] | [token, ""] if !token.is_empty() => Self::Token(token.trim().to_owned()),
            [user, password] | [user, password, ""] if !user.is_empty() => {
                Self::User(user.to_owned(), password.to_owned())
            }
            _ => bail!(
                "--credentials {}: it has to have the user on its first line and the password on its second, or a token alone",
                path.display()
            ),
        };
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0) {
                tell!("{} can be read by others: chmod 600 {0}", path.display());
            }
        }
        Ok(credentials)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_user_and_password_or_a_token_and_no_error_repeats_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Credentials::read(&path)
        };
        assert!(
            matches!(read("me\r\npass word\r\n").unwrap(), Credentials::User(user, password) if user == "me" && password == "pass word")
        );
        assert!(matches!(read("token==\n").unwrap(), Credentials::Token(token) if token == "token=="));
        for text in ["", "\nsecret", "me\nsecret\nmore"] {
            let why = format!("{:#}", read(text).unwrap_err());
            assert!(!why.contains("secret") && why.contains("password on its second"), "{why}");
        }
    }
}
