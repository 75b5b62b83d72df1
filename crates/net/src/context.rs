//! Where a socket finds its driver.

use crate::addr::Resolve;
use polyloop_core::Driver;
use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};

/// What a socket needs of its runtime: who watches it, and who looks names up.
#[derive(Clone)]
pub struct Context {
    /// Watches the socket.
    pub driver: Arc<Driver>,
    /// Looks names up.
    pub resolver: Arc<dyn Resolve>,
}

static CURRENT: OnceLock<fn() -> io::Result<Context>> = OnceLock::new();

/// Tells this crate how to find the context of the runtime that the calling code runs on. Done once, by the crate
/// that knows runtimes; a second call changes nothing.
pub fn install(current: fn() -> io::Result<Context>) {
    let _ = CURRENT.set(current);
}

impl Context {
    /// The context of the runtime that the calling code runs on.
    ///
    /// # Errors
    ///
    /// That there is none.
    pub fn current() -> io::Result<Self> {
        match CURRENT.get() {
            Some(current) => current(),
            None => Err(io::Error::other("no runtime was ever built in this process")),
        }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("driver", &self.driver).finish_non_exhaustive()
    }
}
