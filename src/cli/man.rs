//! `container-tracker man`: the manual, as roff.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Command;

/// Print the manual page of the program or of a command, for `man -l -`, or write all pages into a directory.
#[derive(Debug, clap::Args)]
pub(super) struct ManArgs {
    /// The command, like cloud twin update.
    #[arg(value_name = "COMMAND", conflicts_with = "directory")]
    command: Vec<String>,
    /// Write all pages here, where `man -M` or MANPATH find them in man1 of it.
    #[arg(long, value_name = "DIRECTORY")]
    directory: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, command: Command) -> anyhow::Result<()> {
    let mut all = super::help::with_help(command);
    if let Some(directory) = &args.directory {
        let directory = directory.join("man1");
        std::fs::create_dir_all(&directory)
            .and_then(|()| clap_mangen::generate_to(all, &directory))
            .with_context(|| format!("can't write the manual into {}", directory.display()))?;
        return Ok(());
    }
    // Names of pages and global options are given to commands below by this.
    all.build();
    let mut here = &all;
    for word in &args.command {
        let Some(next) = here.find_subcommand(word) else {
            bail!(
                "there is no command `{} {word}`, and so no page of it",
                here.get_bin_name().unwrap_or_default()
            );
        };
        here = next;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(here.clone()).render(&mut page).context("the page can't be made")?;
    // When nobody reads any more, that is no reason to fail.
    let _ = std::io::stdout().lock().write_all(&page);
    Ok(())
}
