//! What was meant by a verb that there is not.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, Error};

use crate::platform::stderr::put;

/// As alike as clap wants words to be.
const ALIKE: f64 = 0.7;

/// More suggestions than these help nobody.
const MOST: usize = 3;

/// What people say elsewhere: in `az`, in other command lines, and in other words.
const ELSEWHERE: &[(&str, &str)] = &[
    ("add", "create"),
    ("call", "invoke"),
    ("cert", "certificate"),
    ("completion", "completions"),
    ("connection-string", "sas-token"),
    ("delete-all", "clear"),
    ("device-identity", "device"),
    ("device-twin", "twin"),
    ("devices", "device"),
    ("direct-method", "method"),
    ("edit", "update"),
    ("generate-sas-token", "sas-token"),
    ("get", "show"),
    ("group", "enrollment-group"),
    ("invoke-device-method", "method"),
    ("invoke-method", "method"),
    ("ls", "list"),
    ("message", "c2d"),
    ("message-enrichment", "enrichment"),
    ("message-endpoint", "routing-endpoint"),
    ("message-route", "route"),
    ("monitor-events", "monitor"),
    ("new", "create"),
    ("patch", "update"),
    ("remove", "delete"),
    ("rm", "delete"),
    ("set", "update"),
    ("start", "run"),
    ("stop", "disable"),
    ("tail", "monitor"),
    ("watch", "monitor"),
    ("where", "fleet"),
];

/// Says what is wrong with the arguments, and what was meant, as far as it can be guessed; ends the program.
pub(in crate::cli) fn complain(error: &Error, command: &Command) -> ! {
    if error.kind() != ErrorKind::InvalidSubcommand {
        error.exit();
    }
    let known = error.get(ContextKind::SuggestedSubcommand).is_some();
    let said = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(said)) if !known => said.as_str(),
        _ => error.exit(),
    };
    let meant = meant(command, said, &typed_before(said));
    if meant.is_empty() {
        error.exit();
    }
    let text = error.to_string();
    let tips: String = meant.iter().map(|path| format!("  tip: did you mean `{path}`?\n")).collect();
    match text.split_once("\n\n") {
        Some((head, rest)) => put(&format!("{head}\n\n{tips}\n{rest}")),
        None => put(&format!("{text}\n{tips}")),
    }
    std::process::exit(2)
}

/// The words before it, which say where the person was.
fn typed_before(said: &str) -> Vec<String> {
    std::env::args().skip(1).take_while(|word| word != said).collect()
}

/// Commands that may have been meant, those first that are nearest to where it was said.
fn meant(command: &Command, said: &str, before: &[String]) -> Vec<String> {
    let said = said.to_ascii_lowercase();
    let other = ELSEWHERE.iter().find(|(elsewhere, _)| *elsewhere == said).map(|(_, here)| *here);
    let mut found = Vec::new();
    collect(command, command.get_name(), &mut |path, name| {
        let likeness = match name {
            _ if Some(name) == other || name == said => 1.0,
            _ => strsim::jaro(name, &said),
        };
        if likeness > ALIKE {
            let near =
                before.iter().take_while(|word| path.split(' ').any(|part| part == word.as_str())).count();
            found.push((near, likeness, path.to_owned()));
        }
    });
    // Where something is exactly so, or where the person was, what is merely alike elsewhere is no help.
    let nearest = found.iter().map(|(near, ..)| *near).max().unwrap_or_default();
    let best = found.iter().filter(|one| one.0 == nearest).map(|one| one.1).fold(0.0, f64::max);
    let mut paths: Vec<String> =
        found.into_iter().filter(|one| one.0 == nearest && one.1 >= best).map(|one| one.2).collect();
    paths.sort_by_key(String::len);
    paths.truncate(MOST);
    paths
}

fn collect(command: &Command, path: &str, take: &mut dyn FnMut(&str, &str)) {
    for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
        let path = format!("{path} {}", one.get_name());
        take(&path, one.get_name());
        collect(one, &path, take);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn what_was_meant_is_found_in_the_words_of_others_and_elsewhere() {
        let command = crate::cli::Cli::command();
        let meant = |before: &[&str], said: &str| {
            let before: Vec<String> = before.iter().map(|word| (*word).to_owned()).collect();
            meant(&command, said, &before).first().cloned().unwrap_or_default()
        };
        assert_eq!(meant(&["cloud", "device"], "ls"), "container-tracker cloud device list");
        assert_eq!(meant(&["cloud", "twin"], "set"), "container-tracker cloud twin update");
        assert_eq!(meant(&["cloud"], "device-twin"), "container-tracker cloud twin");
        assert_eq!(meant(&[], "twin"), "container-tracker cloud twin");
        assert_eq!(meant(&[], "monitor-events"), "container-tracker cloud monitor");
        assert_eq!(meant(&["cloud"], "xyzzy"), "");
    }
}
