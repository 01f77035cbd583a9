//! `--config`, which is the same for every command.

use std::path::PathBuf;

use crate::config::{Config, ConfigError};

#[derive(Debug, clap::Args)]
pub(super) struct ConfigArgument {
    /// The configuration file.
    #[arg(
        id = "config",
        long = "config",
        value_name = "FILE",
        default_value = "/etc/container-tracker/tracker.toml"
    )]
    pub(super) path: PathBuf,
}

impl ConfigArgument {
    /// Reads and checks it.
    pub(super) fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.path)
    }
}
