//! What is asked of the network or of an instrument, to its end.

use tokio::runtime::Builder;

use super::finding::Finding;

/// Waits for an answer. What still runs then, as the look-up of a name that nobody answers, is left behind.
pub(super) fn asked<T>(work: impl Future<Output = T>) -> Result<T, Finding> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(Finding::error)?;
    let answer = runtime.block_on(work);
    runtime.shutdown_background();
    Ok(answer)
}
