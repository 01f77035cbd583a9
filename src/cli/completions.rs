//! `container-tracker completions`: what a shell completes.

use std::io::Write;

use clap::Command;
use clap_complete::Shell;

/// Print what bash, zsh or fish complete commands and options by.
#[derive(Debug, clap::Args)]
pub(super) struct CompletionsArgs {
    /// For which shell: `source <(container-tracker completions bash)`, or a file where the shell looks for it.
    #[arg(value_enum)]
    shell: Known,
}

/// The shells that the package has files for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Known {
    Bash,
    Zsh,
    Fish,
}

pub(super) fn run(args: &CompletionsArgs, mut command: Command) -> anyhow::Result<()> {
    let shell = match args.shell {
        Known::Bash => Shell::Bash,
        Known::Zsh => Shell::Zsh,
        Known::Fish => Shell::Fish,
    };
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut command, "container-tracker", &mut text);
    // When nobody reads any more, that is no reason to fail.
    let _ = std::io::stdout().lock().write_all(&text);
    Ok(())
}
