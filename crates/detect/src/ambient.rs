//! Which watched futures this thread is polling right now, from the outermost to the innermost.
//!
//! Invariant: what is pushed is popped when its poll ends, by a panic too. Nothing here calls foreign code.

use crate::detect::Detect;
use crate::state::{Enclosing, Id};
use std::cell::RefCell;

struct Frame {
    detect: Detect,
    id: Id,
    /// The task that this is or that it belongs to.
    task: Option<Id>,
    /// Whether it may own a lock; an acquisition that is still going on may not.
    owns: bool,
}

thread_local! {
    static STACK: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
}

/// The end of a poll.
pub(crate) struct Leave(());

impl Drop for Leave {
    fn drop(&mut self) {
        let frame = STACK.try_with(|stack| stack.borrow_mut().pop());
        drop(frame);
    }
}

/// The poll of `id` begins.
pub(crate) fn enter(detect: &Detect, id: Id, task: Option<Id>, owns: bool) -> Leave {
    let frame = Frame { detect: detect.clone(), id, task, owns };
    STACK.with(|stack| stack.borrow_mut().push(frame));
    Leave(())
}

/// The detectors of the innermost future.
pub(crate) fn detect() -> Option<Detect> {
    STACK.try_with(|stack| stack.borrow().last().map(|frame| frame.detect.clone())).ok()?
}

/// What of `detect` encloses whatever is polled now.
pub(crate) fn enclosing(detect: &Detect) -> Option<Enclosing> {
    let find = |stack: &RefCell<Vec<Frame>>| {
        let stack = stack.borrow();
        let mut frames = stack.iter().rev().filter(|frame| frame.detect.is(detect) && frame.owns);
        frames.next().map(|frame| Enclosing { id: frame.id, task: frame.task })
    };
    STACK.try_with(find).ok()?
}

/// Whether this thread is inside of the poll of `id`.
pub(crate) fn is_polling(detect: &Detect, id: Id) -> bool {
    let find = |stack: &RefCell<Vec<Frame>>| {
        stack.borrow().iter().any(|frame| frame.id == id && frame.detect.is(detect))
    };
    STACK.try_with(find).unwrap_or(false)
}
