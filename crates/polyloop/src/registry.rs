//! Schedulers from outside, known by name.
//!
//! Invariant: a name means one executor for as long as the process lives: nothing is registered twice, renamed or taken out.
//! So a [`Combination`](crate::Combination) that was read stays good.

use crate::executors::{EXECUTORS, Executor};
use parking_lot::RwLock;
use polyloop_core::Scheduler;
use std::fmt;
use std::num::NonZeroUsize;

/// For how many threads a scheduler is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Places {
    /// How many workers poll at a time.
    pub workers: NonZeroUsize,
    /// How many [locals](Scheduler::local) may be asked for: the workers, and those that stand in for blocked ones. At least
    /// as many as `workers`.
    pub seats: NonZeroUsize,
}

static REGISTERED: RwLock<Vec<&'static Executor>> = RwLock::new(Vec::new());

/// Makes a scheduler of yours an executor like the built-in ones: from now on its name can stand in a combination, wherever that
/// comes from, and its tasks have timers, sockets, relief, dumps and everything else.
///
/// The name is of lower-case letters, digits and `-`, and begins with a letter. `make` is called once for each runtime.
///
/// # Errors
///
/// That the name is taken, or is not one.
///
/// # Examples
///
/// ```
/// use polyloop::{Runtime, register_scheduler, time};
/// use polyloop_core::{Notify, RunQueue, Runnable, Scheduler, Why};
/// use std::sync::Mutex;
/// use std::time::Duration;
///
/// /// Last in, first out. Unfair, and here to show it.
/// #[derive(Debug, Default)]
/// struct Stack(Mutex<Vec<Runnable>>);
///
/// impl Scheduler for Stack {
///     type Local = ();
///
///     fn name(&self) -> &'static str {
///         "stack"
///     }
///
///     fn local(&self, _: usize) {}
///
///     fn push(&self, _: Option<&mut ()>, runnable: Runnable, _: Why) -> Notify {
///         self.0.lock().unwrap().push(runnable);
///         Notify::One
///     }
///
///     fn next(&self, (): &mut ()) -> Option<Runnable> {
///         self.0.lock().unwrap().pop()
///     }
///
///     fn has_work(&self) -> bool {
///         !self.0.lock().unwrap().is_empty()
///     }
///
///     fn drain(&self) -> Vec<Runnable> {
///         std::mem::take(&mut *self.0.lock().unwrap())
///     }
/// }
///
/// register_scheduler("stack", |_| Stack::default())?;
/// let runtime = Runtime::from_name("stack:2+poll+heap")?;
/// runtime.block_on(async { time::sleep(Duration::from_millis(1)).await });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn register_scheduler<S: Scheduler>(
    name: &'static str,
    make: impl Fn(Places) -> S + Send + Sync + 'static,
) -> Result<(), NameError> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.starts_with(|c: char| c.is_ascii_lowercase()) || !name.chars().all(letters) {
        return Err(NameError { name, fault: Fault::NotAName });
    }
    let mut registered = REGISTERED.write();
    if EXECUTORS.contains(&name) || registered.iter().any(|known| known.name == name) {
        return Err(NameError { name, fault: Fault::Taken });
    }
    // Lives as long as the name is known, which is for ever.
    registered.push(Box::leak(Box::new(Executor::from_outside(name, make))));
    Ok(())
}

/// The executor of this name that was registered.
pub(crate) fn find(name: &str) -> Option<&'static Executor> {
    REGISTERED.read().iter().find(|known| known.name == name).copied()
}

/// The names that were registered, oldest first.
pub(crate) fn names() -> Vec<&'static str> {
    REGISTERED.read().iter().map(|known| known.name).collect()
}

/// A scheduler could not be registered under its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    name: &'static str,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    NotAName,
    Taken,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, fault } = self;
        match fault {
            Fault::NotAName => {
                write!(
                    f,
                    "`{name}` cannot name an executor: lower-case letters, digits and `-`, a letter first"
                )
            }
            Fault::Taken => write!(f, "there is an executor `{name}` already"),
        }
    }
}

impl std::error::Error for NameError {}
