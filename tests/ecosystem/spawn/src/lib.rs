//! `futures` spawns, `criterion` blocks.

#![forbid(unsafe_code)]

use futures::task::{Spawn, SpawnExt};
use std::ops::Range;

/// The square of each number, by a task of its own, in the order of the numbers. It knows nothing but the trait of `futures`.
///
/// # Panics
///
/// If the spawner has shut down.
pub async fn squares(spawn: &impl Spawn, numbers: Range<u64>) -> Vec<u64> {
    let square = |n| spawn.spawn_with_handle(async move { n * n }).expect("the runtime is there");
    let handles: Vec<_> = numbers.map(square).collect();
    futures::future::join_all(handles).await
}
