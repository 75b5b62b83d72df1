//! Two futures, of which one wins.

use futures::future::Either;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

/// Runs two futures until one of them is ready, and drops the other. The first is polled first, so it wins where both are ready.
///
/// Both live in the calling task: while one of them is polled, the other is not, on every executor.
///
/// # Cancel safety
///
/// Dropping it drops both.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use trpl::Either;
///
/// let winner = trpl::run(async {
///     trpl::select(std::future::pending::<()>(), trpl::sleep(Duration::from_millis(1))).await
/// });
/// assert!(matches!(winner, Either::Right(())));
/// ```
pub async fn select<A, B, F1, F2>(f1: F1, f2: F2) -> Either<A, B>
where
    F1: Future<Output = A>,
    F2: Future<Output = B>,
{
    #[cfg(feature = "timeline")]
    let (f1, f2) = crate::lanes::pair("select", f1, f2);
    first(f1, f2).await
}

/// [`select`] by its name of version 0.2.
pub async fn race<A, B, F1, F2>(f1: F1, f2: F2) -> Either<A, B>
where
    F1: Future<Output = A>,
    F2: Future<Output = B>,
{
    #[cfg(feature = "timeline")]
    let (f1, f2) = crate::lanes::pair("race", f1, f2);
    first(f1, f2).await
}

async fn first<F1: Future, F2: Future>(f1: F1, f2: F2) -> Either<F1::Output, F2::Output> {
    let (mut f1, mut f2) = (pin!(f1), pin!(f2));
    poll_fn(|cx| {
        if let Poll::Ready(output) = f1.as_mut().poll(cx) {
            return Poll::Ready(Either::Left(output));
        }
        f2.as_mut().poll(cx).map(Either::Right)
    })
    .await
}
