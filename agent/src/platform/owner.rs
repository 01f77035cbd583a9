//! Whose a file is, and whose this process: what a refusal of the disk is mostly about.

use std::path::Path;

use crate::platform::plain_file;

/// A longer list of users is not looked through.
const LONGEST_LIST: u64 = 1024 * 1024;

/// The user whom a file or directory belongs to; `None` where there is none, or no such thing.
#[cfg(unix)]
pub fn of(path: &Path) -> Option<u32> {
    std::fs::metadata(path).ok().map(|metadata| std::os::unix::fs::MetadataExt::uid(&metadata))
}

#[cfg(not(unix))]
pub fn of(_: &Path) -> Option<u32> {
    None
}

/// The user as whom this process works.
#[cfg(target_os = "linux")]
pub fn me() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(not(target_os = "linux"))]
pub fn me() -> Option<u32> {
    None
}

/// What a user is called, or the number of one that has no name here.
pub fn name(user: u32) -> String {
    let list = plain_file::read_text(Path::new("/etc/passwd"), LONGEST_LIST).unwrap_or_default();
    let number = user.to_string();
    let named = list.lines().find_map(|line| {
        let mut parts = line.split(':');
        let name = parts.next()?;
        (parts.nth(1) == Some(number.as_str())).then(|| name.to_owned())
    });
    named.unwrap_or(number)
}

/// Of these paths the first that is another user's than `wanted`: who has it, and how it is given back.
pub fn foreign(paths: impl IntoIterator<Item = impl AsRef<Path>>, wanted: u32, all: &Path) -> Option<String> {
    paths.into_iter().find_map(|path| {
        let path = path.as_ref();
        let owner = of(path).filter(|owner| *owner != wanted)?;
        let (owner, wanted) = (name(owner), name(wanted));
        Some(format!(
            "{} belongs to {owner} and not to {wanted}; to mend it: sudo chown -R {wanted} {}",
            path.display(),
            all.display()
        ))
    })
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_another_user_is_named_with_both() {
        assert_eq!((name(0), name(4_294_967_294)), ("root".to_owned(), "4294967294".to_owned()));
        let (file, all) = (Path::new("/etc/passwd"), Path::new("/s"));
        assert_eq!(foreign([file], 0, all), None);
        assert_eq!(
            foreign([Path::new("/none"), file], 4_294_967_294, all).unwrap(),
            "/etc/passwd belongs to root and not to 4294967294; to mend it: sudo chown -R 4294967294 /s"
        );
    }
}
