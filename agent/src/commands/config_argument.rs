//! `--config`, which is the same for every command.

use std::path::PathBuf;

use crate::config::{Config, ConfigError};

/// That of the service.
const SERVICE: &str = "/etc/container-tracker/tracker.toml";

/// Which configuration a command is for.
#[derive(Debug, clap::Args)]
pub struct ConfigArgument {
    /// The configuration file.
    #[arg(
        id = "config",
        long = "config",
        value_name = "FILE",
        default_value = SERVICE
    )]
    pub(crate) path: PathBuf,
}

impl ConfigArgument {
    /// Reads and checks it.
    pub fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.path)
    }

    /// What starts an agent with it.
    pub fn start(&self) -> String {
        if self.path.as_os_str() == SERVICE {
            return "systemctl start container-tracker".into();
        }
        format!(
            "systemctl start container-tracker, or container-tracker run --config {}",
            self.path.display()
        )
    }
}
