//! `--voyage list`: the journeys that there are.

use serde_json::json;
use tracker_sensors::simulated::Voyage;

use super::arguments::SimulateArgs;
use crate::platform::clock::system_time;
use crate::platform::stdout::line;

/// What is asked for in place of a name.
pub(super) const LIST: &str = "list";

/// Prints them, each in a line.
pub(super) fn print(args: &SimulateArgs) -> anyhow::Result<()> {
    let widest = Voyage::names().map(str::len).max().unwrap_or_default();
    for name in Voyage::names() {
        let voyage = Voyage::named(name, system_time(), args.seed)?;
        let days = (voyage.length_h() / 24.0).round();
        let (title, cargo) = (voyage.title(), voyage.cargo());
        let text = if args.json {
            json!({"voyage": name, "days": days, "cargo": cargo, "title": title}).to_string()
        } else {
            format!("{name:<widest$}  {days:>3} days  {title}")
        };
        if !line(&text) {
            break;
        }
    }
    Ok(())
}
