//! Who is at work, for clocks that move when nobody is.
//!
//! Invariant: *two looks that see the same calm have had nobody at work between them*. How many are at work and how often
//! anybody has begun to be are one word, so that somebody who came and went is seen as well.

use crate::shim::atomic::{
    AtomicU64,
    Ordering::{AcqRel, Acquire},
};

/// What one is counted by, in the half of those who are at work and in the half of those who ever were.
const ONE: u64 = (1 << 32) | 1;

/// Counts threads and jobs at work.
#[derive(Debug)]
pub(super) struct Work(AtomicU64);

/// That nobody was at work at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Calm(u64);

impl Work {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Somebody goes to work. The half of those who ever were goes round, after four billion times between two looks.
    pub(super) fn begin(&self) {
        self.0.fetch_add(ONE, AcqRel);
    }

    /// Somebody has done their work; whether they were the last.
    pub(super) fn end(&self) -> bool {
        at_work(self.0.fetch_sub(1, AcqRel)) == 1
    }

    /// Whether nobody is at work.
    ///
    /// Ordering: Acquire, so that whoever finds them gone finds what they have left: in the timer queue, and by system calls.
    pub(super) fn calm(&self) -> Option<Calm> {
        let word = self.0.load(Acquire);
        (at_work(word) == 0).then_some(Calm(word))
    }
}

fn at_work(word: u64) -> u32 {
    word as u32
}

#[cfg(all(test, not(polyloop_loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_came_and_went_between_two_looks_is_seen() {
        let work = Work::new();
        let before = work.calm();
        assert!(before.is_some());
        work.begin();
        assert_eq!(work.calm(), None);
        work.begin();
        assert!(!work.end() && work.end());
        assert!(work.calm().is_some());
        assert_ne!(work.calm(), before);
        assert_eq!(work.calm(), work.calm());
    }

    #[test]
    fn the_count_of_those_who_ever_were_goes_round_and_leaves_the_other_alone() {
        let work = Work(AtomicU64::new(u64::from(u32::MAX) << 32));
        work.begin();
        assert_eq!(work.calm(), None);
        assert!(work.end());
        assert_eq!(work.calm(), Some(Calm(0)));
    }
}
