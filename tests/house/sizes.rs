//! Sizes of the files, and the heads that introduce them.

use std::fmt::Write;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

const MOST: usize = 600;
const NINE_IN_TEN_BELOW: usize = 400;
const MEDIAN: RangeInclusive<usize> = 100..=200;

/// What is wrong with the files in `measured` and in `others`, folders in `root`; the median and the ninth decile are of those
/// in `measured`. Empty if all is well.
pub fn faults(root: &Path, measured: &[&str], others: &[&str]) -> String {
    let mut told = String::new();
    let mut lines = Vec::new();
    for folder in measured.iter().chain(others) {
        for file in sources(&root.join(folder)) {
            let text = fs::read_to_string(&file).unwrap_or_default();
            let name = file.strip_prefix(root).unwrap_or(&file).display();
            let length = text.lines().count();
            if length > MOST {
                let _ = writeln!(
                    told,
                    "{name} has {length} lines, more than {MOST}: let it be two files of one matter each"
                );
            }
            if !text.starts_with("//!") {
                let _ = writeln!(told, "{name} does not begin with a `//!` head that says what it is for");
            }
            if measured.contains(folder) {
                lines.push(length);
            }
        }
    }
    lines.sort_unstable();
    let at = |percent: usize| lines.get(lines.len() * percent / 100).copied().unwrap_or_default();
    let (median, ninth) = (at(50), at(90));
    if !MEDIAN.contains(&median) {
        let (least, most) = (MEDIAN.start(), MEDIAN.end());
        let _ = writeln!(told, "the median file has {median} lines, not {least} to {most}");
    }
    if ninth >= NINE_IN_TEN_BELOW {
        let _ = writeln!(
            told,
            "one file in ten has {ninth} lines or more: that is to stay below {NINE_IN_TEN_BELOW}"
        );
    }
    if !told.is_empty() {
        let _ = writeln!(told, "({} files; median {median} lines, 90th percentile {ninth})", lines.len());
    }
    told
}

/// All `.rs` files in a folder and below it, in order.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut found = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}
