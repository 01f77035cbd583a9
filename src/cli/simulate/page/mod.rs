//! `simulate --screen terminal`: the fleet on a map and in a table, and one container in full.

mod fleet;
mod one;
mod order;
#[cfg(test)]
mod tests;

use anyhow::Context;
use tokio::sync::watch;

use super::arguments::SimulateArgs;
use crate::cli::terminal::screen::{Look, Projector};
use crate::lab::board::Board;
use fleet::FleetPage;

/// Shows the board until somebody asks for the end, of the page or of the program.
pub(super) fn begin(
    board: &'static Board,
    args: &SimulateArgs,
    stop: watch::Sender<bool>,
) -> anyhow::Result<()> {
    let page = FleetPage::new(board, args.devices, args.speed);
    let then = move || {
        board.gone();
        stop.send_replace(true);
    };
    let projector = Projector::start(page, Look::of_environment(), then);
    let projector = projector.context("the terminal can't show a screen; try without --screen terminal")?;
    board.show(move || drop(projector));
    Ok(())
}
