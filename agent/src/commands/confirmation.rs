//! Asks the person at the terminal.

use std::io::{BufRead, IsTerminal};

use anyhow::bail;

use crate::platform::stderr::put;

/// Whether the person means it; refused where nobody is there to be asked.
pub fn confirmed(what: &str) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is there to be asked, and so nothing was changed; say --yes to mean it: {what}");
    }
    put(&format!("{what}.\nType \"yes\" to go on: "));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
