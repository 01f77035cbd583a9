//! The command line.

mod run;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    /// Play a fleet on this computer: simulated containers, and by default a local emulator of Azure.
    #[cfg(feature = "lab")]
    Simulate(crate::lab::SimulateArgs),
    /// Run the local emulator of Azure DPS and IoT Hub alone, for any device or SDK.
    #[cfg(feature = "lab")]
    Emulator(crate::lab::EmulatorArgs),
    /// Operate a provisioning service and its hubs, of the local emulator or of Azure, with the verbs of `az iot`.
    #[cfg(feature = "lab")]
    Cloud(Box<crate::lab::CloudArgs>),
}

#[derive(Debug, clap::Args)]
struct RunArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/container-tracker/tracker.toml")]
    config: PathBuf,
    /// How much the log tells: error, warn, info, debug or trace.
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    log: tracing::Level,
}

/// Parses the arguments and does what they say.
pub fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    let result = match command {
        Command::Run(RunArgs { config, log }) => run::run(&config, log),
        #[cfg(feature = "lab")]
        Command::Simulate(args) => crate::lab::simulate(args),
        #[cfg(feature = "lab")]
        Command::Emulator(args) => crate::lab::emulator(args),
        #[cfg(feature = "lab")]
        Command::Cloud(args) => crate::lab::cloud(*args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("container-tracker: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn asked_to_stop() {
    let interrupted = async {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    #[cfg(unix)]
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    #[cfg(not(unix))]
    let terminated = std::future::pending::<()>();
    tokio::select! {
        () = interrupted => {}
        () = terminated => {}
    }
}

/// Sends the log to standard error: with time and colour for people, without for journald, which adds its own time.
pub fn start_log(level: tracing::Level) {
    use std::io::IsTerminal;
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if std::env::var_os("JOURNAL_STREAM").is_some() {
        log.without_time().init();
    } else {
        log.init();
    }
}
