//! A test in virtual time whose tasks are all on one thread.

/// Runs `body` as a task. With one worker, it and all that it spawns are on that worker's thread, so that nobody sends anything
/// between the worker's last look at its sockets and the move of the clock.
///
/// # Panics
///
/// With the panic of `body`.
pub async fn alone(body: impl Future<Output = ()> + Send + 'static) {
    if let Err(error) = polyloop::spawn(body).await {
        match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => panic!("{error}"),
        }
    }
}
