//! Where the bytes of a receiver come from: a serial port, a recording, an emulated receiver.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::sync::Notify;

use super::EPOCH_PAUSE;

/// An open line from a receiver.
pub type ByteStream = Box<dyn AsyncRead + Send + Unpin>;

/// A line being opened. Dropping it gives up.
pub type Opening<'a> = Pin<Box<dyn Future<Output = io::Result<ByteStream>> + Send + 'a>>;

/// Something that can be opened, and opened again after it broke.
pub trait ByteSource: Send {
    /// Opens the line. Bytes that came before need not be given.
    fn open(&mut self) -> Opening<'_>;

    /// What people call it: a device path, a file name.
    fn name(&self) -> String;

    /// Who else reads the line, and how to be rid of it, as far as that can be seen. Takes some milliseconds.
    fn other_reader(&self) -> Option<String> {
        None
    }

    /// Whoever notifies this gets what the line has by now, where it would be read later.
    fn look(&self) -> Arc<Notify> {
        Arc::default()
    }

    /// A pause so long in what is read is one on the line.
    fn epoch_pause(&self) -> Duration {
        EPOCH_PAUSE
    }
}

impl<S: ByteSource + ?Sized> ByteSource for Box<S> {
    fn open(&mut self) -> Opening<'_> {
        (**self).open()
    }

    fn name(&self) -> String {
        (**self).name()
    }

    fn other_reader(&self) -> Option<String> {
        (**self).other_reader()
    }

    fn look(&self) -> Arc<Notify> {
        (**self).look()
    }

    fn epoch_pause(&self) -> Duration {
        (**self).epoch_pause()
    }
}
