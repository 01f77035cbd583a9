//! Every command has an example, and every example is a command.

use clap::{Command, CommandFactory};

use super::{examples, with_help};
use crate::cli::Cli;

fn leaves(command: &Command, path: &str, all: &mut Vec<String>) {
    let mut is_leaf = true;
    for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
        is_leaf = false;
        leaves(one, &format!("{path} {}", one.get_name()), all);
    }
    if is_leaf {
        all.push(path.to_owned());
    }
}

/// As a shell would split it, as far as examples need it.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for c in line.chars() {
        match quote {
            Some(mark) if c == mark => quote = None,
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c == ' ' => words.push(String::new()),
            _ => words.last_mut().expect("there is one").push(c),
        }
    }
    words
}

#[test]
fn every_command_has_an_example_that_it_takes() {
    let mut all = Vec::new();
    leaves(&Cli::command(), "container-tracker", &mut all);
    assert!(all.len() > 60, "{all:?}");
    for path in all {
        let example = examples::of(&path)
            .unwrap_or_else(|| panic!("{path} has no example in src/cli/help/examples.rs"));
        assert!(example.starts_with(&path), "{path}: {example}");
        let taken = Cli::command().try_get_matches_from(words(example));
        assert!(taken.is_ok(), "{example}: {}", taken.unwrap_err());
    }
}

#[test]
fn options_are_in_groups() {
    let mut command = with_help(Cli::command());
    command.build();
    let mut here = &mut command;
    for word in ["cloud", "twin", "update"] {
        here = here.find_subcommand_mut(word).expect("there is one");
    }
    let help = here.render_long_help().to_string();
    let place = |text: &str| help.find(text).unwrap_or_else(|| panic!("no {text} in {help}"));
    assert!(
        place("This command:") < place("--desired") && place("--desired") < place("Which cloud:"),
        "{help}"
    );
    assert!(place("Which cloud:") < place("--login") && place("--login") < place("Output:"), "{help}");
    assert!(place("Output:") < place("--query") && place("--query") < place("Example:"), "{help}");
}
