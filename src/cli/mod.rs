//! The command line.

mod check;
#[cfg(feature = "lab")]
mod cloud;
mod deprovision;
#[cfg(feature = "lab")]
mod emulator;
mod provision;
mod run;
#[cfg(feature = "lab")]
mod simulate;
mod status;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use terminal::log;

/// Device agent for container trackers: BME280 and GPS to Azure IoT Hub, provisioned by DPS with an X.509 certificate.
#[derive(Debug, Parser)]
#[command(name = "container-tracker", version, about, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the device service: measure, provision, deliver, for ever.
    Run(RunArgs),
    /// Look at everything that a tracker needs, and say what is wrong and how to mend it.
    Check(check::CheckArgs),
    /// Show what the running agent is doing.
    Status(status::StatusArgs),
    /// Register once with DPS and show the assigned hub, for factory lines.
    Provision(provision::ProvisionArgs),
    /// Forget the assigned hub and the settings of the twin, and if wanted the journal.
    Deprovision(deprovision::DeprovisionArgs),
    /// Play a fleet on this computer: simulated containers, and by default a local emulator of Azure.
    #[cfg(feature = "lab")]
    Simulate(simulate::SimulateArgs),
    /// Run the local emulator of Azure DPS and IoT Hub alone, for any device or SDK.
    #[cfg(feature = "lab")]
    Emulator(emulator::EmulatorArgs),
    /// Operate a provisioning service and its hubs, of the local emulator or of Azure, with the verbs of `az iot`.
    #[cfg(feature = "lab")]
    Cloud(Box<cloud::CloudArgs>),
}

/// Where the package puts the configuration.
const DEFAULT_CONFIG: &str = "/etc/container-tracker/tracker.toml";

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_CONFIG)]
    config: PathBuf,
    /// How much the log tells: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: tracing::Level,
}

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let result = match command {
        Command::Run(RunArgs { config, log }) => run::run(&config, log).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => Ok(check::run(&args)),
        Command::Status(args) => status::run(&args),
        Command::Provision(args) => provision::run(&args),
        Command::Deprovision(args) => deprovision::run(&args),
        #[cfg(feature = "lab")]
        Command::Simulate(args) => simulate::run(args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "lab")]
        Command::Emulator(args) => emulator::run(args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "lab")]
        Command::Cloud(args) => cloud::run(*args).map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            log::complain(&told(&error));
            ExitCode::FAILURE
        }
    }
}

/// An error and its causes in one sentence. Many errors name their cause themselves; it is not told twice.
fn told(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |sentence, link| match (sentence.as_str(), link.to_string()) {
        ("", text) => text,
        (so_far, text) if so_far.contains(text.trim_end()) => sentence,
        (so_far, text) => format!("{so_far}: {text}"),
    })
}

/// Says a line to whoever started the program; a reader who has gone away is no reason to fail.
fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
