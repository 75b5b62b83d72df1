//! The token of an unpark.
//!
//! Invariant: the token lives in this word, not in the kernel. A doorbell file (an eventfd) is rung only between
//! [`begin`](Bell::begin) and [`end`](Bell::end) of a wait and at most once per wait, so that unparking a driver that
//! does not wait, or that was unparked already, costs no system call.
//!
//! A ring may arrive late: the unparker took the word, and the wait ended by itself before the file was written. The
//! next wait then ends early for nothing, which every turn may.

use polyloop_core::shim::atomic::{AtomicBool, AtomicU8, Ordering};
use polyloop_core::time::Wait;

/// Nobody waits, no token is set.
const SILENT: u8 = 0;
/// A thread waits, or is about to.
const WAITING: u8 = 1;
/// A token is set.
const RUNG: u8 = 2;

#[derive(Debug, Default)]
pub(crate) struct Bell {
    state: AtomicU8,
    /// A foreign event loop watches our file, so every token must also be seen in the kernel.
    foreign: AtomicBool,
}

impl Bell {
    /// Announces a wait. With a token set there is nothing to wait for, and it becomes a look.
    pub(crate) fn begin(&self, asked: Wait) -> Wait {
        if asked == Wait::Now {
            return Wait::Now;
        }
        // Acquire pairs with the Release in `ring`: what the unparker did before is visible after the turn.
        match self.state.compare_exchange(SILENT, WAITING, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => asked,
            Err(_) => Wait::Now,
        }
    }

    /// Ends the wait that was `asked` for and takes the token. A mere look leaves the token to the next wait, unless
    /// that wait happens in a foreign loop.
    pub(crate) fn end(&self, asked: Wait) {
        if asked != Wait::Now || self.foreign.load(Ordering::Acquire) {
            self.state.swap(SILENT, Ordering::AcqRel);
        }
    }

    /// Sets the token, and tells whether the doorbell file must be rung.
    #[must_use]
    pub(crate) fn ring(&self) -> bool {
        // SeqCst pairs with `watch_from_outside`: either we see the flag, or it sees our token.
        match self.state.swap(RUNG, Ordering::SeqCst) {
            WAITING => true,
            SILENT => self.foreign.load(Ordering::SeqCst),
            _ => false,
        }
    }

    /// From now on every token must be seen in the kernel. Tells whether one is set that was not.
    #[cfg(any(test, feature = "mio", feature = "polling"))]
    #[must_use]
    pub(crate) fn watch_from_outside(&self) -> bool {
        let news = !self.foreign.swap(true, Ordering::SeqCst);
        news && self.state.load(Ordering::SeqCst) == RUNG
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_waiting_thread_is_rung_and_only_once() {
        let bell = Bell::default();
        assert!(!bell.ring(), "nobody waits");
        assert!(!bell.ring(), "the token is set already");
        assert_eq!(bell.begin(Wait::Forever), Wait::Now, "the token ends the next wait");
        bell.end(Wait::Forever);
        assert_eq!(bell.begin(Wait::Forever), Wait::Forever, "and that one alone");
        assert!(bell.ring());
        assert!(!bell.ring());
        bell.end(Wait::Forever);
        assert_eq!(bell.begin(Wait::Forever), Wait::Forever);
    }

    #[test]
    fn a_look_leaves_the_token_to_the_next_wait() {
        let bell = Bell::default();
        assert!(!bell.ring());
        assert_eq!(bell.begin(Wait::Now), Wait::Now);
        bell.end(Wait::Now);
        assert_eq!(bell.begin(Wait::Forever), Wait::Now);
    }

    #[test]
    fn a_foreign_watcher_hears_every_token_and_each_look_takes_one() {
        let bell = Bell::default();
        assert!(!bell.ring());
        assert!(bell.watch_from_outside(), "the token of before is still to be shown");
        assert!(!bell.watch_from_outside(), "once");
        bell.end(Wait::Now);
        assert!(bell.ring());
        assert!(!bell.ring());
        bell.end(Wait::Now);
        assert!(bell.ring());
    }
}
