//! Bounded streams of what happens.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::broadcast;

/// A subscriber fell behind, or the emulator is gone.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum SubscriptionError {
    /// The oldest items were dropped; the next call goes on with what is left.
    #[error("{0} items were dropped because they were not fetched in time")]
    Lagged(u64),
    /// There will be no more.
    #[error("the emulator has been shut down")]
    Closed,
}

/// A bounded stream of what happens from the moment of subscribing.
#[derive(Debug)]
pub struct Subscription<T>(pub(crate) broadcast::Receiver<Arc<T>>);

impl<T> Subscription<T> {
    /// The next item.
    pub async fn next(&mut self) -> Result<Arc<T>, SubscriptionError> {
        self.0.recv().await.map_err(|error| match error {
            broadcast::error::RecvError::Lagged(count) => SubscriptionError::Lagged(count),
            broadcast::error::RecvError::Closed => SubscriptionError::Closed,
        })
    }

    /// The next item if there is one already.
    pub fn try_next(&mut self) -> Result<Option<Arc<T>>, SubscriptionError> {
        match self.0.try_recv() {
            Ok(item) => Ok(Some(item)),
            Err(broadcast::error::TryRecvError::Empty) => Ok(None),
            Err(broadcast::error::TryRecvError::Lagged(count)) => Err(SubscriptionError::Lagged(count)),
            Err(broadcast::error::TryRecvError::Closed) => Err(SubscriptionError::Closed),
        }
    }
}
