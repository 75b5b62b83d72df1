//! Where a function needs a runtime and there is none, it says so, and which line to change.

use polyloop::Handle;

/// What a misplaced call is told. The location before it is the caller's own line.
const MISPLACED: &str = "there is no runtime of trpl here: call this inside `trpl::run(async { … })` or a task that was \
                         spawned there. If a `tokio::runtime::Builder` built the runtime, change that `use` line to `use trpl::Builder`";

/// The runtime that the calling code runs on.
///
/// # Panics
///
/// If there is none.
#[track_caller]
pub(crate) fn handle() -> Handle {
    match Handle::try_current() {
        Ok(handle) => handle,
        Err(_) => panic!("{MISPLACED}"),
    }
}

/// The same for a function that can return an error.
///
/// # Errors
///
/// If there is none.
pub(crate) fn try_handle() -> std::io::Result<Handle> {
    Handle::try_current().map_err(|_| std::io::Error::other(MISPLACED))
}
