//! Where the edges come from: a line of a GPIO chip, an emulated switch.

use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::LineError;

/// The line changed its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    /// Whether it says since then that the door is open.
    pub open: bool,
    /// When it changed.
    pub at: Instant,
    /// How many edges between the one read before and this one are lost: nobody read for too long.
    pub lost: u32,
}

/// A line that is being watched. Dropping it lets it go.
pub trait Line: Send {
    /// Whether the line says now that the door is open, whatever edges have not been read yet. Does not block.
    fn level(&mut self) -> Result<bool, LineError>;

    /// The next edge; pending only when all that came have been read. After an error the line is of no use any more.
    fn poll_edge(&mut self, cx: &mut Context<'_>) -> Poll<Result<Edge, LineError>>;

    /// How long a level must last before it counts; nothing where the edges have been debounced already.
    fn debounce(&self) -> Duration;
}

/// A line that can be asked for, and asked for again after it was lost.
pub trait LineSource: Send {
    /// Begins to watch the line. Does not block for longer than a chip needs to answer.
    fn request(&mut self) -> Result<Box<dyn Line>, LineError>;
}

impl<S: LineSource + ?Sized> LineSource for Box<S> {
    fn request(&mut self) -> Result<Box<dyn Line>, LineError> {
        (**self).request()
    }
}
