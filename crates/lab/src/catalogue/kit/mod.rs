//! What the programs of the catalogue share.
//!
//! Invariant: nothing in here belongs to one runtime; what two subjects run differs only in the subject.

pub(crate) mod channel;
pub(crate) mod client;
pub(crate) mod clock;
mod closed_loop;
pub(crate) mod gate;
pub(crate) mod measure;

use futures::future::{Either, select};
use polyloop_traits::Runtime;
use std::future::Future;
use std::pin::pin;

/// The seed's `race`: polls `left` first, and drops the loser.
pub(crate) async fn race<A, B>(
    left: impl Future<Output = A>,
    right: impl Future<Output = B>,
) -> Either<A, B> {
    match select(pin!(left), pin!(right)).await {
        Either::Left((value, _)) => Either::Left(value),
        Either::Right((value, _)) => Either::Right(value),
    }
}

/// Runs `future` as a task of the runtime, so that it spawns and wakes from inside, whatever `block_on` does.
pub(crate) fn inside<R: Runtime, T: Send + 'static>(
    rt: &R,
    future: impl Future<Output = T> + Send + 'static,
) -> T {
    rt.block_on(async { rt.spawn(future).await }).unwrap_or_else(|failed| panic!("{failed}"))
}
