//! Tasks.

use crate::here;
use polyloop::task::JoinHandle;

/// Spawns a task, which begins when its turn comes, whether or not the handle is awaited. Dropping the handle detaches it; the end
/// of the runtime drops what still runs.
///
/// # Panics
///
/// Outside of a runtime.
///
/// # Examples
///
/// ```
/// let sum = trpl::run(async {
///     let twenty = trpl::spawn_task(async { 20 });
///     twenty.await.unwrap() + 22
/// });
/// assert_eq!(sum, 42);
/// ```
#[track_caller]
pub fn spawn_task<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let handle = here::handle();
    #[cfg(feature = "timeline")]
    let future = crate::lanes::task(future);
    handle.spawn(future)
}

/// Lets others go: the task is ready again, and has its next turn when the executor comes to it.
pub async fn yield_now() {
    polyloop::task::yield_now().await;
}
