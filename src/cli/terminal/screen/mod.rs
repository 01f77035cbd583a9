//! A screen in the terminal, for who looks on: pages that draw themselves into a buffer, keys, and a terminal that is left as it
//! was found, whatever ends the program.
//!
//! Pages draw in Unicode and with colours; what the terminal can't show is replaced afterwards, in one place (`ascii.rs`,
//! `look.rs`). Nothing that comes from outside is drawn but through `Printable`.

mod ascii;
mod backend;
mod columns;
mod container;
mod device;
mod dots;
mod keys;
mod look;
mod map;
mod page;
mod pane;
#[cfg(all(test, target_os = "linux"))]
mod panic_tests;
mod projector;
mod rows;
mod show;
#[cfg(test)]
mod snapshot;

pub(in crate::cli) use columns::{Column, Table};
pub(in crate::cli) use container::{ContainerPage, Facts, draw_facts, keys_pane, scroll};
pub(in crate::cli) use dots::Dots;
pub(in crate::cli) use keys::Key;
pub(in crate::cli) use look::{Look, Tone, lack};
pub(in crate::cli) use map::{Mark, draw_map};
pub(in crate::cli) use page::{Flow, Page, footer, heading};
pub(in crate::cli) use pane::{Pane, Row, draw_panes};
pub(in crate::cli) use projector::Projector;
pub(in crate::cli) use rows::{age, alarm_rows, journal_rows, link_rows, readings, sensor_rows, sky_rows};
pub(in crate::cli) use show::show;
#[cfg(test)]
pub(in crate::cli) use snapshot::snapshot;

/// How many columns the terminal has.
pub(in crate::cli) fn terminal_width() -> u16 {
    device::size().width
}
