//! `load merge`: the summaries of all parts, added up.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::report;
use crate::commands::log::told;
use crate::lab::load::{Merged, Summary};
use crate::platform::stdout::line;

/// Options of `load merge`.
#[derive(Debug, clap::Args)]
pub(super) struct MergeArgs {
    /// What the parts have written; of a directory all files load*.json.
    #[arg(value_name = "FILE.json|DIRECTORY", required = true)]
    files: Vec<PathBuf>,
    /// How the sum is printed.
    #[arg(long = "output", short = 'o', value_enum, value_name = "FORMAT", default_value_t)]
    form: Form,
}

/// How a sum is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// For people.
    #[default]
    Table,
    /// Indented JSON.
    Json,
}

pub(super) fn run(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    let (mut parts, mut unread) = (Vec::new(), Vec::new());
    let mut files = Vec::new();
    for path in &args.files {
        if path.is_dir() { files.extend(summaries(path)?) } else { files.push(path.clone()) }
    }
    for path in &files {
        match Summary::read(path) {
            Ok(summary) => parts.push((path.display().to_string(), summary)),
            Err(error) => unread.push(told(&error)),
        }
    }
    let Some(mut merged) = Merged::of(&parts) else { bail!("{}", unread.join("; ")) };
    merged.problems.extend(unread);
    line(&match args.form {
        Form::Table => report::text(&merged),
        Form::Json => serde_json::to_string_pretty(&report::json(&merged)?)?,
    });
    Ok(if merged.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The summaries in a directory, by their usual names.
fn summaries(directory: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let why = || format!("can't read the directory {}", directory.display());
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(why)? {
        let entry = entry.with_context(why)?;
        let path = entry.path();
        let is_one = entry.file_name().as_encoded_bytes().starts_with(b"load")
            && path.extension().is_some_and(|extension| extension == "json");
        if is_one {
            found.push(path);
        }
    }
    if found.is_empty() {
        bail!("{} has no file load*.json", directory.display());
    }
    found.sort();
    Ok(found)
}
