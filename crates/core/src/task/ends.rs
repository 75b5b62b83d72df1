//! Ends that lead to ends: a dropped future or output may hold what ends another task, and so on through a long chain.
//!
//! Invariant: a thread's stack holds no more than [`DEPTH`] ends inside one another. Deeper ones wait in a list of the
//! outermost one, which runs them before it returns. So a chain of a million tasks that await each other can be cancelled.

use super::cell::TaskPtr;
use super::{JoinError, Runnable};
use crate::context;
use core::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// How many ends may nest. Up to here a task has ended when the call that ends it returns, also from within another
/// task's end.
const DEPTH: usize = 16;

/// One end that is due.
pub(super) enum End {
    /// The future is dropped, and the joiner told why.
    Future(Runnable, JoinError),
    /// The output is dropped.
    Output(Output),
}

impl End {
    fn run(self) {
        match self {
            Self::Future(runnable, error) => runnable.fail_now(error),
            Self::Output(output) => drop(output),
        }
    }
}

/// The output of a task that is done, and its handle's share of the cell.
pub(super) struct Output(TaskPtr);

impl Output {
    /// # Safety
    ///
    /// The task is done, its output is there, and the caller gives up the handle.
    pub(super) unsafe fn new(task: TaskPtr) -> Self {
        Self(task)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        // SAFETY: `new`'s caller has promised it.
        unsafe { self.0.drop_output() };
        if self.0.state().leave_done() {
            // SAFETY: the state word said so.
            unsafe { self.0.free() };
        }
    }
}

/// The ends that this thread is in the middle of.
#[derive(Default)]
struct Ends {
    depth: Cell<usize>,
    waiting: RefCell<VecDeque<End>>,
}

impl Ends {
    fn run_one(&self, end: End) {
        struct Up<'a>(&'a Cell<usize>);
        impl Drop for Up<'_> {
            fn drop(&mut self) {
                self.0.set(self.0.get() - 1);
            }
        }
        self.depth.set(self.depth.get() + 1);
        let _up = Up(&self.depth);
        end.run();
    }

    fn run_waiting(&self) {
        // The borrow ends before the end runs, which may add more.
        while let Some(end) = { self.waiting.borrow_mut().pop_front() } {
            self.run_one(end);
        }
    }
}

/// Runs `end`, now or, deep inside other ends, before the outermost of them returns.
pub(super) fn end(end: End) {
    let outermost = context::with_scope(|ends: Option<&Ends>| match ends {
        None => Some(end),
        Some(ends) if ends.depth.get() < DEPTH => {
            ends.run_one(end);
            None
        }
        Some(ends) => {
            ends.waiting.borrow_mut().push_back(end);
            None
        }
    });
    if let Some(end) = outermost {
        let ends = Ends::default();
        context::enter_scope(&ends, || {
            ends.run_one(end);
            ends.run_waiting();
        });
    }
}

/// Whether an end would have to wait.
pub(super) fn is_deep() -> bool {
    context::with_scope(|ends: Option<&Ends>| ends.is_some_and(|ends| ends.depth.get() >= DEPTH))
}

/// Runs the ends that wait on this thread, for one who must not return before them.
pub(crate) fn run_waiting() {
    context::with_scope(|ends: Option<&Ends>| {
        if let Some(ends) = ends {
            ends.run_waiting();
        }
    });
}
