//! Writes what a package carries beside the program: manual pages and completions for bash, zsh and fish, from the
//! definition of the command line. Of the firmware's commands, when it is built as the firmware is:
//!
//! ```sh
//! cargo run --no-default-features --features pkcs11 --example manual -- target/manual
//! ```

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;
use container_tracker::cli::Cli;

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "usage: manual DIRECTORY"));
    };
    fs::create_dir_all(&directory)?;
    clap_mangen::generate_to(Cli::command(), &directory)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "container-tracker", &directory)?;
    }
    Ok(())
}
