//! What somebody can type in another terminal while a simulation runs.

use std::path::Path;

use serde_json::json;

use crate::lab::screen::Screen;

/// Tells how the fleet is operated, in a command that works as it stands.
pub(super) fn tell(screen: Screen, device: &str, directory: &Path) {
    let program = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
    // What was found on the path is found there again.
    let program = program.filter(|name| name.contains('/')).unwrap_or_else(|| "container-tracker".into());
    let command = command(&program, device, directory);
    screen.note("try", &format!("To try in another terminal:\n  {command}"), json!({"command": command}));
}

fn command(program: &str, device: &str, directory: &Path) -> String {
    let is_here = directory.canonicalize().ok() == std::env::current_dir().ok();
    let place = if is_here {
        String::new()
    } else {
        format!(" --emulator {}", quoted(&directory.display().to_string()))
    };
    format!(
        "{} cloud twin update -d {} --desired telemetryInterval=2{place}",
        quoted(program),
        quoted(device)
    )
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':' | '+');
    if !word.is_empty() && word.chars().all(is_plain) {
        word.into()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        let told = command("target/release/container-tracker", "box-1", Path::new("/tmp/it's here"));
        assert_eq!(
            told,
            r"target/release/container-tracker cloud twin update -d box-1 --desired telemetryInterval=2 --emulator '/tmp/it'\''s here'"
        );
        let here = command("container-tracker", "box-1", &std::env::current_dir().unwrap());
        assert_eq!(here, "container-tracker cloud twin update -d box-1 --desired telemetryInterval=2");
    }
}
