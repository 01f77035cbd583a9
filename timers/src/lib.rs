//! Waits that wake the processor once.
//!
//! tokio keeps its timers in a wheel of slots: a wait of more than 64 ms wakes when its slot begins, is put into a finer
//! one, and wakes again; a wait that is made anew every second, as a deadline is, wakes every 4096 ms for nothing. That is
//! right for thousands of timers. A tracker has a dozen, lives on a battery, and is asleep but for them: a program that calls
//! [`use_the_kernel`] has them all on one timer of the kernel, which rings when the earliest is due.
//!
//! Whoever has not called it, as a test with a clock of its own, waits by tokio's.

#[cfg(target_os = "linux")]
mod kernel;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{self, Instant};

/// So far away is a moment that can't be told.
const FAR: Duration = Duration::from_hours(24 * 365 * 30);
/// A wait that is [`sleep_about`] so long may be longer by this part of it.
const SLACK: u32 = 8;

/// The time is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed;

impl std::fmt::Display for Elapsed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the time is up")
    }
}

impl std::error::Error for Elapsed {}

/// From now on all waits of this crate, in the whole process, are the kernel's. To be called once, in the runtime that
/// then lives as long as the process. Does nothing where the system has no such timers.
///
/// # Errors
/// Where the kernel has no timer to give; waits are tokio's then.
#[cfg_attr(not(target_os = "linux"), allow(clippy::unnecessary_wraps))]
pub fn use_the_kernel() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    kernel::start()?;
    Ok(())
}

/// A wait until a moment. It is over for ever once it is over, until it is [`reset`](Sleep::reset).
#[derive(Debug)]
pub struct Sleep(Kind);

#[derive(Debug)]
enum Kind {
    Tokio(Pin<Box<time::Sleep>>),
    #[cfg(target_os = "linux")]
    Kernel(kernel::Sleep),
}

/// Waits so long, and not less.
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(after(duration))
}

/// Waits until then.
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::new(deadline, Duration::ZERO)
}

/// Waits so long, and up to an eighth longer where that saves a wake: for what is looked after now and then.
pub fn sleep_about(duration: Duration) -> Sleep {
    Sleep::new(after(duration), duration.min(FAR) / SLACK)
}

/// Gives what the future does, or [`Elapsed`] where it takes longer.
///
/// # Errors
/// The time is up.
pub async fn timeout<T>(duration: Duration, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    timeout_at(after(duration), work).await
}

/// As [`timeout`], until a moment.
///
/// # Errors
/// The time is up.
pub async fn timeout_at<T>(deadline: Instant, work: impl Future<Output = T>) -> Result<T, Elapsed> {
    let (mut work, mut end) = (pin!(work), sleep_until(deadline));
    poll_fn(|context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Ok(done)),
        Poll::Pending => Pin::new(&mut end).poll(context).map(|()| Err(Elapsed)),
    })
    .await
}

fn after(duration: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(duration).unwrap_or_else(|| now + FAR)
}

impl Sleep {
    fn new(deadline: Instant, slack: Duration) -> Self {
        #[cfg(target_os = "linux")]
        if let Some(sleep) = kernel::Sleep::new(deadline.into_std(), slack) {
            return Self(Kind::Kernel(sleep));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = slack;
        Self(Kind::Tokio(Box::pin(time::sleep_until(deadline))))
    }

    /// Waits until then instead.
    pub fn reset(&mut self, deadline: Instant) {
        match &mut self.0 {
            Kind::Tokio(sleep) => sleep.as_mut().reset(deadline),
            #[cfg(target_os = "linux")]
            Kind::Kernel(sleep) => sleep.reset(deadline.into_std()),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match &mut self.0 {
            Kind::Tokio(sleep) => sleep.as_mut().poll(context),
            #[cfg(target_os = "linux")]
            Kind::Kernel(sleep) => sleep.poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn without_the_kernel_the_clock_of_tokio_counts() {
        let begun = Instant::now();
        sleep(Duration::from_hours(1)).await;
        assert_eq!(begun.elapsed(), Duration::from_hours(1));
        sleep_about(Duration::from_hours(1)).await;
        assert_eq!(begun.elapsed(), Duration::from_hours(2));
        assert_eq!(timeout(Duration::from_secs(5), std::future::pending::<()>()).await, Err(Elapsed));
        assert_eq!(timeout(Duration::ZERO, async { 7 }).await, Ok(7));
        let mut wait = sleep(Duration::MAX);
        wait.reset(Instant::now() + Duration::from_secs(1));
        wait.await;
        assert_eq!(begun.elapsed(), Duration::from_hours(2) + Duration::from_secs(6));
    }
}
