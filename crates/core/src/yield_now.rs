//! Letting everybody else go first.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Suspends the task once, and queues it behind everything that is ready.
///
/// The task wakes itself at once, so that two tasks that yield alternate. If the driver is due after its poll, as it is after a
/// long one, then what the driver finds comes first. (Some runtimes wait with every wake until their driver has turned.)
///
/// # Cancel safety
///
/// Cancel safe.
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless they are awaited"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
