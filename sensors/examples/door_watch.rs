//! Watches a door contact and prints a JSON object for each thing that happens: try a switch before it is fitted.
//!
//! usage: `door_watch CHIP LINE [active-low]`, e.g. `door_watch /dev/gpiochip0 17`. Whatever comes on standard input has
//! the level read anew.

#![allow(clippy::disallowed_macros, reason = "a person at a terminal reads it")]

#[cfg(target_os = "linux")]
fn main() {
    linux::main();
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("GPIO lines are watched on Linux alone");
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::Read;
    use std::process::exit;

    use serde_json::json;
    use tokio::time::Instant;
    use tracker_sensors::door::{ContactSettings, DoorContact, GpioSource, LineSettings};

    pub(super) fn main() {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        let (chip, line, active_low) = match arguments.as_slice() {
            [chip, line] => (chip, line.parse(), false),
            [chip, line, word] if word == "active-low" => (chip, line.parse(), true),
            _ => usage(),
        };
        let Ok(line) = line else { usage() };
        let settings = LineSettings { active_low, ..LineSettings::new(chip, line) };
        match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime.block_on(watch(settings)),
            Err(error) => {
                eprintln!("door_watch: {error}");
                exit(1);
            }
        }
    }

    fn usage() -> ! {
        eprintln!("usage: door_watch CHIP LINE [active-low]");
        exit(2);
    }

    async fn watch(settings: LineSettings) {
        let contact = DoorContact::new(GpioSource::new(settings), ContactSettings::new(Instant::now()));
        let (mut state, mut health, look) = (contact.state(), contact.health(), contact.look());
        std::thread::spawn(move || {
            while matches!(std::io::stdin().read(&mut [0]), Ok(1)) {
                look.notify_one();
            }
        });
        tokio::spawn(contact.run());
        let told = tokio::spawn(async move {
            loop {
                println!("{}", json!({ "health": *health.borrow_and_update() }));
                if health.changed().await.is_err() {
                    return;
                }
            }
        });
        while state.changed().await.is_ok() {
            let now = *state.borrow_and_update();
            let door = now.door.map(|door| door.to_string());
            let last = now.last_opening.map(|at| at.as_secs_f64());
            println!("{}", json!({ "door": door, "openings": now.openings, "last_opening_s": last }));
        }
        told.abort();
    }
}
