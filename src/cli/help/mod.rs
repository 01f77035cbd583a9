//! Help that helps: options in groups, an example of each command, and what was meant by a verb that there is not.

mod examples;
mod suggestion;
#[cfg(test)]
mod tests;

use clap::Command;

pub(super) use suggestion::complain;

/// What options of a command are called that are no one else's.
const OWN: &str = "This command";

/// The command line with groups and examples.
pub(super) fn with_help(command: Command) -> Command {
    let name = command.get_name().to_owned();
    dressed(command, &name)
}

fn dressed(command: Command, path: &str) -> Command {
    let names: Vec<String> = command.get_subcommands().map(|one| one.get_name().to_owned()).collect();
    let mut command = names.iter().fold(command, |command, name| {
        command.mut_subcommand(name, |one| dressed(one, &format!("{path} {name}")))
    });
    command = command.mut_args(|arg| match arg.get_help_heading() {
        None if !arg.is_positional() => arg.help_heading(OWN),
        _ => arg,
    });
    // Of a noun the verbs have theirs.
    match examples::of(path).filter(|_| names.is_empty()) {
        Some(example) => command.after_help(format!("Example:\n  {example}")),
        None => command,
    }
}
