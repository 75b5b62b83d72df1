//! Who sleeps, and who is to be woken: announce and recheck.
//!
//! Invariant: *a runnable that was pushed from outside is seen by somebody awake, or somebody asleep is woken for it*. The
//! argument is in `README.md` beside this file; the model is in `loom_tests.rs`.

#[cfg(all(test, polyloop_loom))]
mod loom_tests;

use polyloop_core::shim::atomic::{
    AtomicIsize, AtomicU64,
    Ordering::{AcqRel, Acquire, Relaxed, SeqCst},
    fence,
};

/// The sleepers of one pool.
#[derive(Debug)]
pub(crate) struct Idle {
    /// A bit for every worker that has announced that it will sleep and was not called since.
    sleepers: Box<[AtomicU64]>,
    /// How many workers look for work: those that were called and have not found any yet, and those that ran dry. Too few while
    /// somebody is being called, also less than none: see `README.md`. Never too many.
    searching: AtomicIsize,
}

/// What the end of a search asks for.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterSearch {
    /// Others are searching still.
    Nothing,
    /// This was the last one: if there is more work, which is to be looked for now, somebody must be called for it.
    CallNext,
}

impl Idle {
    pub(crate) fn new(workers: usize) -> Self {
        let words = workers.div_ceil(64);
        Self { sleepers: (0..words).map(|_| AtomicU64::new(0)).collect(), searching: AtomicIsize::new(0) }
    }

    /// A worker begins to look for work.
    pub(crate) fn begin_search(&self) {
        self.searching.fetch_add(1, AcqRel);
    }

    /// A searching worker has found work.
    pub(crate) fn found(&self) -> AfterSearch {
        if self.searching.fetch_sub(1, AcqRel) > 1 {
            return AfterSearch::Nothing;
        }
        // A pusher may have relied on this search. The fence pairs with his in `call_one`: either he sees that nobody
        // searches any more, or the look for more work that follows sees what he pushed.
        #[cfg(not(polyloop_mutant = "found_without_fence"))]
        fence(SeqCst);
        AfterSearch::CallNext
    }

    /// A searching worker leaves and will not search any more. It must look afterwards whether there is work, and call
    /// somebody for it, whoever else searches.
    pub(crate) fn leave(&self) {
        self.searching.fetch_sub(1, AcqRel);
        // As in `found`: either the pusher sees that this one searches no more, or the look sees what he pushed.
        #[cfg(not(polyloop_mutant = "leave_without_fence"))]
        fence(SeqCst);
    }

    /// A searching worker has found nothing and says that it will sleep. It must look for work once more afterwards,
    /// and only then sleep.
    pub(crate) fn announce(&self, worker: usize) {
        let (word, bit) = place(worker);
        self.sleepers[word].fetch_or(bit, AcqRel);
        self.searching.fetch_sub(1, AcqRel);
        // The other half of the pattern is in `call_one`: either the pusher sees the announcement (and that nobody
        // searches), or this worker's second look sees what was pushed.
        #[cfg(not(polyloop_mutant = "announce_without_fence"))]
        fence(SeqCst);
    }

    /// The worker is awake again, or does not sleep after all: it searches.
    pub(crate) fn retract(&self, worker: usize) {
        let (word, bit) = place(worker);
        let was_announced = self.sleepers[word].fetch_and(!bit, AcqRel) & bit != 0;
        // If it was called, the caller has counted it already.
        if was_announced {
            self.begin_search();
        }
    }

    /// After a push that others must see: picks a sleeper to call, unless somebody searches anyway. The one picked
    /// counts as searching from now on.
    pub(crate) fn call_one(&self) -> Option<usize> {
        #[cfg(not(polyloop_mutant = "call_without_fence"))]
        fence(SeqCst);
        let searching = self.searching.load(Acquire);
        #[cfg(not(polyloop_mutant = "less_than_none_search"))]
        let anybody_searches = searching > 0;
        #[cfg(polyloop_mutant = "less_than_none_search")]
        let anybody_searches = searching != 0;
        if anybody_searches { None } else { self.pick() }
    }

    /// Calls this worker if it sleeps, for something that was set before and that it looks for between its announcement and
    /// its sleep. It counts as searching from now on.
    pub(crate) fn call(&self, worker: usize) -> bool {
        let (word, bit) = place(worker);
        // Ordering: Release. Both sides modify the same word, so that one comes after the other: either the announcement is
        // seen here, or the announcement sees this, and the second look what was set before.
        #[cfg(not(polyloop_mutant = "call_without_release"))]
        let before = self.sleepers[word].fetch_and(!bit, AcqRel);
        #[cfg(polyloop_mutant = "call_without_release")]
        let before = self.sleepers[word].fetch_and(!bit, Acquire);
        let sleeps = before & bit != 0;
        if sleeps {
            self.begin_search();
        }
        sleeps
    }

    /// Picks a sleeper whether or not somebody searches.
    pub(crate) fn pick(&self) -> Option<usize> {
        for (index, word) in self.sleepers.iter().enumerate() {
            let mut seen = word.load(Acquire);
            while seen != 0 {
                let bit = seen & seen.wrapping_neg();
                let before = word.fetch_and(!bit, AcqRel);
                // Two callers may have seen the bit; the one who cleared it has called.
                #[cfg(not(polyloop_mutant = "pick_without_claim"))]
                let claimed = before & bit != 0;
                #[cfg(polyloop_mutant = "pick_without_claim")]
                let claimed = true;
                if claimed {
                    self.searching.fetch_add(1, AcqRel);
                    return Some(index * 64 + bit.trailing_zeros() as usize);
                }
                seen = before & !bit;
            }
        }
        None
    }

    /// Whether somebody sleeps, at a glance: a hint for a worker that wonders whether to share.
    pub(crate) fn anybody_sleeps(&self) -> bool {
        self.sleepers.iter().any(|word| word.load(Relaxed) != 0)
    }

    /// How many search, at a glance.
    pub(crate) fn searching(&self) -> usize {
        usize::try_from(self.searching.load(Relaxed)).unwrap_or_default()
    }

    /// How many sleep.
    pub(crate) fn sleepers(&self) -> usize {
        self.sleepers.iter().map(|word| word.load(Acquire).count_ones() as usize).sum()
    }
}

fn place(worker: usize) -> (usize, u64) {
    (worker / 64, 1 << (worker % 64))
}
