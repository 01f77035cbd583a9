//! Names of containers and blobs: what may stand in them, so that each is a path below its container and nowhere else.

use std::path::{Path, PathBuf};

use super::StorageError;

/// Characters of a blob's name, as at Azure.
const MAX_NAME: usize = 1024;
/// Bytes between two slashes: more no file system takes.
const MAX_PART: usize = 255;

/// A container that may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ContainerName(String);

impl ContainerName {
    /// 3 to 63 small letters, digits and dashes, with no dash at either end.
    pub(crate) fn parse(name: &str) -> Result<Self, StorageError> {
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_good = (3..=63).contains(&name.len())
            && name.bytes().all(is_allowed)
            && !name.starts_with('-')
            && !name.ends_with('-');
        if is_good {
            return Ok(Self(name.to_owned()));
        }
        Err(StorageError::name(format!(
            "\"{}\" is no container's name: 3 to 63 small letters, digits and dashes",
            shown(name)
        )))
    }

    /// The container for the uploads of a hub of this label.
    pub(crate) fn of_uploads(label: &str) -> Self {
        let small = label.to_ascii_lowercase();
        let kept = small.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
        let kept: String = kept.take(50).collect();
        Self(format!("{}-uploads", kept.trim_matches('-')))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// A blob that may be: a path below its container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlobName {
    container: ContainerName,
    name: String,
}

impl BlobName {
    /// `name`: parts between slashes, none of them empty, `.` or `..`.
    pub(crate) fn new(container: ContainerName, name: &str) -> Result<Self, StorageError> {
        let refuse =
            |why: &str| Err(StorageError::name(format!("the blob's name \"{}\" {why}", shown(name))));
        if name.is_empty() || name.chars().count() > MAX_NAME {
            return refuse("has to have 1 to 1024 characters");
        }
        for part in name.split('/') {
            if matches!(part, "" | "." | "..") {
                return refuse("has a part between slashes that is empty, \".\" or \"..\"");
            }
            if part.len() > MAX_PART {
                return refuse("has more than 255 bytes between two slashes");
            }
            if part.chars().any(is_refused) {
                return refuse("has a character that no file's name can have");
            }
        }
        Ok(Self { container, name: name.to_owned() })
    }

    pub(crate) fn container(&self) -> &ContainerName {
        &self.container
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The folders above the file, outermost first, and the file, below the folder of the container.
    pub(super) fn places(&self, container: &Path) -> Vec<PathBuf> {
        let mut path = container.to_owned();
        self.name
            .split('/')
            .map(|part| {
                path.push(part);
                path.clone()
            })
            .collect()
    }
}

fn is_refused(c: char) -> bool {
    let elsewhere = cfg!(windows) && matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*');
    c.is_control() || c == '\\' || elsewhere
}

/// The beginning, without what would disturb a line.
fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_of_the_container_are_none() {
        let container = || ContainerName::parse("files").expect("a name");
        for bad in [
            "",
            "..",
            "a/../../b",
            "/etc/passwd",
            "a//b",
            "a/",
            "./a",
            "a\\..\\b",
            "a\0b",
            "a\nb",
            &"x".repeat(256),
            &"x/".repeat(600),
        ] {
            assert!(BlobName::new(container(), bad).is_err(), "{bad:?}");
        }
        for good in ["a", "d-1/log.txt", "d1/2026/11/a b%2e%2e.txt", "...", "..a/b..", "\u{e4}/\u{1f600}"] {
            let blob = BlobName::new(container(), good).expect("a name");
            let places = blob.places(Path::new("/r"));
            assert_eq!(places.last(), Some(&Path::new("/r").join(good)));
        }
        for bad in ["ab", "Files", "a_b", "-ab", "ab-", "..", "a/b", &"x".repeat(64)] {
            assert!(ContainerName::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(ContainerName::of_uploads("Hub-1").as_str(), "hub-1-uploads");
    }
}
