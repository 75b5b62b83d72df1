//! The runtime's threads: what they are called, how big their stacks are, and whom they tell of what they do.
//!
//! Invariant: all threads that a runtime starts, workers and those for blocking jobs, are made here alike.

use crate::Builder;
use polyloop_blocking::StartThread;
use polyloop_core::task::contain;
use polyloop_core::{Hooks, Meta, ThreadHook};
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the builder was told about threads.
#[derive(Clone, Default)]
pub(crate) struct Threads {
    name: Option<Arc<Names>>,
    pub(crate) stack_size: Option<usize>,
    start: Option<ThreadHook>,
    pub(crate) stop: Option<ThreadHook>,
    pub(crate) hooks: Hooks,
}

/// Names in the order in which the program gave them. There is one in reserve for the next worker that relief starts, because that is
/// done by the monitor, which must not wait for the program.
struct Names {
    ask: Box<dyn Fn() -> String + Send + Sync>,
    ahead: Mutex<VecDeque<String>>,
    /// Of threads for blocking jobs that could not be had.
    unused: Mutex<Vec<String>>,
}

impl Names {
    /// With no lock held meanwhile.
    fn ask(&self) {
        let name = (self.ask)();
        self.ahead().push_back(name);
    }

    fn take(&self) -> Option<String> {
        self.ahead().pop_front()
    }

    fn ahead(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn unused(&self) -> MutexGuard<'_, Vec<String>> {
        self.unused.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Calls the hook of a thread's end, however it ends.
struct Stop<'a>(&'a Threads);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        if let Some(stop) = &self.0.stop {
            stop();
        }
    }
}

impl Threads {
    /// Asks for the names of so many workers, and for the one in reserve.
    pub(crate) fn ask_for_names(&self, workers: usize) {
        if let Some(names) = &self.name {
            (0..=workers).for_each(|_| names.ask());
        }
    }

    /// The next worker's name; `default` if the program gave none, or none is at hand.
    pub(crate) fn name_at_hand(&self, default: String) -> String {
        self.name.as_ref().and_then(|names| names.take()).unwrap_or(default)
    }

    /// The name of a worker that could not be had; the next one has it.
    pub(crate) fn give_back(&self, name: String) {
        if let Some(names) = &self.name {
            names.ahead().push_front(name);
        }
    }

    /// Runs a worker's whole life. If it has taken the name that was in reserve, it asks for the next one.
    pub(crate) fn live_as_worker(&self, life: impl FnOnce()) {
        self.live(|| {
            if let Some(names) = self.name.as_ref().filter(|names| names.ahead().is_empty()) {
                contain(|| names.ask());
            }
            life();
        });
    }

    /// The name of the next thread for blocking jobs; `default` unless the program said otherwise.
    fn name(&self, default: String) -> String {
        let Some(names) = &self.name else { return default };
        let unused = names.unused().pop();
        if unused.is_none() {
            names.ask();
        }
        unused.or_else(|| names.take()).unwrap_or(default)
    }

    /// Runs a thread's whole life.
    pub(crate) fn live(&self, life: impl FnOnce()) {
        if let Some(start) = &self.start {
            start();
        }
        let _stop = Stop(self);
        life();
    }

    /// Starts a thread for blocking jobs.
    pub(crate) fn starter(&self) -> StartThread {
        let threads = self.clone();
        Box::new(move |default, main| {
            let name = threads.name(default);
            let thread = polyloop_blocking::thread(name.clone(), threads.stack_size)?;
            let living = threads.clone();
            thread.spawn(move || living.live(main)).map(drop).inspect_err(|_| {
                if let Some(names) = &threads.name {
                    names.unused().push(name);
                }
            })
        })
    }
}

impl fmt::Debug for Threads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Threads")
            .field("stack_size", &self.stack_size)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

/// Threads and hooks.
///
/// A hook of a thread runs on that thread, one of a task on the thread that spawns or ends the task. What is not set costs
/// nothing. A hook of a worker that panics ends the runtime: all its tasks are cancelled. A thread for blocking jobs whose
/// start panics does not come: if it was the only one, the jobs that wait for it end with
/// [no thread](polyloop_core::JoinError::is_no_thread).
impl Builder {
    /// The name of all threads that the runtime starts. Unless it is given, they are called `poly-worker-0` and so on, and
    /// `poly-block-1` and so on for blocking jobs. Linux keeps 15 bytes of it, to be seen in `/proc/self/task/*/comm`.
    ///
    /// A name with a zero byte is an error of [`build`](Self::build).
    #[must_use]
    pub fn thread_name(self, name: impl Into<String>) -> Self {
        let name = name.into();
        self.thread_name_fn(move || name.clone())
    }

    /// Asks `name` for the name of each thread that the runtime starts, and, if it has workers, for one more, which is kept for the
    /// next one that takes a blocked worker's place: so nobody waits for `name` before that one starts. It asks for another one
    /// itself, after [`on_thread_start`](Self::on_thread_start) and before it works; a panic then is contained. Who starts while
    /// that goes on has the name that it would have by default. If the kernel refuses the thread, the name is that of the next
    /// one that is to do the same, work or blocking jobs. `name` must not wait for what a task may hold: the worker that asks is there
    /// because that task does not let go.
    #[must_use]
    pub fn thread_name_fn(mut self, name: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.threads.name =
            Some(Arc::new(Names { ask: Box::new(name), ahead: Mutex::default(), unused: Mutex::default() }));
        self
    }

    /// The size in bytes of the stack of all threads that the runtime starts; the standard library's 2 MiB, or
    /// `RUST_MIN_STACK`, unless said. It is rounded up to what the system can do; more than it can is an error of
    /// [`build`](Self::build), or of the handle of the blocking job that would have needed the thread.
    #[must_use]
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.threads.stack_size = Some(bytes);
        self
    }

    /// Called on each thread that the runtime starts, before it does anything else.
    #[must_use]
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.threads.start = Some(Arc::new(hook));
        self
    }

    /// Called on each thread that the runtime has started, as the last thing.
    #[must_use]
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.threads.stop = Some(Arc::new(hook));
        self
    }

    /// Called by a worker that has nothing to do, before it waits. It may spawn and wake; then the worker does not wait. On
    /// `fifo` the worker is the thread inside `block_on`. A worker may wait before `build` has returned, when no runtime is
    /// [current](crate::Handle::try_current) yet.
    #[must_use]
    pub fn on_thread_park(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.threads.hooks.park = Some(Arc::new(hook));
        self
    }

    /// Called by a worker that does not wait any more, once for every time that it was about to.
    #[must_use]
    pub fn on_thread_unpark(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.threads.hooks.unpark = Some(Arc::new(hook));
        self
    }

    /// Called with a task's description, on the thread that spawns it, before it is spawned. Not for local tasks and
    /// blocking jobs. A panic goes to whoever spawns.
    #[must_use]
    pub fn on_task_spawn(mut self, hook: impl Fn(&Meta) + Send + Sync + 'static) -> Self {
        self.threads.hooks.task_spawn = Some(Arc::new(hook));
        self
    }

    /// Called with a task's description once it has ended, however it ended: its future is dropped, and its joiner does
    /// not know yet. Not for local tasks and blocking jobs. A panic is contained, and counted in the
    /// [metrics](crate::RuntimeMetrics::contained_panics_count).
    #[must_use]
    pub fn on_task_terminate(mut self, hook: impl Fn(&Meta) + Send + Sync + 'static) -> Self {
        self.threads.hooks.task_terminate = Some(Arc::new(hook));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    #[test]
    fn the_name_of_a_worker_that_could_not_be_had_is_the_next_ones() {
        let next = AtomicUsize::new(0);
        let builder = Builder::new().thread_name_fn(move || format!("web-{}", next.fetch_add(1, SeqCst)));
        let threads = builder.threads;
        let at_hand = || threads.name_at_hand("default".to_owned());
        threads.ask_for_names(1);
        assert_eq!([at_hand(), at_hand(), at_hand()], ["web-0", "web-1", "default"]);
        threads.give_back("web-1".to_owned());
        // It is in reserve again, so that nobody asks for another one.
        threads.live_as_worker(|| ());
        assert_eq!([at_hand(), at_hand()], ["web-1", "default"]);
        threads.live_as_worker(|| ());
        assert_eq!(at_hand(), "web-2");
    }

    /// No address space has room for its stack.
    #[test]
    fn the_name_of_a_thread_for_blocking_jobs_that_could_not_be_had_is_the_next_ones() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = asked.clone();
        let builder = Builder::new()
            .thread_stack_size(usize::MAX / 8)
            .thread_name_fn(move || format!("web-{}", counted.fetch_add(1, SeqCst)));
        let start = builder.threads.starter();
        for _ in 0..3 {
            start("default".to_owned(), Box::new(|| ())).unwrap_err();
        }
        assert_eq!(asked.load(SeqCst), 1);
    }
}
