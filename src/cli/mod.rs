//! The command line.

#[cfg(feature = "lab")]
mod cloud;
#[cfg(feature = "lab")]
mod completions;
#[cfg(feature = "lab")]
mod console;
#[cfg(feature = "lab")]
mod emulator;
#[cfg(feature = "lab")]
mod factory;
#[cfg(feature = "lab")]
mod help;
#[cfg(feature = "lab")]
mod load;
#[cfg(feature = "lab")]
mod man;
#[cfg(feature = "lab")]
mod pki;
#[cfg(feature = "lab")]
mod place;
#[cfg(feature = "lab")]
mod retention;
#[cfg(feature = "lab")]
mod simulate;
#[cfg(feature = "lab")]
mod status;
#[cfg(feature = "lab")]
mod terminal;
#[cfg(feature = "lab")]
mod text_file;
#[cfg(feature = "lab")]
mod verify;

use std::process::ExitCode;

#[cfg(feature = "lab")]
use clap::{CommandFactory, FromArgMatches};
use clap::{Parser, Subcommand};

#[cfg(not(feature = "lab"))]
use crate::commands::status;
use crate::commands::status::StatusArgs;
use crate::commands::{check, deprovision, log, provision, run};

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
    Run(run::RunArgs),
    /// Look at everything that a tracker needs, and say what is wrong and how to mend it.
    Check(check::CheckArgs),
    /// Show what the running agent is doing.
    Status(StatusArgs),
    /// Register once with DPS and show the assigned hub, for factory lines.
    Provision(provision::ProvisionArgs),
    /// Forget the assigned hub and the settings of the twin, and if wanted the journal.
    Deprovision(deprovision::DeprovisionArgs),
    /// Play a fleet on this computer: simulated containers, and by default a local emulator of Azure.
    #[cfg(feature = "lab")]
    Simulate(simulate::SimulateArgs),
    /// Play the load of a fleet, thousands of light devices, divided over as many programs and machines as are wanted.
    #[cfg(feature = "lab")]
    Load(Box<load::LoadArgs>),
    /// Run the local emulator of Azure DPS and IoT Hub alone, for any device or SDK.
    #[cfg(feature = "lab")]
    Emulator(emulator::EmulatorArgs),
    /// Operate a provisioning service and its hubs, of the local emulator or of Azure, with the verbs of `az iot`.
    #[cfg(feature = "lab")]
    Cloud(Box<cloud::CloudArgs>),
    /// Serve a page with map and charts of a fleet: of a local emulator that runs, or of a real hub.
    #[cfg(feature = "lab")]
    Console(Box<console::ConsoleArgs>),
    /// Work on a line that makes trackers: sign, check, provision and label a list of boxes.
    #[cfg(feature = "lab")]
    Factory(Box<factory::FactoryArgs>),
    /// Make and look at certificates: a CA of your own, leafs for devices, signed requests, proofs of possession.
    #[cfg(feature = "lab")]
    Pki(Box<pki::PkiArgs>),
    /// Look whether what a hub has received is what the device has sent, who has signed for it, and how its trips went.
    #[cfg(feature = "lab")]
    Verify(verify::VerifyArgs),
    #[cfg(feature = "lab")]
    Completions(completions::CompletionsArgs),
    #[cfg(feature = "lab")]
    Man(man::ManArgs),
}

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    let Cli { command } = parsed();
    let result = match command {
        Command::Run(args) => run::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Check(args) => Ok(check::run(&args)),
        Command::Status(args) => status::run(&args),
        Command::Provision(args) => provision::run(&args),
        Command::Deprovision(args) => deprovision::run(&args),
        #[cfg(feature = "lab")]
        Command::Simulate(args) => simulate::run(args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "lab")]
        Command::Load(args) => load::run(&args),
        #[cfg(feature = "lab")]
        Command::Emulator(args) => emulator::run(args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "lab")]
        Command::Cloud(args) => cloud::run(*args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "lab")]
        Command::Console(args) => console::run(*args).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "lab")]
        Command::Factory(args) => factory::run(&args),
        #[cfg(feature = "lab")]
        Command::Pki(args) => pki::run(&args),
        #[cfg(feature = "lab")]
        Command::Verify(args) => verify::run(&args),
        #[cfg(feature = "lab")]
        Command::Completions(args) => completions::run(&args, Cli::command()).map(|()| ExitCode::SUCCESS),
        #[cfg(feature = "lab")]
        Command::Man(args) => man::run(&args, Cli::command()).map(|()| ExitCode::SUCCESS),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            log::complain(&log::told(&error));
            ExitCode::FAILURE
        }
    }
}

/// The arguments. Groups, examples and what was meant are made for a person who asks or has mistyped something, and for nobody
/// else: they take longer than all other reading of arguments.
#[cfg(feature = "lab")]
fn parsed() -> Cli {
    if let Ok(cli) = Cli::try_parse() {
        return cli;
    }
    let command = help::with_help(Cli::command());
    let matches = command.clone().try_get_matches();
    match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => help::complain(&error, &command),
    }
}

#[cfg(not(feature = "lab"))]
fn parsed() -> Cli {
    Cli::parse()
}
