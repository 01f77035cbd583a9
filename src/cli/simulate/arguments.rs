//! The options of `simulate`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::bail;
use clap::ValueEnum;
use tracker_console::web::ListenOptions;

use crate::config::{Interval, Transport};
use crate::lab::scenario::{Scenario, Terms};

/// Options of `simulate`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SimulateArgs {
    /// How many containers travel; in the scenario management 200 unless said otherwise.
    #[arg(long, value_name = "N", default_value_t = 2, default_value_if("scenario", "management", "200"), value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub(super) devices: u16,
    /// What their names begin with.
    #[arg(long, value_name = "TEXT", default_value = PREFIX, value_parser = prefix, conflicts_with_all = ["config", "scenario"])]
    pub(super) prefix: String,
    /// Keep certificates, journals, twins and how far the voyages have come in this directory; the next time it goes on there.
    #[arg(long, value_name = "DIRECTORY", conflicts_with_all = ["config", "scenario", "story"])]
    pub(super) directory: Option<PathBuf>,
    /// Play the fleet at the emulator that runs in this directory: the devices are enrolled there, each with a certificate of its own.
    #[arg(long, value_name = "DIRECTORY", conflicts_with_all = ["config", "scenario", "story", "transport", "open", "console_port", "read_only", "no_console"])]
    pub(super) emulator: Option<PathBuf>,
    /// The voyage of all containers, for example teawamutu-shanghai-cheddar; by default each has one of its own, by its name. `list` shows
    /// all.
    #[arg(long, value_name = "NAME")]
    pub(super) voyage: Option<String>,
    /// Simulated hours that pass in a second; of a recording that is replayed, seconds.
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    pub(super) speed: f64,
    /// Makes weather, sensor noise and start of every voyage the same again.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Seconds between readings, as the initial twin's telemetryInterval: 5, or 1 with --story, unless said otherwise. In a
    /// directory that is kept it is set in the twins that are there.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(i64::from(Interval::SHORTEST)..=i64::from(Interval::LONGEST)))]
    pub(super) interval: Option<u32>,
    /// A recorded NMEA log that becomes the bytes of the GPS receivers, --speed seconds of it in one, over and over.
    #[arg(long, value_name = "FILE.nmea")]
    pub(super) replay: Option<PathBuf>,
    /// Simulated sensors against a real Azure: the identity and DPS of this configuration file, one device.
    #[arg(long, value_name = "FILE", conflicts_with = "interval")]
    pub(super) config: Option<PathBuf>,
    /// With all that a shipper sets: alarms for the goods, ports as places, container numbers, evidence. What happens is told in
    /// sentences, and at the end how the trips went and what verify says; a reefer's power fails at sea. A reading a second.
    #[arg(long, conflicts_with_all = ["config", "scenario", "replay"])]
    pub(super) story: bool,
    /// Keep what the hub has received in this file, for verify.
    #[arg(long, value_name = "FILE", requires = "story")]
    pub(super) record: Option<PathBuf>,
    /// Tell a story instead: each step says what is done, expected and seen; the exit code is the verdict.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["config", "voyage", "replay", "interval"])]
    pub(super) scenario: Option<Scenario>,
    /// In the scenario renewal: how long certificates live, in seconds; by default 15.
    #[arg(long, value_name = "SECONDS", requires = "scenario", value_parser = clap::value_parser!(u32).range(10..=86_400))]
    pub(super) validity: Option<u32>,
    /// In the scenario renewal: how long the links flap, in seconds; by default 50.
    #[arg(long, value_name = "SECONDS", requires = "scenario", value_parser = clap::value_parser!(u32).range(10..=864_000))]
    pub(super) flapping: Option<u32>,
    /// Let each step of the story wait until somebody goes on, on the page. The page stays until Ctrl-C.
    #[arg(long, requires = "scenario", conflicts_with_all = ["no_console", "read_only", "duration"])]
    pub(super) step: bool,
    /// End by itself after so many seconds.
    #[arg(long, value_name = "SECONDS")]
    pub(super) duration: Option<u64>,
    /// How it is shown: each message in a line, or all containers on a map and in a table that follow them.
    #[arg(long, value_name = "KIND", value_enum, default_value_t, conflicts_with_all = ["json", "scenario"])]
    pub(super) screen: ScreenKind,
    /// What carries MQTT of the containers: to the port of devices, or in WebSockets to that of services.
    #[arg(long, value_name = "KIND", value_enum, default_value_t, conflicts_with_all = ["config", "scenario"])]
    pub(super) transport: Transport,
    /// Open the page with map and charts in a browser.
    #[arg(long, conflicts_with_all = ["config", "no_console"])]
    pub(super) open: bool,
    /// The port of that page; by default 8462, or any other while that one is taken.
    #[arg(long, value_name = "PORT", conflicts_with_all = ["config", "no_console"])]
    pub(super) console_port: Option<u16>,
    /// That page changes nothing.
    #[arg(long, conflicts_with_all = ["config", "no_console"])]
    pub(super) read_only: bool,
    /// Serve no page.
    #[arg(long)]
    pub(super) no_console: bool,
    /// Print one JSON object a line, for scripts.
    #[arg(long)]
    pub(super) json: bool,
}

/// What the names of simulated devices begin with.
pub(super) const PREFIX: &str = "sensor-thl-";

/// A beginning that makes a registration ID with a number behind it.
fn prefix(text: &str) -> Result<String, String> {
    let is_of_id =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | '_' | ':');
    if text.is_empty() || text.len() > 64 || !text.chars().all(is_of_id) {
        return Err("small letters, digits, - . _ and : make the name of a device, 64 at the most".into());
    }
    Ok(text.into())
}

/// How a simulation is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ScreenKind {
    /// A line for each message.
    #[default]
    Lines,
    /// A table and a map.
    Terminal,
}

impl SimulateArgs {
    /// A fleet of so many devices, at this speed.
    pub(in crate::cli) fn fleet(devices: u16, speed: f64) -> Self {
        Self { devices, speed, ..Self::default() }
    }

    /// Whether the speed is one.
    pub(in crate::cli) fn check_speed(speed: f64) -> anyhow::Result<()> {
        if !(speed.is_finite() && speed > 0.0 && speed <= 1000.0) {
            bail!("--speed {speed} is not above 0 and at most 1000 hours a second");
        }
        Ok(())
    }

    /// Seconds between readings.
    pub(super) fn interval(&self) -> u32 {
        self.interval.unwrap_or(if self.story { 1 } else { 5 })
    }

    /// The name of the device with this number, from 0.
    pub(in crate::cli) fn device(&self, index: u16) -> String {
        format!("{}{:03}", self.prefix, index + 1)
    }

    /// How long the scenario renewal takes.
    pub(super) fn terms(&self) -> Terms {
        let seconds = |given: Option<u32>, otherwise| Duration::from_secs(given.unwrap_or(otherwise).into());
        Terms { validity: seconds(self.validity, 15), flapping: seconds(self.flapping, 50) }
    }

    /// How the page listens.
    pub(super) fn listening(&self) -> ListenOptions {
        ListenOptions { port: self.console_port, is_read_only: self.read_only, ..ListenOptions::default() }
    }

    /// Whether the options go together.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        let of_renewal = [("--validity", self.validity), ("--flapping", self.flapping)];
        if let Some((option, _)) = of_renewal.iter().find(|(_, given)| given.is_some())
            && self.scenario != Some(Scenario::Renewal)
        {
            bail!("{option} is for the scenario renewal");
        }
        let Some(scenario) = self.scenario.filter(|scenario| !scenario.has_page()) else { return Ok(()) };
        let of_a_page = [
            ("--open", self.open),
            ("--step", self.step),
            ("--read-only", self.read_only),
            ("--console-port", self.console_port.is_some()),
        ];
        if let Some((option, _)) = of_a_page.iter().find(|(_, is_given)| *is_given) {
            let name = scenario.to_possible_value();
            let name = name.as_ref().map_or("", |name| name.get_name());
            bail!("the scenario {name} has no page, so {option} can't be given with it; lifecycle has one");
        }
        Ok(())
    }
}

impl Default for SimulateArgs {
    fn default() -> Self {
        Self {
            devices: 2,
            prefix: PREFIX.into(),
            directory: None,
            emulator: None,
            voyage: None,
            speed: 1.0,
            seed: 1,
            interval: None,
            replay: None,
            config: None,
            story: false,
            record: None,
            scenario: None,
            validity: None,
            flapping: None,
            step: false,
            duration: None,
            screen: ScreenKind::Lines,
            transport: Transport::Mqtt,
            open: false,
            console_port: None,
            read_only: false,
            no_console: true,
            json: false,
        }
    }
}
